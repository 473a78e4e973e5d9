//! How much memory a stream takes: one contestant, one round, in a process of its own, so that nothing that ran before is in
//! the figure.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::rows::Row;

/// The name of the argument by which the process knows that it is such a one.
pub(crate) const ARGUMENT: &str = "--memory-of";

/// The most memory above idle, in bytes, that `contestant` takes for a round of `row`; `suite` is what finds the row.
pub(crate) fn peak_of(row: &Row, contestant: &str, suite: &[String], directory: &Path) -> Result<u64> {
    let output = Command::new(std::env::current_exe()?)
        .args(suite)
        .args(["--only", &row.name, ARGUMENT, contestant, "--dir"])
        .arg(directory)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("measuring memory failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(text.trim().parse()?)
}

/// What the process answers.
pub(crate) async fn measure(row: &Row, contestant: &str, directory: &Path) -> Result<u64> {
    let contestants = row.contestants(directory)?;
    let mut contestant =
        contestants.into_iter().find(|entrant| entrant.name() == contestant).ok_or("there is no such contestant")?;
    contestant.prepare(0).await?;
    // Writing this resets the peak to what the process has now; see proc_pid_clear_refs(5).
    std::fs::write("/proc/self/clear_refs", "5")?;
    let idle = status("VmHWM")?;
    contestant.round(0).await?;
    Ok(status("VmHWM")?.saturating_sub(idle))
}

/// A figure of /proc/self/status, in bytes.
fn status(key: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)).ok_or("the kernel does not tell the memory")?;
    let kibibytes: u64 = line.trim_matches(|c: char| !c.is_ascii_digit()).parse()?;
    Ok(kibibytes * 1024)
}
