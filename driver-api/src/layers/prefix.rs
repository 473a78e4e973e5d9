//! Shows one directory of a driver as if it were all there is.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::empty;
use url::Url;

use crate::capabilities::Capabilities;
use crate::context::Context;
use crate::driver::{EntryPages, FileWriter, StorageDriver, UnfinishedPages};
use crate::entry::{Entry, EntryKey, FileInfo};
use crate::error::{Error, Result};
use crate::layers::Layer;
use crate::options::{
    CommitOptions, DeleteOptions, GetOptions, ListOptions, MoveOptions, PutOptions, ReadOptions, StatOptions,
    UrlOptions, WriteOptions,
};
use crate::path::StoragePath;
use crate::payload::Payload;
use crate::reader::Reader;

/// A layer that shows the directory `prefix` as `/`. Paths get shorter by its length, and the driver's `path_bytes` say so.
#[derive(Debug, Clone)]
pub struct Prefix(StoragePath);

impl Prefix {
    /// Shows `prefix` as `/`.
    pub const fn new(prefix: StoragePath) -> Self {
        Self(prefix)
    }

    fn to_inner(&self, path: &StoragePath) -> Result<StoragePath> {
        Ok(self.0.join(path)?)
    }

    fn to_outer(&self, path: &StoragePath) -> Option<StoragePath> {
        path.strip_directory(&self.0)
    }

    fn key_to_inner(&self, key: &EntryKey) -> Result<EntryKey> {
        if self.0.is_root() { Ok(key.clone()) } else { Ok(EntryKey::parse(&format!("{}{key}", self.0))?) }
    }

    fn file(&self, mut info: FileInfo) -> FileInfo {
        // Every path that comes back lies below the prefix, for that is where it was asked for.
        info.path = self.to_outer(&info.path).unwrap_or(info.path);
        info
    }

    fn entry(&self, entry: Entry) -> Entry {
        match entry {
            Entry::File(info) => Entry::File(self.file(info)),
            Entry::Directory(path) => Entry::Directory(self.to_outer(&path).unwrap_or(path)),
        }
    }

    fn error(&self, error: Error) -> Error {
        error.map_path(|path| self.to_outer(&path))
    }
}

impl Layer for Prefix {
    fn wrap(self, inner: Arc<dyn StorageDriver>) -> Arc<dyn StorageDriver> {
        Arc::new(Prefixed { inner, prefix: self })
    }
}

#[derive(Debug)]
struct Prefixed {
    inner: Arc<dyn StorageDriver>,
    prefix: Prefix,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StorageDriver for Prefixed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        if !self.prefix.0.is_root() {
            let limits = &mut capabilities.limits;
            limits.path_bytes = limits.path_bytes.saturating_sub(self.prefix.0.as_str().len());
        }
        capabilities
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        let answer = self.inner.get(context, &self.prefix.to_inner(path)?, options).await;
        answer.map(|(info, bytes)| (self.prefix.file(info), bytes)).map_err(|error| self.prefix.error(error))
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        let answer = self.inner.put(context, &self.prefix.to_inner(path)?, payload, options).await;
        answer.map(|info| self.prefix.file(info)).map_err(|error| self.prefix.error(error))
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        let answer = self.inner.reader(context, &self.prefix.to_inner(path)?, options).await;
        let Reader { info, range, stream } = answer.map_err(|error| self.prefix.error(error))?;
        let prefix = self.prefix.clone();
        let stream = stream.map(move |piece| piece.map_err(|error| prefix.error(error)));
        Ok(Reader { info: self.prefix.file(info), range, stream: Box::pin(stream) })
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        let answer = self.inner.writer(context, &self.prefix.to_inner(path)?, options).await;
        let inner = answer.map_err(|error| self.prefix.error(error))?;
        Ok(Box::new(PrefixedWriter { inner, prefix: self.prefix.clone() }))
    }

    async fn unfinished(&self, context: &Context, below: &StoragePath) -> Result<UnfinishedPages> {
        let answer = self.inner.unfinished(context, &self.prefix.to_inner(below)?).await;
        let pages = answer.map_err(|error| self.prefix.error(error))?;
        let prefix = self.prefix.clone();
        Ok(Box::pin(pages.map(move |page| {
            let mut page = page.map_err(|error| prefix.error(error))?;
            for session in &mut page {
                if let Some(path) = prefix.to_outer(&session.path) {
                    session.path = path;
                }
            }
            Ok(page)
        })))
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        let answer = self.inner.abandon(context, &self.prefix.to_inner(path)?).await;
        answer.map_err(|error| self.prefix.error(error))
    }

    async fn stat(&self, context: &Context, path: &StoragePath, options: StatOptions) -> Result<Entry> {
        if path.is_root() {
            // It always exists here, whether or not anything lies in it below.
            return Ok(Entry::Directory(path.clone()));
        }
        let answer = self.inner.stat(context, &self.prefix.to_inner(path)?, options).await;
        answer.map(|entry| self.prefix.entry(entry)).map_err(|error| self.prefix.error(error))
    }

    async fn list(&self, context: &Context, path: &StoragePath, mut options: ListOptions) -> Result<EntryPages> {
        options.start_after = options.start_after.map(|key| self.prefix.key_to_inner(&key)).transpose()?;
        let pages = match self.inner.list(context, &self.prefix.to_inner(path)?, options).await {
            Err(error) if error.is_not_found() && path.is_root() => return Ok(Box::pin(empty())),
            answer => answer.map_err(|error| self.prefix.error(error))?,
        };
        let prefix = self.prefix.clone();
        Ok(Box::pin(pages.map(move |page| {
            let page = page.map_err(|error| prefix.error(error))?;
            Ok(page.into_iter().map(|entry| prefix.entry(entry)).collect())
        })))
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        options: MoveOptions,
    ) -> Result<()> {
        let (from, to) = (self.prefix.to_inner(from)?, self.prefix.to_inner(to)?);
        self.inner.move_to(context, &from, &to, options).await.map_err(|error| self.prefix.error(error))
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        let answer = self.inner.delete(context, &self.prefix.to_inner(path)?, options).await;
        answer.map_err(|error| self.prefix.error(error))
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let paths = paths.iter().map(|path| self.prefix.to_inner(path)).collect::<Result<Vec<_>>>()?;
        let answer = self.inner.delete_files(context, &paths).await.map_err(|error| self.prefix.error(error))?;
        Ok(answer.into_iter().map(|error| self.prefix.error(error)).collect())
    }

    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        let answer = self.inner.url_for(context, &self.prefix.to_inner(path)?, options).await;
        answer.map_err(|error| self.prefix.error(error))
    }
}

#[derive(Debug)]
struct PrefixedWriter {
    inner: Box<dyn FileWriter>,
    prefix: Prefix,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl FileWriter for PrefixedWriter {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        self.inner.write(context, chunk).await.map_err(|error| self.prefix.error(error))
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        self.inner.close(context).await.map_err(|error| self.prefix.error(error))
    }

    async fn commit(&mut self, context: &Context, mut options: CommitOptions) -> Result<FileInfo> {
        options.to = options.to.map(|to| self.prefix.to_inner(&to)).transpose()?;
        let answer = self.inner.commit(context, options).await;
        answer.map(|info| self.prefix.file(info)).map_err(|error| self.prefix.error(error))
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        self.inner.cancel(context).await.map_err(|error| self.prefix.error(error))
    }
}
