//! A write in progress.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Context, Error, ErrorKind, FileInfo, FileWriter, Result, StoragePath, WriteMode, async_trait,
};

use crate::content::Staged;
use crate::sessions::SessionId;
use crate::store::{Opened, Store};

pub(crate) struct MemoryWriter {
    store: Arc<Store>,
    path: StoragePath,
    session: SessionId,
    begun: Begun,
    /// What was accepted; none once the writer was closed, committed or cancelled.
    staged: Option<Staged>,
    size: u64,
}

/// What a writer began with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// With nothing, which a close is to keep.
    Empty,
    /// With nothing, because nothing was kept: a close without a write has nothing to keep (WRITE-12).
    Missing,
    /// With what was kept.
    Resumed,
}

impl MemoryWriter {
    pub(crate) fn open(store: Arc<Store>, path: StoragePath, mode: &WriteMode) -> Result<Self> {
        let (session, staged, begun) = match (store.open(&path, mode)?, mode) {
            (Opened::Fresh(id, staged), WriteMode::Truncate) => (id, staged, Begun::Empty),
            (Opened::Fresh(id, staged), WriteMode::Append { .. }) => (id, staged, Begun::Missing),
            (Opened::Resumed(id, staged), _) => (id, staged, Begun::Resumed),
        };
        Ok(Self { store, path, session, begun, size: staged.size(), staged: Some(staged) })
    }
}

#[async_trait]
impl FileWriter for MemoryWriter {
    fn size(&self) -> u64 {
        self.size
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        context.check()?;
        let staged = self.staged.as_mut().ok_or_else(ended)?;
        staged.append(chunk)?;
        self.size = staged.size();
        Ok(())
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        context.check()?;
        let staged = self.staged.take().ok_or_else(ended)?;
        if self.begun != Begun::Missing || self.size > 0 {
            self.store.keep(self.session, &self.path, staged);
        }
        Ok(self.size)
    }

    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        context.check()?;
        let staged = self.staged.as_mut().ok_or_else(ended)?;
        let to = options.to.as_ref().unwrap_or(&self.path);
        let info = self.store.commit(self.session, &self.path, to, staged, &options.condition)?;
        self.staged = None;
        Ok(info)
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        context.check()?;
        if self.staged.take().is_some() {
            self.store.end(self.session, &self.path);
        }
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        if let (Some(staged), Begun::Resumed) = (self.staged.take(), self.begun) {
            self.store.give_back(self.session, &self.path, staged);
        }
    }
}

impl fmt::Debug for MemoryWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryWriter").field("path", &self.path).field("size", &self.size).finish_non_exhaustive()
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Conflict, "the writer was closed, committed or cancelled before")
}
