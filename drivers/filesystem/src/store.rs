//! What all operations share: the system calls, the open root, the staging area, and what is known to be on the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use driver_api::{Error, ErrorKind, FileInfo, Result, StoragePath};
use parking_lot::RwLock;

use crate::durable::DurableDirectories;
use crate::errors::{Attempt, explain, is, lost_sync, present};
use crate::pool::BlockingPool;
use crate::staging::Staging;
use crate::system_calls::{Place, Status, SystemCalls};
use crate::version;
use rustix::io::Errno;

/// A store below one root directory. Its methods block, and run on the blocking pool.
#[derive(Debug)]
pub(crate) struct Store<S: SystemCalls> {
    pub(crate) system: S,
    pub(crate) pool: BlockingPool,
    /// Whether what is acknowledged must outlive a loss of power.
    pub(crate) durable: bool,
    pub(crate) known: DurableDirectories,
    root_path: PathBuf,
    root: RwLock<Option<Arc<S::Directory>>>,
    pub(crate) staging: RwLock<Option<Arc<Staging<S>>>>,
}

impl<S: SystemCalls> Store<S> {
    pub(crate) fn new(system: S, root_path: PathBuf, durable: bool, pool: BlockingPool) -> Self {
        Self {
            system,
            pool,
            durable,
            known: DurableDirectories::default(),
            root_path,
            root: RwLock::new(None),
            staging: RwLock::new(None),
        }
    }

    /// The open root; none where it does not exist yet, which reads as an empty store.
    pub(crate) fn root(&self) -> Result<Option<Arc<S::Directory>>> {
        if let Some(root) = &*self.root.read() {
            return Ok(Some(Arc::clone(root)));
        }
        match self.system.open_root(&self.root_path) {
            Ok(opened) => Ok(Some(self.remember_root(opened))),
            Err(error) if is(&error, &[Errno::NOENT]) => Ok(None),
            Err(error) => Err(no_root(error)),
        }
    }

    /// The open root, or NotFound about `path` where there is none.
    pub(crate) fn root_with(&self, path: &StoragePath) -> Result<Arc<S::Directory>> {
        self.root()?.ok_or_else(|| Error::not_found(path))
    }

    /// The open root, which is made if need be, with the directories above it.
    pub(crate) fn make_root(&self) -> Result<Arc<S::Directory>> {
        if let Some(root) = &*self.root.read() {
            return Ok(Arc::clone(root));
        }
        let made = self.make_absolute(&self.root_path).map_err(no_root)?;
        if self.durable {
            self.sync_above_root();
        }
        Ok(self.remember_root(made))
    }

    /// Forgets the open root, which somebody removed.
    pub(crate) fn forget_root(&self) {
        *self.root.write() = None;
    }

    fn remember_root(&self, opened: S::Directory) -> Arc<S::Directory> {
        Arc::clone(self.root.write().get_or_insert_with(|| Arc::new(opened)))
    }

    /// Brings the root's own name to the disk, and those above it: a process that made them may have died before it did.
    /// Those above may belong to others, who see to it themselves, so that one which can't be opened is passed over.
    fn sync_above_root(&self) {
        for above in self.root_path.ancestors().skip(1) {
            if let Ok(directory) = self.system.open_root(above) {
                let _ = self.system.sync_directory(&directory);
            }
        }
    }

    fn make_absolute(&self, path: &Path) -> io::Result<S::Directory> {
        let missing = match self.system.open_root(path) {
            Err(error) if is(&error, &[Errno::NOENT]) => error,
            answer => return answer,
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(missing) };
        let parent = self.make_absolute(parent)?;
        match self.system.make_directory(Place::new(&parent, name)) {
            Err(error) if !is(&error, &[Errno::EXIST]) => return Err(error),
            _ => {}
        }
        if self.durable {
            self.system.sync_directory(&parent)?;
        }
        self.system.open_root(path)
    }

    /// Writes all of `bytes` at `offset`.
    pub(crate) fn write_all(&self, file: &S::File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.system.write_at(file, offset, bytes)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += written as u64;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Reads from `offset` on until the buffer's capacity is used up, or the file ends; tells which.
    pub(crate) fn fill(&self, file: &S::File, mut offset: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        while buffer.len() < buffer.capacity() {
            let read = self.system.read_at(file, offset, buffer)?;
            if read == 0 {
                break;
            }
            offset += read as u64;
        }
        Ok(())
    }

    /// Makes a file ready to be published: dates it, and brings it to the disk where that is asked for.
    ///
    /// It is dated by hand because the kernel's own stamps advance in steps of some milliseconds: two contents of the same
    /// size within one step would be the same version.
    pub(crate) fn seal(&self, file: &S::File) -> Result<Status> {
        self.system.set_modified(file, self.system.now()).trying_to("date the file")?;
        if self.durable {
            self.system.sync_file(file).map_err(lost_sync)?;
        }
        self.system.file_status(file).trying_to("look at the file")
    }

    /// Whether `place` is a name of `file`.
    pub(crate) fn is_named(&self, place: Place<'_, S::Directory>, file: &S::File) -> io::Result<bool> {
        let id = self.system.file_status(file)?.id;
        let named = present(self.system.status_at(place.directory, Path::new(place.name)))?;
        Ok(named.is_some_and(|named| named.id == id))
    }

    /// The file at `path`, as `status` tells.
    pub(crate) fn file_info(path: &StoragePath, status: &Status) -> FileInfo {
        FileInfo::new(path.clone(), status.size, status.modified).with_version(version::of(status))
    }
}

fn no_root(source: io::Error) -> Error {
    if is(&source, &[Errno::NOTDIR, Errno::LOOP]) {
        let message = "the root directory is no directory, or lies below a file; choose another";
        return Error::new(ErrorKind::Misconfigured, message).with_source(source);
    }
    explain("open or make the root directory", source)
}
