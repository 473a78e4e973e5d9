//! From what the operating system answers to what a caller branches on.

use std::io;

use driver_api::{Error, ErrorKind, Retry};
use rustix::io::Errno;

/// Turns a failed system call into an error that says what was tried and what to do about it.
pub(crate) trait Attempt<T> {
    /// `action` completes "could not ...".
    fn trying_to(self, action: &'static str) -> Result<T, Error>;
}

impl<T> Attempt<T> for io::Result<T> {
    fn trying_to(self, action: &'static str) -> Result<T, Error> {
        self.map_err(|source| explain(action, source))
    }
}

/// The error of a failed system call; `action` completes "could not ...".
pub(crate) fn explain(action: &'static str, source: io::Error) -> Error {
    let (kind, advice) = classify(&source);
    Error::new(kind, format!("could not {action}: {source}; {advice}")).with_source(source)
}

/// The kind of an error, and what an operator can do about it.
///
/// EIO is Unavailable: the disk may come back (a network file system, a pulled path), and the content is not known to be
/// wrong. A failed sync is never repeated as if the data were still to be written; see [`lost_sync`].
fn classify(source: &io::Error) -> (ErrorKind, &'static str) {
    match Errno::from_io_error(source) {
        Some(Errno::NOENT) => (ErrorKind::NotFound, "it is not there, or no longer"),
        Some(Errno::NOTDIR | Errno::LOOP) => {
            (ErrorKind::Conflict, "a file or a symbolic link stands where a directory is needed")
        }
        Some(Errno::ISDIR | Errno::NOTEMPTY) => (ErrorKind::Conflict, "a directory stands where a file is meant"),
        Some(Errno::EXIST) => (ErrorKind::AlreadyExists, "something has this name"),
        Some(Errno::NOSPC) => (ErrorKind::NoSpace, "free space on the file system of the root, or make it larger"),
        Some(Errno::DQUOT) => (ErrorKind::NoSpace, "raise the quota of the user this runs as, or delete files"),
        Some(Errno::FBIG) => {
            (ErrorKind::TooLarge, "the file system or a resource limit does not take files this large")
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            (ErrorKind::PermissionDenied, "give the user this runs as read and write access below the root directory")
        }
        Some(Errno::ROFS) => (ErrorKind::PermissionDenied, "the file system is mounted read-only"),
        Some(Errno::NAMETOOLONG) => {
            (ErrorKind::Misconfigured, "the file system does not take names this long; choose another root")
        }
        Some(Errno::MFILE | Errno::NFILE) => {
            (ErrorKind::Unavailable, "too many files are open; raise the limit (ulimit -n) or lower `maxthreads`")
        }
        Some(Errno::OPNOTSUPP | Errno::NOSYS) => {
            (ErrorKind::Misconfigured, "the file system of the root can't do this; choose another")
        }
        Some(Errno::IO) => (ErrorKind::Unavailable, "look at the disk and the kernel's log"),
        Some(Errno::STALE | Errno::TIMEDOUT | Errno::BUSY | Errno::AGAIN | Errno::NOMEM | Errno::NOLCK) => {
            (ErrorKind::Unavailable, "it may work in a while")
        }
        _ => (ErrorKind::Other, "the operating system does not say more"),
    }
}

/// The error of a sync that failed before anything was published. The kernel may have dropped the data and called it clean,
/// so another sync of the same file would prove nothing: it has to be written anew.
pub(crate) fn lost_sync(source: io::Error) -> Error {
    let (kind, advice) = classify(&source);
    Error::new(kind, format!("could not bring the content to the disk: {source}; {advice}, then write it anew"))
        .with_source(source)
        .with_retry(Retry::Never)
}

/// The error of a step after the change was made: it shows, and may be gone after a loss of power.
pub(crate) fn after_the_fact(action: &'static str, source: io::Error) -> Error {
    let (kind, advice) = classify(&source);
    let kind = if kind == ErrorKind::NotFound { ErrorKind::Unavailable } else { kind };
    Error::new(kind, format!("could not {action} after the change was made: {source}; {advice}"))
        .with_source(source)
        .with_retry(Retry::MaybeApplied)
}

/// The error of giving up against changes of others that never ceased.
pub(crate) fn contended() -> Error {
    Error::new(ErrorKind::Unavailable, "other changes of the same directories kept getting in the way; try again")
}

/// Whether nothing of the store is there: no entry, a file instead of a directory on the way, a symbolic link, or a socket
/// or device that can't be opened.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    is(error, &[Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV, Errno::NXIO, Errno::NODEV])
}

/// Whether the error is one of `numbers`.
pub(crate) fn is(error: &io::Error, numbers: &[Errno]) -> bool {
    Errno::from_io_error(error).is_some_and(|number| numbers.contains(&number))
}

/// The answer, or none where nothing of the store is there.
pub(crate) fn present<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
