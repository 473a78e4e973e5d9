//! Opening paths below a directory without ever leaving it: no `..`, no symbolic link.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::{Errno, Result};

/// Opens with openat2 where the kernel has it, and one component at a time elsewhere. Both refuse a symbolic link wherever
/// it stands in the path; the walk pays one system call for each component.
#[derive(Debug, Default)]
pub(crate) struct Beneath {
    walks: AtomicBool,
}

impl Beneath {
    /// As on a kernel without openat2.
    pub(crate) fn walking() -> Self {
        Self { walks: AtomicBool::new(true) }
    }

    /// Opens `path`, which is relative and has no `..`, below `at`.
    pub(crate) fn open(&self, at: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if !self.walks.load(Ordering::Relaxed) {
            match open_in_one_call(at, path, flags) {
                Err(Errno::NOSYS) => self.walks.store(true, Ordering::Relaxed),
                // A sandbox that does not know the call answers EPERM; so may a file, and the walk finds out which.
                Err(Errno::PERM) => {}
                answer => return answer,
            }
        }
        walk(at, path, flags)
    }
}

#[cfg(target_os = "linux")]
fn open_in_one_call(at: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::io::retry_on_intr(|| fs::openat2(at, path, flags, Mode::empty(), resolve))
}

#[cfg(not(target_os = "linux"))]
fn open_in_one_call(_at: &OwnedFd, _path: &Path, _flags: OFlags) -> Result<OwnedFd> {
    Err(Errno::NOSYS)
}

fn walk(at: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut reached: Option<OwnedFd> = None;
    let mut components = path.iter().peekable();
    while let Some(name) = components.next() {
        if name == ".." {
            return Err(Errno::XDEV);
        }
        let here = reached.as_ref().map_or(at.as_fd(), OwnedFd::as_fd);
        let flags = if components.peek().is_some() { directory } else { flags };
        reached = Some(rustix::io::retry_on_intr(|| fs::openat(here, name, flags, Mode::empty()))?);
    }
    reached.ok_or(Errno::NOENT)
}
