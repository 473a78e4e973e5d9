//! The driver: what this project asks of any backend, over the calls that another crate has.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use driver_api::{
    Bytes, Capabilities, Context, DeleteOptions, DeleteScope, Entry, EntryPages, Error, ErrorKind, FileInfo,
    FileWriter, GetOptions, ListOptions, MoveOptions, Payload, PutOptions, ReadOptions, Reader, Result, StatOptions,
    StorageDriver, StoragePath, UnfinishedPages, Url, UrlOptions, WriteMode, WriteOptions, async_trait, too_large,
};
use futures_util::stream::{self, Stream};

use super::sessions::Sessions;
use super::upload::{Foreign, Upload};
use super::writer::UploadWriter;

/// A driver over the storage of another crate. A clone is another handle on the same driver value.
pub struct Bridge<F: Foreign> {
    foreign: Arc<F>,
    sessions: Arc<Sessions<F::Upload>>,
}

impl<F: Foreign> Bridge<F> {
    /// A driver over `foreign`.
    pub fn new(foreign: F) -> Self {
        Self { foreign: Arc::new(foreign), sessions: Arc::default() }
    }

    /// Whether something stands at `path`.
    async fn stands(&self, path: &StoragePath) -> Result<Option<Entry>> {
        match self.foreign.stat(path).await {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file at `path`. The crates say in different ways, or not at all, that what is to be moved or deleted is no file.
    async fn file(&self, path: &StoragePath) -> Result<FileInfo> {
        self.foreign.stat(path).await?.into_file()
    }

    async fn delete_tree(&self, path: &StoragePath) -> Result<()> {
        let stands = self.stands(path).await?.is_some();
        let sessions = self.sessions.discard_tree(path);
        if !stands && sessions.is_none() {
            return Err(Error::not_found(path));
        }
        for upload in sessions.into_iter().flatten() {
            upload.abort().await?;
        }
        if stands { self.foreign.delete_tree(path).await } else { Ok(()) }
    }
}

impl<F: Foreign> Clone for Bridge<F> {
    fn clone(&self) -> Self {
        Self { foreign: self.foreign.clone(), sessions: self.sessions.clone() }
    }
}

/// By hand, for the crates' own would print the bytes of files.
impl<F: Foreign> fmt::Debug for Bridge<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("crate", &self.foreign.name()).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F: Foreign> StorageDriver for Bridge<F> {
    fn name(&self) -> &str {
        self.foreign.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.foreign.capabilities()
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        context.check()?;
        let reader = self.foreign.read(path, options.range, options.if_match.as_ref()).await?;
        if let Some(limit) = options.max_bytes
            && reader.len() > limit
        {
            return Err(too_large(reader.len(), limit));
        }
        let mut info = reader.info.clone();
        let bytes = reader.read_to_end(u64::MAX).await?;
        if options.range.is_full() {
            // Where a crate tells the size by a call of its own, these bytes may be of another version.
            info.size = bytes.len() as u64;
        }
        Ok((info, bytes))
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        context.check()?;
        self.foreign.put(path, payload, &options.condition).await
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        context.check()?;
        self.foreign.read(path, options.range, options.if_match.as_ref()).await
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        context.check()?;
        let sessions = self.sessions.clone();
        match options.mode {
            WriteMode::Truncate => {
                if let Some(upload) = sessions.discard(path) {
                    upload.abort().await?;
                }
            }
            WriteMode::Append { expected_size } => {
                if let Some((upload, mark)) = sessions.resume(path, expected_size)? {
                    return Ok(Box::new(UploadWriter::resume(sessions, path, upload, mark)));
                }
                if let Some(Entry::File(file)) = self.stands(path).await?
                    && file.size > 0
                {
                    return Err(Error::new(ErrorKind::Conflict, "a file that is not empty is there"));
                }
            }
        }
        let upload = self.foreign.upload(path).await?;
        Ok(Box::new(UploadWriter::begin(sessions, path, upload)))
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        context.check()?;
        let limit = self.capabilities().limits.page;
        Ok(Box::pin(pages(self.sessions.list(prefix), None, limit)))
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        context.check()?;
        self.sessions.abandon(path)?.abort().await
    }

    async fn stat(&self, context: &Context, path: &StoragePath, _options: StatOptions) -> Result<Entry> {
        context.check()?;
        self.foreign.stat(path).await
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        context.check()?;
        let mut entries = self.foreign.entries(path, options.recursive).await?;
        if entries.is_empty() && !path.is_root() && !self.foreign.stat(path).await?.is_directory() {
            return Err(Error::not_found(path));
        }
        // The crates list in no order that they promise.
        entries.sort_by_cached_key(Entry::key);
        if let Some(start) = &options.start_after {
            entries.retain(|entry| entry.key() > *start);
        }
        let limit = self.capabilities().limits.page;
        Ok(Box::pin(pages(entries, options.page_size, limit)))
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        _options: MoveOptions,
    ) -> Result<()> {
        context.check()?;
        self.file(from).await?;
        context.check()?;
        self.foreign.rename(from, to).await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        context.check()?;
        match options.scope {
            DeleteScope::File => {
                self.file(path).await?;
                context.check()?;
                self.foreign.delete(path).await
            }
            DeleteScope::Tree => self.delete_tree(path).await,
        }
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let mut failures = Vec::new();
        for path in paths {
            context.check()?;
            let deleted = match self.file(path).await {
                Ok(_) => self.foreign.delete(path).await,
                Err(error) => Err(error),
            };
            failures.extend(deleted.err().filter(|error| !error.is_not_found()).map(|error| error.with_path(path)));
        }
        Ok(failures)
    }

    async fn url_for(&self, _context: &Context, _path: &StoragePath, _options: UrlOptions) -> Result<Option<Url>> {
        Ok(None)
    }
}

/// Cuts what was found into pages.
fn pages<T: Clone>(found: Vec<T>, size: Option<NonZeroUsize>, limit: usize) -> impl Stream<Item = Result<Vec<T>>> {
    let size = size.map_or(limit, |size| size.get().min(limit));
    let pages: Vec<_> = found.chunks(size).map(<[T]>::to_vec).collect();
    stream::iter(pages.into_iter().map(Ok))
}
