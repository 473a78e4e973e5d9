//! System calls on the blocking pool, with one hop for each operation: what a driver can hope to come near.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Statx, StatxFlags};

use crate::Result;
use crate::subject::{Consume, Subject};

/// The size of the buffer of a stream.
const BUFFER: usize = 1024 * 1024;
/// The size of the buffer for the names of a directory.
const NAMES_BUFFER: usize = 64 * 1024;

pub(crate) struct Raw {
    root: PathBuf,
    staging: PathBuf,
    staged: AtomicU64,
}

impl Raw {
    pub(crate) fn new(root: &Path, staging: &Path) -> Result<Self> {
        fs::create_dir_all(staging)?;
        Ok(Self { root: root.to_owned(), staging: staging.to_owned(), staged: AtomicU64::new(0) })
    }

    /// Writes a temporary file and renames it, which makes it all or nothing for whoever reads.
    async fn publish(
        &self,
        path: &Path,
        write: impl FnOnce(&mut File) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let staged = self.staging.join(self.staged.fetch_add(1, Ordering::Relaxed).to_string());
        let path = path.to_owned();
        blocking(move || {
            write(&mut File::create(&staged)?)?;
            match fs::rename(&staged, &path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    fs::create_dir_all(path.parent().unwrap_or(&path))?;
                    fs::rename(&staged, &path)
                }
                answer => answer,
            }
        })
        .await
    }
}

impl Subject for Raw {
    type Path = PathBuf;

    fn path(&self, relative: &str) -> Result<PathBuf> {
        Ok(self.root.join(relative))
    }

    async fn put(&self, path: &PathBuf, content: Bytes) -> Result<()> {
        self.publish(path, move |file| file.write_all(&content)).await
    }

    async fn get(&self, path: &PathBuf) -> Result<u64> {
        let path = path.clone();
        blocking(move || Ok(fs::read(path)?.len() as u64)).await
    }

    async fn stat(&self, path: &PathBuf) -> Result<u64> {
        let path = path.clone();
        blocking(move || Ok(fs::symlink_metadata(path)?.len())).await
    }

    async fn list(&self, directory: &PathBuf) -> Result<usize> {
        let directory = directory.clone();
        blocking(move || Ok(page(&directory, "", usize::MAX)?.len())).await
    }

    async fn write_stream(&self, path: &PathBuf, chunk: Bytes, count: usize) -> Result<()> {
        self.publish(path, move |file| (0..count).try_for_each(|_| file.write_all(&chunk))).await
    }

    async fn read_stream(&self, path: &PathBuf, consume: Consume) -> Result<u64> {
        let path = path.clone();
        blocking(move || {
            let (mut file, mut buffer, mut length) = (File::open(path)?, vec![0; BUFFER], 0);
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    return Ok(length);
                }
                consume(&buffer[..read]);
                length += read as u64;
            }
        })
        .await
    }

    async fn delete_tree(&self, directory: &PathBuf) -> Result<()> {
        let directory = directory.clone();
        blocking(move || fs::remove_dir_all(directory)).await
    }

    fn root(&self) -> Option<&PathBuf> {
        Some(&self.root)
    }
}

/// What a page of a listing needs at least: all names of the directory, sorted, and size and time of those it yields.
pub(crate) fn page(directory: &Path, start_after: &str, entries: usize) -> io::Result<Vec<(CString, Statx)>> {
    let directory = rustix::fs::open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut buffer = vec![MaybeUninit::uninit(); NAMES_BUFFER];
    let mut listing = RawDir::new(&directory, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes() > start_after.as_bytes() && name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    names.truncate(entries);
    let stat = |name: CString| {
        let found = rustix::fs::statx(&directory, &name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)?;
        Ok((name, found))
    };
    names.into_iter().map(stat).collect()
}

/// One hop to the pool and back.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}
