//! Runs the binary, and looks at how it ended.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The binary, with nothing of this process's environment but what temporary files need.
pub(crate) fn blobstore() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blobstore"));
    command.env_clear().stdin(Stdio::null());
    if let Some(directory) = std::env::var_os("TMPDIR") {
        command.env("TMPDIR", directory);
    }
    command
}

/// Runs the binary with these arguments.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Ended(blobstore().args(arguments).output().unwrap())
}

/// A filesystem store in a temporary directory.
pub(crate) struct Store {
    directory: TempDir,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// The root of the store.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// The binary with `arguments`, on this store.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = blobstore();
        command.args(arguments).args(["--driver", "filesystem", "-o"]);
        command.arg(format!("rootdirectory={}", self.root().display()));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended(self.command(arguments).output().unwrap())
    }

    /// Runs with `input` on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended(child.wait_with_output().unwrap())
    }

    /// Stores `content` at `path`.
    pub(crate) fn put(&self, path: &str, content: &str) {
        self.run_with(&["put", "-", path], content.as_bytes()).done();
    }

    /// The files on the disk, also those that the driver does not show.
    pub(crate) fn files_on_disk(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut pending = vec![self.root().to_owned()];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => pending.push(entry.path()),
                    // Each driver value has a lock; the next one sweeps it up.
                    _ if entry.file_name() == "lock" => {}
                    _ => files.push(entry.path().strip_prefix(self.root()).unwrap().display().to_string()),
                }
            }
        }
        files.sort();
        files
    }
}

/// How a run ended.
pub(crate) struct Ended(pub(crate) Output);

impl Ended {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// Its standard output, where all went well and nothing was to be said.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code(), self.stderr()), (0, String::new()));
        self.stdout()
    }

    /// Its standard error, where it ended with `code` and had no output.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code(), self.stdout()), (code, String::new()), "{}", self.stderr());
        self.stderr()
    }
}
