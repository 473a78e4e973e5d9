//! System calls that fail where a test says so.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, SystemTime};

use driver_filesystem::Posix;
use driver_filesystem::system_calls::{Access, Kind, Place, Status, SystemCalls};

/// The system calls that a test can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Close,
    CreateFile,
    Link,
    Lock,
    MakeDirectory,
    OpenFile,
    ReadAt,
    ReadDirectory,
    RemoveFile,
    Rename,
    RenameNoreplace,
    SetLength,
    StatusAt,
    SyncDirectory,
    SyncFile,
    WriteAt,
}

type Judge = dyn Fn(Call, &OsStr) -> Option<i32> + Send + Sync;

/// The operating system, but for the calls that `judge` answers with an error number. It is asked with the name that a call
/// is about: of a rename the new one, of a call on an open file none.
pub(crate) struct Refusing {
    posix: Posix,
    judge: Box<Judge>,
    /// How far the driver's clock is ahead of the file system's.
    pub(crate) ahead: Duration,
    /// Whether names are looked up in lower case, as a file system that folds cases would.
    pub(crate) folds_case: bool,
}

impl Refusing {
    pub(crate) fn new(judge: impl Fn(Call, &OsStr) -> Option<i32> + Send + Sync + 'static) -> Self {
        Self { posix: Posix::default(), judge: Box::new(judge), ahead: Duration::ZERO, folds_case: false }
    }

    fn ask(&self, call: Call, name: impl AsRef<OsStr>) -> io::Result<()> {
        match (self.judge)(call, name.as_ref()) {
            None => Ok(()),
            Some(number) => Err(io::Error::from_raw_os_error(number)),
        }
    }
}

impl fmt::Debug for Refusing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusing").finish_non_exhaustive()
    }
}

type File = <Posix as SystemCalls>::File;
type Directory = <Posix as SystemCalls>::Directory;

impl SystemCalls for Refusing {
    type File = File;
    type Directory = Directory;

    fn now(&self) -> SystemTime {
        self.posix.now() + self.ahead
    }

    fn open_root(&self, path: &Path) -> io::Result<Directory> {
        self.posix.open_root(path)
    }

    fn open_directory(&self, at: &Directory, path: &Path) -> io::Result<Directory> {
        self.posix.open_directory(at, path)
    }

    fn open_file(&self, at: &Directory, path: &Path, access: Access) -> io::Result<File> {
        self.ask(Call::OpenFile, path)?;
        self.posix.open_file(at, path, access)
    }

    fn create_file(&self, place: Place<'_, Directory>) -> io::Result<File> {
        self.ask(Call::CreateFile, place.name)?;
        self.posix.create_file(place)
    }

    fn close(&self, file: File) -> io::Result<()> {
        self.ask(Call::Close, "")?;
        self.posix.close(file)
    }

    fn read_at(&self, file: &File, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
        self.ask(Call::ReadAt, "")?;
        self.posix.read_at(file, offset, buffer)
    }

    fn write_at(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        // In two halves, so that a test can refuse the second: a full disk takes what fits.
        self.ask(Call::WriteAt, "")?;
        self.posix.write_at(file, offset, &bytes[..bytes.len().div_ceil(2)])
    }

    fn set_length(&self, file: &File, length: u64) -> io::Result<()> {
        self.ask(Call::SetLength, "")?;
        self.posix.set_length(file, length)
    }

    fn set_modified(&self, file: &File, time: SystemTime) -> io::Result<()> {
        self.posix.set_modified(file, time)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        self.ask(Call::SyncFile, "")?;
        self.posix.sync_file(file)
    }

    fn sync_directory(&self, directory: &Directory) -> io::Result<()> {
        self.ask(Call::SyncDirectory, "")?;
        self.posix.sync_directory(directory)
    }

    fn lock(&self, file: &File) -> io::Result<bool> {
        self.ask(Call::Lock, "")?;
        self.posix.lock(file)
    }

    fn file_status(&self, file: &File) -> io::Result<Status> {
        self.posix.file_status(file)
    }

    fn directory_status(&self, directory: &Directory) -> io::Result<Status> {
        self.posix.directory_status(directory)
    }

    fn status_at(&self, at: &Directory, path: &Path) -> io::Result<Status> {
        self.ask(Call::StatusAt, path)?;
        if self.folds_case {
            return self.posix.status_at(at, Path::new(&path.as_os_str().to_ascii_lowercase()));
        }
        self.posix.status_at(at, path)
    }

    fn read_directory(
        &self,
        directory: &Directory,
        each: &mut dyn FnMut(&OsStr, Kind) -> ControlFlow<()>,
    ) -> io::Result<()> {
        self.ask(Call::ReadDirectory, "")?;
        self.posix.read_directory(directory, each)
    }

    fn rename(&self, from: Place<'_, Directory>, to: Place<'_, Directory>) -> io::Result<()> {
        self.ask(Call::Rename, to.name)?;
        self.posix.rename(from, to)
    }

    fn rename_noreplace(&self, from: Place<'_, Directory>, to: Place<'_, Directory>) -> io::Result<()> {
        self.ask(Call::RenameNoreplace, to.name)?;
        self.posix.rename_noreplace(from, to)
    }

    fn link(&self, from: Place<'_, Directory>, to: Place<'_, Directory>) -> io::Result<()> {
        self.ask(Call::Link, to.name)?;
        self.posix.link(from, to)
    }

    fn make_directory(&self, place: Place<'_, Directory>) -> io::Result<()> {
        self.ask(Call::MakeDirectory, place.name)?;
        self.posix.make_directory(place)
    }

    fn remove_file(&self, place: Place<'_, Directory>) -> io::Result<()> {
        self.ask(Call::RemoveFile, place.name)?;
        self.posix.remove_file(place)
    }

    fn remove_directory(&self, place: Place<'_, Directory>) -> io::Result<()> {
        self.posix.remove_directory(place)
    }
}
