//! The peak of this process's memory.

use crate::Result;

/// Forgets the peak so far; see proc_pid_clear_refs(5). Answers with what the process has now.
pub(crate) fn reset() -> Result<u64> {
    std::fs::write("/proc/self/clear_refs", "5")?;
    peak()
}

/// The peak since, in bytes.
pub(crate) fn peak() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel does not tell the memory")?;
    let kibibytes: u64 = line.trim_matches(|character: char| !character.is_ascii_digit()).parse()?;
    Ok(kibibytes * 1024)
}
