//! The system calls below the driver, as a trait, so that tests can record them, refuse them, and cut the power between them.
//!
//! The driver changes the disk through this trait alone. A recording implementation can rebuild the state of the disk from
//! the calls in their order:
//! - every call names the open directory and the name or path that it concerns, or the open file;
//! - what a call changes is in the method's documentation; `sync_file` and `sync_directory` are the only calls after which a
//!   change is promised to outlive a loss of power;
//! - the first thing a driver opens is its root, by [`open_root`](SystemCalls::open_root); every other path is relative to
//!   an open directory, and never leaves it.
//!
//! Dropping a file or a directory closes it without looking at the result.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, a socket, a device: nothing that belongs to a store.
    Foreign,
}

/// Which file or directory it is, among all that exist at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The number within the file system. It may be given again once the file is gone.
    pub inode: u64,
}

/// What the file system tells of a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What it is.
    pub kind: Kind,
    /// Which it is.
    pub id: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// How many names it has.
    pub links: u64,
    /// When its content changed last, or what was set instead.
    pub modified: SystemTime,
    /// When anything about it changed last, by the file system's own clock.
    pub changed: SystemTime,
    /// When it was made; none where the file system does not tell.
    pub born: Option<SystemTime>,
}

/// What an existing file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read it.
    Read,
    /// To write into it, and to read it.
    Write,
}

/// A name in an open directory.
#[derive(Debug)]
pub struct Place<'a, D> {
    /// The directory.
    pub directory: &'a D,
    /// One component; never `.` or `..`.
    pub name: &'a OsStr,
}

impl<'a, D> Place<'a, D> {
    /// The name `name` in `directory`.
    pub fn new(directory: &'a D, name: &'a (impl AsRef<OsStr> + ?Sized)) -> Self {
        Self { directory, name: name.as_ref() }
    }
}

impl<D> Clone for Place<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Place<'_, D> {}

/// What the driver asks of the operating system. [`Posix`](crate::Posix) is the real one.
///
/// Relative paths have components that are names (`.` alone means the directory itself), and no call follows a symbolic
/// link below the directory it starts from: it fails with ELOOP or ENOTDIR instead. Errors are those of the system call
/// named; the driver branches on their number, so an implementation that injects errors makes them with
/// [`io::Error::from_raw_os_error`].
pub trait SystemCalls: Debug + Send + Sync + 'static {
    /// An open file; closed when dropped.
    type File: Debug + Send + Sync + 'static;
    /// An open directory; closed when dropped.
    type Directory: Debug + Send + Sync + 'static;

    /// The time of day. Changes nothing.
    fn now(&self) -> SystemTime;

    /// Opens the directory at an absolute path, through symbolic links (open). Changes nothing.
    fn open_root(&self, path: &Path) -> io::Result<Self::Directory>;

    /// Opens a directory below another (openat2). Changes nothing.
    fn open_directory(&self, at: &Self::Directory, path: &Path) -> io::Result<Self::Directory>;

    /// Opens whatever is at a path below a directory, without waiting for the other end of a pipe (openat2). A directory
    /// may open for reading; its [`Status`] tells. Changes nothing.
    fn open_file(&self, at: &Self::Directory, path: &Path, access: Access) -> io::Result<Self::File>;

    /// Makes an empty file where nothing is, with the mode 0666 less the umask, and opens it for reading and writing
    /// (openat with O_CREAT and O_EXCL). Changes the directory.
    fn create_file(&self, place: Place<'_, Self::Directory>) -> io::Result<Self::File>;

    /// Closes a file and tells what only now came to light (close). Changes nothing.
    fn close(&self, file: Self::File) -> io::Result<()>;

    /// Appends to `buffer` what stands at `offset`, at most as many bytes as the buffer's spare capacity, which is not 0;
    /// 0 bytes are the end of the file (pread). Changes nothing.
    fn read_at(&self, file: &Self::File, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize>;

    /// Writes some of `bytes`, from the front, at `offset`, and tells how many (pwrite). Changes the file's content, and its
    /// length where it ends behind the end.
    fn write_at(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts a file off (ftruncate). Changes its length.
    fn set_length(&self, file: &Self::File, length: u64) -> io::Result<()>;

    /// Sets the time of last modification (futimens). Changes nothing else.
    fn set_modified(&self, file: &Self::File, time: SystemTime) -> io::Result<()>;

    /// Returns once content, length and times of a file are on the disk (fsync). Not its name.
    fn sync_file(&self, file: &Self::File) -> io::Result<()>;

    /// Returns once the names in a directory are on the disk (fsync). Not what is under them, nor the directory's own name.
    fn sync_directory(&self, directory: &Self::Directory) -> io::Result<()>;

    /// Takes the exclusive lock of a file until that open file is closed; false where another open file has it (flock).
    /// Changes nothing on the disk.
    fn lock(&self, file: &Self::File) -> io::Result<bool>;

    /// What an open file is (fstat). Changes nothing.
    fn file_status(&self, file: &Self::File) -> io::Result<Status>;

    /// What an open directory is (fstat). Changes nothing.
    fn directory_status(&self, directory: &Self::Directory) -> io::Result<Status>;

    /// What stands at a path below a directory; a symbolic link at its end is told as itself (statx). Changes nothing.
    fn status_at(&self, at: &Self::Directory, path: &Path) -> io::Result<Status>;

    /// Tells every name in a directory but `.` and `..`, from the first one on, until `each` breaks off (getdents). The
    /// directory was opened for this scan, or no other scan of it runs. One that was removed since has no names. Changes
    /// nothing.
    fn read_directory(
        &self,
        directory: &Self::Directory,
        each: &mut dyn FnMut(&OsStr, Kind) -> ControlFlow<()>,
    ) -> io::Result<()>;

    /// Gives what is at `from` the name `to`; a file there goes (renameat). Changes both directories, in one step.
    fn rename(&self, from: Place<'_, Self::Directory>, to: Place<'_, Self::Directory>) -> io::Result<()>;

    /// Gives what is at `from` the name `to`, where nothing has it; else EEXIST. EINVAL, ENOSYS or EOPNOTSUPP where the
    /// file system can't (renameat2 with RENAME_NOREPLACE). Changes both directories, in one step.
    fn rename_noreplace(&self, from: Place<'_, Self::Directory>, to: Place<'_, Self::Directory>) -> io::Result<()>;

    /// Gives the file at `from` a second name, where nothing has it; else EEXIST (linkat). Changes the directory of `to`.
    fn link(&self, from: Place<'_, Self::Directory>, to: Place<'_, Self::Directory>) -> io::Result<()>;

    /// Makes a directory with the mode 0777 less the umask (mkdirat). Changes the directory it is in.
    fn make_directory(&self, place: Place<'_, Self::Directory>) -> io::Result<()>;

    /// Takes a name away from a file; a symbolic link goes itself (unlinkat). Changes the directory.
    fn remove_file(&self, place: Place<'_, Self::Directory>) -> io::Result<()>;

    /// Removes an empty directory (unlinkat with AT_REMOVEDIR). Changes the directory it is in.
    fn remove_directory(&self, place: Place<'_, Self::Directory>) -> io::Result<()>;
}
