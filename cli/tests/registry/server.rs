//! A registry that runs for a test.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A process that serves, until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts `blobstore serve` with a configuration of that text, on a port that is free.
    pub(crate) fn start(directory: &Path, configuration: &str) -> Self {
        let file = directory.join("registry.yml");
        std::fs::write(&file, configuration).unwrap();
        Self::start_file(directory, Some(&file), &[])
    }

    /// The same with a file, or without one; `variables` go into its environment.
    pub(crate) fn start_file(directory: &Path, file: Option<&Path>, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blobstore"));
        command.arg("serve").args(file).current_dir(directory);
        Self::spawn(command, variables)
    }

    /// The same by a command that becomes `blobstore serve`.
    pub(crate) fn spawn(mut command: Command, variables: &[(&str, &str)]) -> Self {
        command.env("REGISTRY_HTTP_ADDR", "127.0.0.1:0").envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap() == 0 {
                let status = child.wait().unwrap();
                panic!("the registry ended with {status}:\n{}", log.lock().unwrap());
            }
            log.lock().unwrap().push_str(&line);
            if let Some((_, address)) = line.trim_end().split_once("serving address=") {
                break address.split_whitespace().next().unwrap().to_owned();
            }
        };
        let kept = log.clone();
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                kept.lock().unwrap().push_str(&line);
                line.clear();
            }
            let _ = lines.read_to_string(&mut line);
        });
        Self { child, address, log, reader: Some(reader) }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has told so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status, self.log())
    }

    /// Takes its life, at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the registry at {}:\n{}", self.address, self.log());
        }
    }
}
