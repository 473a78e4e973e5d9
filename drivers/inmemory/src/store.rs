//! What the driver holds, and each change of it as one step under one lock. No lock outlives a method.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use driver_api::{
    Condition, Entry, EntryKey, Error, ErrorKind, FileInfo, Result, StoragePath, Unfinished, Version, WriteMode,
};
use parking_lot::RwLock;

use crate::budget::Budget;
use crate::content::{Content, Staged};
use crate::files::{File, Files, Scope, Stamp, check};
use crate::sessions::{SessionId, Sessions};

/// How many files a tree delete takes under one lock.
const DELETED_AT_ONCE: usize = 1000;

/// Files and kept sessions. What a change takes out is dropped after the lock: freeing a large file takes long.
#[derive(Debug)]
pub(crate) struct Store {
    state: RwLock<State>,
    budget: Arc<Budget>,
    versions: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    files: Files,
    sessions: Sessions,
}

/// A session as a writer begins with it.
pub(crate) enum Opened {
    Fresh(SessionId, Staged),
    Resumed(SessionId, Staged),
}

/// What one step of a tree delete found.
pub(crate) enum Deleted {
    Nothing,
    All,
    PerhapsNotAll,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Store {
    pub(crate) fn new(max_bytes: Option<u64>) -> Self {
        Self { state: RwLock::default(), budget: Arc::new(Budget::new(max_bytes)), versions: AtomicU64::new(0) }
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        self.budget.held()
    }

    pub(crate) fn files(&self) -> usize {
        self.state.read().files.len()
    }

    /// The file at a path.
    pub(crate) fn get(&self, path: &StoragePath, if_match: Option<&Version>) -> Result<(FileInfo, Content)> {
        let state = self.state.read();
        let file = state.files.get(path).ok_or_else(|| Error::not_found(path))?;
        file.check_version(if_match)?;
        Ok((file.info(path), file.content.clone()))
    }

    pub(crate) fn stat(&self, path: &StoragePath) -> Result<Entry> {
        let state = self.state.read();
        match state.files.get(path) {
            Some(file) => Ok(Entry::File(file.info(path))),
            None if state.files.is_directory(path) => Ok(Entry::Directory(path.clone())),
            None => Err(Error::not_found(path)),
        }
    }

    /// The first page of a listing; NotFound where the directory is not.
    pub(crate) fn list(
        &self,
        directory: &StoragePath,
        scope: &Scope,
        start_after: Option<&EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let state = self.state.read();
        let page = state.files.page(scope, start_after, limit)?;
        if page.is_empty() && !state.files.is_directory(directory) {
            return Err(Error::not_found(directory));
        }
        Ok(page)
    }

    /// A further page of a listing.
    pub(crate) fn list_after(&self, scope: &Scope, last: &EntryKey, limit: usize) -> Result<Vec<Entry>> {
        self.state.read().files.page(scope, Some(last), limit)
    }

    pub(crate) fn put(&self, path: &StoragePath, content: Content, condition: &Condition) -> Result<FileInfo> {
        let stamp = self.stamp();
        let info = stamp.info(path, content.size());
        let mut state = self.state.write();
        let replaced = state.files.replace(path, |present| {
            check(condition, present)?;
            self.budget.exchange(present.map_or(0, File::size), info.size)?;
            Ok(File { stamp, content })
        })?;
        drop(state);
        drop(replaced);
        Ok(info)
    }

    /// Publishes at `to` what a writer has staged for `path`, and ends its session. After an error the bytes are still staged.
    pub(crate) fn commit(
        &self,
        id: SessionId,
        path: &StoragePath,
        to: &StoragePath,
        bytes: &mut Staged,
        condition: &Condition,
    ) -> Result<FileInfo> {
        let stamp = self.stamp();
        let info = stamp.info(to, bytes.size());
        let mut state = self.state.write();
        let replaced = state.files.replace(to, |present| {
            check(condition, present)?;
            Ok(File { stamp, content: bytes.publish() })
        })?;
        let ended = state.sessions.end(id, path);
        drop(state);
        self.forget(replaced);
        drop(ended);
        Ok(info)
    }

    pub(crate) fn move_to(&self, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let mut state = self.state.write();
        let file = state.files.remove(from).ok_or_else(|| Error::not_found(from))?;
        let replaced = state.files.insert(to, file);
        drop(state);
        self.forget(replaced);
        Ok(())
    }

    pub(crate) fn delete(&self, path: &StoragePath, if_match: Option<&Version>) -> Result<()> {
        let mut state = self.state.write();
        state.files.get(path).ok_or_else(|| Error::not_found(path))?.check_version(if_match)?;
        let removed = state.files.remove(path);
        drop(state);
        self.forget(removed);
        Ok(())
    }

    pub(crate) fn delete_files(&self, paths: &[StoragePath]) {
        let mut state = self.state.write();
        let removed: Vec<_> = paths.iter().filter_map(|path| state.files.remove(path)).collect();
        drop(state);
        self.forget(removed);
    }

    /// Deletes the next files and sessions at and below a path.
    pub(crate) fn delete_some(&self, path: &StoragePath) -> Deleted {
        let mut state = self.state.write();
        let mut files = state.files.take_below(path, DELETED_AT_ONCE);
        files.extend(state.files.remove(path));
        let sessions = state.sessions.take_tree(path, DELETED_AT_ONCE);
        drop(state);
        let most = files.len().max(sessions.len());
        self.forget(files);
        match most {
            0 => Deleted::Nothing,
            DELETED_AT_ONCE.. => Deleted::PerhapsNotAll,
            _ => Deleted::All,
        }
    }

    /// Begins or resumes a session.
    pub(crate) fn open(&self, path: &StoragePath, mode: &WriteMode) -> Result<Opened> {
        let mut state = self.state.write();
        match mode {
            WriteMode::Truncate => {
                let id = state.sessions.begin();
                let given_up = state.sessions.end(id, path);
                drop(state);
                drop(given_up);
                Ok(Opened::Fresh(id, self.staged()))
            }
            WriteMode::Append { expected_size } => match state.sessions.resume(path, *expected_size)? {
                Some((id, bytes)) => Ok(Opened::Resumed(id, bytes)),
                None if state.files.get(path).is_some_and(|file| file.size() > 0) => Err(Error::new(
                    ErrorKind::Conflict,
                    "a file that is not empty is there, and no unfinished write to append to",
                )),
                None => Ok(Opened::Fresh(state.sessions.begin(), self.staged())),
            },
        }
    }

    pub(crate) fn keep(&self, id: SessionId, path: &StoragePath, bytes: Staged) {
        let replaced = self.state.write().sessions.keep(id, path, bytes);
        drop(replaced);
    }

    pub(crate) fn give_back(&self, id: SessionId, path: &StoragePath, bytes: Staged) {
        let homeless = self.state.write().sessions.give_back(id, path, bytes);
        drop(homeless);
    }

    pub(crate) fn end(&self, id: SessionId, path: &StoragePath) {
        let ended = self.state.write().sessions.end(id, path);
        drop(ended);
    }

    pub(crate) fn abandon(&self, path: &StoragePath) -> Result<()> {
        let ended = self.state.write().sessions.abandon(path)?;
        drop(ended);
        Ok(())
    }

    pub(crate) fn unfinished(&self, prefix: &StoragePath, last: Option<&StoragePath>, limit: usize) -> Vec<Unfinished> {
        self.state.read().sessions.page(prefix, last, limit)
    }

    fn staged(&self) -> Staged {
        Staged::new(self.budget.clone())
    }

    /// A version of its own. Made before the lock is taken, so that the lock is held for less long.
    fn stamp(&self) -> Stamp {
        let number = self.versions.fetch_add(1, Ordering::Relaxed);
        Stamp { version: Version::new(itoa::Buffer::new().format(number)), modified: SystemTime::now() }
    }

    /// Drops files that are no longer published, and gives back their bytes.
    fn forget(&self, files: impl IntoIterator<Item = File>) {
        files.into_iter().for_each(|file| self.budget.free(file.size()));
    }
}
