//! The real system calls, by `rustix`.

use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::beneath::Beneath;
use crate::system_calls::{Access, FileId, Kind, Place, Status, SystemCalls};

const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o777);

/// The operating system itself.
#[derive(Debug, Default)]
pub struct Posix {
    beneath: Beneath,
}

impl Posix {
    /// The operating system without openat2, as some sandboxes have it: paths are walked one component at a time.
    pub fn without_openat2() -> Self {
        Self { beneath: Beneath::walking() }
    }
}

impl SystemCalls for Posix {
    type File = OwnedFd;
    type Directory = OwnedFd;

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn open_root(&self, path: &Path) -> io::Result<OwnedFd> {
        Ok(fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn open_directory(&self, at: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
        Ok(self.beneath.open(at, path, OFlags::RDONLY | OFlags::DIRECTORY)?)
    }

    fn open_file(&self, at: &OwnedFd, path: &Path, access: Access) -> io::Result<OwnedFd> {
        let access = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        // Without NONBLOCK, opening a named pipe that somebody put there would wait for its writer.
        Ok(self.beneath.open(at, path, access | OFlags::NONBLOCK | OFlags::NOCTTY)?)
    }

    fn create_file(&self, place: Place<'_, OwnedFd>) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(place.directory, place.name, flags, FILE_MODE)?)
    }

    fn close(&self, file: OwnedFd) -> io::Result<()> {
        // SAFETY: `into_raw_fd` hands over an open descriptor that nobody else owns, and its number is not used again.
        match unsafe { rustix::io::try_close(file.into_raw_fd()) } {
            // The descriptor is gone after an interruption too.
            Ok(()) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read_at(&self, file: &OwnedFd, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
        uninterrupted(|| rustix::io::pread(file, rustix::buffer::spare_capacity(buffer), offset))
    }

    fn write_at(&self, file: &OwnedFd, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| rustix::io::pwrite(file, bytes, offset))
    }

    fn set_length(&self, file: &OwnedFd, length: u64) -> io::Result<()> {
        uninterrupted(|| fs::ftruncate(file, length))
    }

    fn set_modified(&self, file: &OwnedFd, time: SystemTime) -> io::Result<()> {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let times = fs::Timestamps {
            last_access: fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
            last_modification: fs::Timespec {
                tv_sec: since_epoch.as_secs() as _,
                tv_nsec: since_epoch.subsec_nanos() as _,
            },
        };
        Ok(fs::futimens(file, &times)?)
    }

    fn sync_file(&self, file: &OwnedFd) -> io::Result<()> {
        Ok(sync(file)?)
    }

    fn sync_directory(&self, directory: &OwnedFd) -> io::Result<()> {
        Ok(sync(directory)?)
    }

    fn lock(&self, file: &OwnedFd) -> io::Result<bool> {
        match fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn file_status(&self, file: &OwnedFd) -> io::Result<Status> {
        Ok(status::of(file)?)
    }

    fn directory_status(&self, directory: &OwnedFd) -> io::Result<Status> {
        Ok(status::of(directory)?)
    }

    fn status_at(&self, at: &OwnedFd, path: &Path) -> io::Result<Status> {
        // The kernel follows links in all components but the last, so a path of several is opened with care first.
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
                let parent = self.beneath.open(at, parent, LOOKUP)?;
                Ok(status::at(&parent, name)?)
            }
            _ => Ok(status::at(at, path.as_os_str())?),
        }
    }

    fn read_directory(
        &self,
        directory: &OwnedFd,
        each: &mut dyn FnMut(&OsStr, Kind) -> ControlFlow<()>,
    ) -> io::Result<()> {
        fs::seek(directory, SeekFrom::Start(0))?;
        scan(directory, |name, found| {
            if matches!(name, b"." | b"..") {
                return Ok(ControlFlow::Continue(()));
            }
            let name = OsStr::from_bytes(name);
            let kind = match found {
                // Some file systems leave it to the asker to look.
                FileType::Unknown => match status::at(directory, name) {
                    Ok(status) => status.kind,
                    Err(Errno::NOENT) => return Ok(ControlFlow::Continue(())),
                    Err(error) => return Err(error),
                },
                known => kind_of(known),
            };
            Ok(each(name, kind))
        })?;
        Ok(())
    }

    fn rename(&self, from: Place<'_, OwnedFd>, to: Place<'_, OwnedFd>) -> io::Result<()> {
        Ok(fs::renameat(from.directory, from.name, to.directory, to.name)?)
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    fn rename_noreplace(&self, from: Place<'_, OwnedFd>, to: Place<'_, OwnedFd>) -> io::Result<()> {
        Ok(fs::renameat_with(from.directory, from.name, to.directory, to.name, fs::RenameFlags::NOREPLACE)?)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    fn rename_noreplace(&self, _from: Place<'_, OwnedFd>, _to: Place<'_, OwnedFd>) -> io::Result<()> {
        Err(Errno::NOSYS.into())
    }

    fn link(&self, from: Place<'_, OwnedFd>, to: Place<'_, OwnedFd>) -> io::Result<()> {
        Ok(fs::linkat(from.directory, from.name, to.directory, to.name, AtFlags::empty())?)
    }

    fn make_directory(&self, place: Place<'_, OwnedFd>) -> io::Result<()> {
        Ok(fs::mkdirat(place.directory, place.name, DIRECTORY_MODE)?)
    }

    fn remove_file(&self, place: Place<'_, OwnedFd>) -> io::Result<()> {
        Ok(fs::unlinkat(place.directory, place.name, AtFlags::empty())?)
    }

    fn remove_directory(&self, place: Place<'_, OwnedFd>) -> io::Result<()> {
        Ok(fs::unlinkat(place.directory, place.name, AtFlags::REMOVEDIR)?)
    }
}

/// fsync on Apple's systems leaves the data in the disk's own cache.
#[cfg(target_vendor = "apple")]
fn sync(file: &OwnedFd) -> rustix::io::Result<()> {
    fs::fcntl_fullfsync(file)
}

#[cfg(not(target_vendor = "apple"))]
fn sync(file: &OwnedFd) -> rustix::io::Result<()> {
    fs::fsync(file)
}

fn uninterrupted<T>(call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    Ok(rustix::io::retry_on_intr(call)?)
}

fn kind_of(found: FileType) -> Kind {
    match found {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        _ => Kind::Foreign,
    }
}

fn time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second =
        if seconds < 0 { SystemTime::UNIX_EPOCH.checked_sub(whole) } else { SystemTime::UNIX_EPOCH.checked_add(whole) };
    second
        .and_then(|second| second.checked_add(Duration::from_nanos(nanoseconds.into())))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What a directory is opened as where only names below it are looked up.
#[cfg(target_os = "linux")]
const LOOKUP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
#[cfg(not(target_os = "linux"))]
const LOOKUP: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Calls `each` with every name, `.` and `..` among them.
#[cfg(target_os = "linux")]
fn scan(
    directory: &OwnedFd,
    mut each: impl FnMut(&[u8], FileType) -> rustix::io::Result<ControlFlow<()>>,
) -> rustix::io::Result<()> {
    // Large enough that 2,000 names come in two calls, small enough to be taken from the heap without a system call.
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut entries = fs::RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = match entry {
            // The directory was removed since it was opened.
            Err(Errno::NOENT) => break,
            entry => entry?,
        };
        if each(entry.file_name().to_bytes(), entry.file_type())?.is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn scan(
    directory: &OwnedFd,
    mut each: impl FnMut(&[u8], FileType) -> rustix::io::Result<ControlFlow<()>>,
) -> rustix::io::Result<()> {
    for entry in fs::Dir::read_from(directory)? {
        let entry = entry?;
        if each(entry.file_name().to_bytes(), entry.file_type())?.is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod status {
    use super::*;
    use rustix::fs::{Statx, StatxFlags, StatxTimestamp};

    pub(super) fn of(file: &OwnedFd) -> rustix::io::Result<Status> {
        ask(file, OsStr::new(""), AtFlags::EMPTY_PATH)
    }

    pub(super) fn at(directory: &OwnedFd, name: &OsStr) -> rustix::io::Result<Status> {
        ask(directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn ask(at: &OwnedFd, path: &OsStr, flags: AtFlags) -> rustix::io::Result<Status> {
        Ok(from_statx(&fs::statx(at, path, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?))
    }

    fn from_statx(found: &Statx) -> Status {
        let stamp = |stamp: StatxTimestamp| time(stamp.tv_sec, stamp.tv_nsec);
        Status {
            kind: kind_of(FileType::from_raw_mode(found.stx_mode.into())),
            id: FileId { device: fs::makedev(found.stx_dev_major, found.stx_dev_minor), inode: found.stx_ino },
            size: found.stx_size,
            links: found.stx_nlink.into(),
            modified: stamp(found.stx_mtime),
            changed: stamp(found.stx_ctime),
            born: (found.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| stamp(found.stx_btime)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod status {
    use super::*;
    use rustix::fs::Stat;

    pub(super) fn of(file: &OwnedFd) -> rustix::io::Result<Status> {
        Ok(from_stat(&fs::fstat(file)?))
    }

    pub(super) fn at(directory: &OwnedFd, name: &OsStr) -> rustix::io::Result<Status> {
        Ok(from_stat(&fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn from_stat(found: &Stat) -> Status {
        Status {
            kind: kind_of(FileType::from_raw_mode(found.st_mode)),
            id: FileId { device: found.st_dev as u64, inode: found.st_ino as u64 },
            size: found.st_size as u64,
            links: found.st_nlink as u64,
            modified: time(found.st_mtime as i64, found.st_mtime_nsec as u32),
            changed: time(found.st_ctime as i64, found.st_ctime_nsec as u32),
            born: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_removed_has_no_names() {
        let directory = tempfile::tempdir().unwrap();
        let posix = Posix::default();
        let root = posix.open_root(directory.path()).unwrap();
        posix.make_directory(Place::new(&root, "gone")).unwrap();
        let gone = posix.open_directory(&root, Path::new("gone")).unwrap();
        posix.remove_directory(Place::new(&root, "gone")).unwrap();
        let mut names = 0;
        posix
            .read_directory(&gone, &mut |_, _| {
                names += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(names, 0);
    }
}
