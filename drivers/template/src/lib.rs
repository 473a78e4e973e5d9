//! A complete driver to begin a new one with: copy this crate, and replace what stands behind `State` by your backend.
//!
//! It keeps everything in two maps under one mutex. That is slow with many files, and short: what is here is what the contract
//! asks of any driver. `Storage` has done the rest before a driver is called: paths are valid, `/` comes only where a
//! directory is meant, no option comes that the driver does not declare, and whoever calls is answered on time.
//!
//! `tests/conformance.rs` runs the whole suite. Keep it green from the first method on: `cargo test -p your-driver read::`
//! runs one group of checks, and a failure names the clause of CONTRACT.md that is broken.

mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use driver_api::{
    Bytes, Capabilities, Consistency, Context, DeleteOptions, DeleteScope, Entry, EntryPages, Error, FileInfo,
    FileWriter, GetOptions, ListOptions, MoveLevel, MoveOptions, Namespace, Payload, PutOptions, ReadOptions, Reader,
    Result, StatOptions, StorageDriver, StoragePath, Unfinished, UnfinishedPages, Url, UrlOptions, WriteOptions,
    async_trait, too_large,
};
use futures_util::stream::{self, Stream};

use crate::writer::{Session, TemplateWriter};

/// Files in memory, behind one mutex. A clone is another handle on the same files.
#[derive(Clone, Default)]
pub struct TemplateDriver {
    state: Arc<Mutex<State>>,
}

/// The backend. Published files and kept sessions are apart, so that no listing can ever meet what is not committed (WRITE-2).
#[derive(Default)]
struct State {
    files: BTreeMap<StoragePath, File>,
    /// A session is owned while a writer holds another reference to it (WRITE-13).
    kept: BTreeMap<StoragePath, Arc<Session>>,
}

/// A published file. Its bytes are never changed, only replaced, so that a reader is never torn (READ-3).
#[derive(Clone)]
struct File {
    info: FileInfo,
    bytes: Bytes,
}

impl TemplateDriver {
    /// The state, for as long as one call needs it; never across an `await`.
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn file(&self, path: &StoragePath) -> Result<File> {
        // Only the path is named here: `Storage` adds the driver and the operation to every error (ERR-1).
        self.state().files.get(path).cloned().ok_or_else(|| Error::not_found(path))
    }
}

/// By hand, for a derived one would print the bytes of files into somebody's log (ERR-4).
impl fmt::Debug for TemplateDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateDriver").finish_non_exhaustive()
    }
}

/// Every change below is one step, so the state is sound even where a thread panicked with the lock.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Replaces all at once: there is no moment with half of a file (PUT-1, WRITE-3).
    fn publish(&mut self, path: &StoragePath, bytes: Bytes) -> FileInfo {
        let info = FileInfo::new(path.clone(), bytes.len() as u64, SystemTime::now());
        self.files.insert(path.clone(), File { info: info.clone(), bytes });
        info
    }

    /// A directory is nothing but the files below it (PATH-6), and `/` always is one (PATH-5).
    fn is_directory(&self, path: &StoragePath) -> bool {
        path.is_root() || self.files.keys().any(|file| file.is_below(path))
    }
}

#[async_trait]
impl StorageDriver for TemplateDriver {
    fn name(&self) -> &str {
        "template"
    }

    // Begin with the minimum, and raise what your backend really keeps: the suite tests every claim, and without the claim
    // the call is refused before it reaches you. Here: no conditional writes, so `PutOptions` and `CommitOptions` are empty.
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::minimal();
        capabilities.namespace = Namespace::Flat;
        capabilities.moves = MoveLevel::Atomic;
        capabilities.consistency = Consistency::Linearizable;
        capabilities.exact_directories = true;
        capabilities
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        context.check()?;
        let File { info, bytes } = self.file(path)?;
        // `resolve` knows what a range behind or across the end means (READ-1).
        let range = options.range.resolve(info.size)?;
        let length = range.end - range.start;
        match options.max_bytes {
            Some(limit) if length > limit => Err(too_large(length, limit)),
            _ => Ok((info, bytes.slice(range.start as usize..range.end as usize))),
        }
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        _options: PutOptions,
    ) -> Result<FileInfo> {
        let bytes = payload.into_bytes();
        // The last look at the context before the change: after it, the change happens (CTX-5).
        context.check()?;
        Ok(self.state().publish(path, bytes))
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        context.check()?;
        let File { info, bytes } = self.file(path)?;
        let range = options.range.resolve(info.size)?;
        // A driver of a real backend yields piece after piece here, and ends with an error where the file has changed.
        let piece = bytes.slice(range.start as usize..range.end as usize);
        Ok(Reader::new(info, range, Box::pin(stream::iter([Ok(piece)]))))
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        context.check()?;
        Ok(Box::new(TemplateWriter::open(self.state.clone(), path, &options.mode)?))
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        context.check()?;
        let state = self.state();
        let within = state.kept.iter().filter(|(path, _)| is_within(path, prefix));
        let found = within.map(|(path, kept)| Unfinished::new(path.clone(), kept.bytes.len() as u64, kept.modified));
        Ok(Box::pin(pages(found.collect(), None)))
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        context.check()?;
        let mut state = self.state();
        let kept = state.kept.get(path).ok_or_else(|| Error::not_found(path))?;
        kept.refuse_if_owned()?;
        state.kept.remove(path);
        Ok(())
    }

    async fn stat(&self, context: &Context, path: &StoragePath, _options: StatOptions) -> Result<Entry> {
        context.check()?;
        let state = self.state();
        match state.files.get(path) {
            Some(file) => Ok(Entry::File(file.info.clone())),
            None if state.is_directory(path) => Ok(Entry::Directory(path.clone())),
            None => Err(Error::not_found(path)),
        }
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        context.check()?;
        let state = self.state();
        if !state.is_directory(path) {
            return Err(Error::not_found(path));
        }
        // Keyed by `EntryKey` the entries are in the order of LIST-2, and a directory with many files is there once.
        let mut entries = BTreeMap::new();
        for file in state.files.values() {
            let Some(below) = file.info.path.strip_directory(path) else { continue };
            let mut names = below.components();
            let entry = match (names.next(), names.next()) {
                // The file at the path itself is no entry of the directory of that name.
                (None, _) => continue,
                (Some(name), Some(_)) if !options.recursive => Entry::Directory(path.child(name)?),
                _ => Entry::File(file.info.clone()),
            };
            entries.insert(entry.key(), entry);
        }
        if let Some(start) = &options.start_after {
            entries.retain(|key, _| key > start);
        }
        Ok(Box::pin(pages(entries.into_values().collect(), options.page_size)))
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        _options: MoveOptions,
    ) -> Result<()> {
        context.check()?;
        let mut state = self.state();
        let mut file = state.files.remove(from).ok_or_else(|| Error::not_found(from))?;
        file.info.path = to.clone();
        state.files.insert(to.clone(), file);
        Ok(())
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        context.check()?;
        let mut state = self.state();
        let before = state.files.len() + state.kept.len();
        match options.scope {
            DeleteScope::File => drop(state.files.remove(path)),
            // Whoever deletes a tree wants nothing of it to come back: kept sessions go too (DEL-6).
            DeleteScope::Tree => {
                state.files.retain(|file, _| !is_within(file, path));
                state.kept.retain(|session, _| !is_within(session, path));
            }
        }
        let deleted = state.files.len() + state.kept.len() < before;
        if deleted { Ok(()) } else { Err(Error::not_found(path)) }
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        context.check()?;
        let mut state = self.state();
        paths.iter().for_each(|path| drop(state.files.remove(path)));
        Ok(Vec::new())
    }

    async fn url_for(&self, _context: &Context, _path: &StoragePath, _options: UrlOptions) -> Result<Option<Url>> {
        Ok(None)
    }
}

/// Siblings that share a prefix are apart: `/ab` is not within `/a` (DEL-3, LIST-4). `is_below` compares components.
fn is_within(path: &StoragePath, tree: &StoragePath) -> bool {
    path == tree || path.is_below(tree)
}

/// Cuts what was found into pages: none is empty, none is larger than the caller and the declared limit allow (LIST-10).
fn pages<T: Clone>(found: Vec<T>, size: Option<NonZeroUsize>) -> impl Stream<Item = Result<Vec<T>>> {
    let limit = Capabilities::minimal().limits.page;
    let pages: Vec<_> = found.chunks(size.map_or(limit, NonZeroUsize::get).min(limit)).map(<[T]>::to_vec).collect();
    stream::iter(pages.into_iter().map(Ok))
}
