//! A registry that runs to be measured.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::connection::Connection;

/// How long a registry may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time between two looks at a registry that starts.
const LOOK: Duration = Duration::from_millis(20);

/// A process, until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

/// What a process takes, in bytes.
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

impl Server {
    pub(crate) async fn start(name: &str, program: &Path, scratch: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let data = scratch.join(name);
        let file: PathBuf = scratch.join(format!("{name}.yml"));
        // Both tell errors alone, remember blobs, and let nobody wait for a client that is sent elsewhere.
        let configuration = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nhttp: {{addr: '{address}', secret: shared}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}, cache: {{blobdescriptor: inmemory}}}}\n",
            data.display()
        );
        std::fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self { child: command.spawn()?, address };
        let begun = Instant::now();
        loop {
            if let Ok(mut connection) = Connection::open(&server.address).await
                && connection.send("GET", "/v2/", b"").await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{} ended: {status}", program.display()).into());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{} does not answer", program.display()).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What it takes now, and took at the most.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| format!("no {name} in the status of a process"))
        };
        Ok(Memory { now: field("VmRSS:")?, peak: field("VmHWM:")? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // That it has ended already is all that can go wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
