//! A storage driver that keeps files in memory: for tests, for caches, and as the reference of what the contract allows.
//!
//! Files are immutable versions behind [`Bytes`]: a put stores the very bytes it is given, a reader yields them
//! without a copy, and neither an overwrite nor a delete can tear what somebody reads. Consequences to know:
//! - a file that is a small slice of a large buffer keeps the large buffer in memory;
//! - the bytes that a reader still reads stay in memory after the file was replaced or deleted, and no limit counts them;
//! - a file that was written in several pieces stays in pieces: `reader` yields them as they are, and each `get` of a range
//!   that spans several joins them.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> driver_api::Result<()> {
//! use driver_api::{Context, GetOptions, PutOptions, Storage, StoragePath};
//! use driver_inmemory::{MemoryDriver, MemoryOptions};
//!
//! let storage = Storage::new(MemoryDriver::new(MemoryOptions { max_bytes: Some(64 * 1024 * 1024) }));
//! let (context, path) = (Context::background(), StoragePath::parse("/greetings/world")?);
//! storage.put(&context, &path, "hello", PutOptions::default()).await?;
//! assert_eq!(storage.get(&context, &path, GetOptions::default()).await?.1, "hello");
//! # Ok(())
//! # }
//! ```

mod budget;
mod content;
mod files;
mod ordered;
mod sessions;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use driver_api::{
    Capabilities, Conditions, Consistency, Context, DeleteOptions, DeleteScope, Durability, Entry, EntryPages, Error,
    FileInfo, FileWriter, GetOptions, ListOptions, ListingLevel, MoveLevel, MoveOptions, Namespace, Payload,
    PutOptions, ReadOptions, Reader, Result, Sessions, StatOptions, StorageDriver, StoragePath, Unfinished,
    UnfinishedPages, Url, UrlOptions, WriteOptions, async_trait, too_large,
};
use futures_util::stream;

use crate::content::Content;
use crate::files::Scope;
use crate::store::{Deleted, Store};
use crate::writer::MemoryWriter;

/// The most entries in a page: one lock is held for as long as a page takes.
const PAGE: usize = 1000;

/// Settings of a [`MemoryDriver`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryOptions {
    /// How many bytes of content the driver holds at most, uncommitted writes included; names are not counted. A write past
    /// it fails with [`NoSpace`](driver_api::ErrorKind::NoSpace). No limit where none is given.
    pub max_bytes: Option<u64>,
}

/// Files in memory. A clone is another handle on the same files; they are gone with the last one.
#[derive(Clone, Default)]
pub struct MemoryDriver {
    store: Arc<Store>,
}

impl MemoryDriver {
    /// A driver without files.
    pub fn new(options: MemoryOptions) -> Self {
        Self { store: Arc::new(Store::new(options.max_bytes)) }
    }

    /// How many bytes of content are held, uncommitted writes included.
    pub fn held_bytes(&self) -> u64 {
        self.store.held_bytes()
    }
}

impl fmt::Debug for MemoryDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDriver")
            .field("files", &self.store.files())
            .field("held_bytes", &self.held_bytes())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl StorageDriver for MemoryDriver {
    fn name(&self) -> &str {
        "inmemory"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::minimal();
        capabilities.namespace = Namespace::Flat;
        capabilities.moves = MoveLevel::Atomic;
        capabilities.consistency = Consistency::Linearizable;
        capabilities.durability = Durability::Memory;
        capabilities.listing = ListingLevel::Seek;
        capabilities.sessions = Sessions::Local;
        capabilities.put = Conditions::ALL;
        capabilities.commit = Conditions::ALL;
        capabilities.delete_if_match = true;
        capabilities.read_if_match = true;
        capabilities.commit_elsewhere = true;
        capabilities.exact_directories = true;
        capabilities.limits.page = PAGE;
        capabilities
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        context.check()?;
        let (info, content) = self.store.get(path, options.if_match.as_ref())?;
        let range = options.range.resolve(info.size)?;
        let length = range.end - range.start;
        match options.max_bytes {
            Some(max_bytes) if length > max_bytes => Err(too_large(length, max_bytes)),
            _ => Ok((info, content.bytes(range))),
        }
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        context.check()?;
        self.store.put(path, Content::from(payload), &options.condition)
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        context.check()?;
        let (info, content) = self.store.get(path, options.if_match.as_ref())?;
        let range = options.range.resolve(info.size)?;
        let slices = stream::iter(content.slices(range.clone()).map(Ok));
        Ok(Reader::new(info, range, Box::pin(slices)))
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        context.check()?;
        Ok(Box::new(MemoryWriter::open(self.store.clone(), path.clone(), &options.mode)?))
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        context.check()?;
        let (store, prefix) = (self.store.clone(), prefix.clone());
        let first = store.unfinished(&prefix, None, PAGE);
        let next = move |last: &Unfinished| Ok(store.unfinished(&prefix, Some(&last.path), PAGE));
        Ok(Box::pin(stream::iter(pages(first, PAGE, next))))
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        context.check()?;
        self.store.abandon(path)
    }

    async fn stat(&self, context: &Context, path: &StoragePath, _options: StatOptions) -> Result<Entry> {
        context.check()?;
        self.store.stat(path)
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        context.check()?;
        let (store, scope) = (self.store.clone(), Scope::new(path, options.recursive));
        let limit = options.page_size.map_or(PAGE, NonZeroUsize::get).min(PAGE);
        let first = store.list(path, &scope, options.start_after.as_ref(), limit)?;
        let next = move |last: &Entry| store.list_after(&scope, &last.key(), limit);
        Ok(Box::pin(stream::iter(pages(first, limit, next))))
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        _options: MoveOptions,
    ) -> Result<()> {
        context.check()?;
        self.store.move_to(from, to)
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        context.check()?;
        match options.scope {
            DeleteScope::File => self.store.delete(path, options.if_match.as_ref()),
            DeleteScope::Tree => self.delete_tree(path).await,
        }
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        context.check()?;
        self.store.delete_files(paths);
        Ok(Vec::new())
    }

    async fn url_for(&self, _context: &Context, _path: &StoragePath, _options: UrlOptions) -> Result<Option<Url>> {
        Ok(None)
    }
}

impl MemoryDriver {
    async fn delete_tree(&self, path: &StoragePath) -> Result<()> {
        let mut found = false;
        loop {
            match self.store.delete_some(path) {
                Deleted::Nothing if !found => return Err(Error::not_found(path)),
                Deleted::Nothing | Deleted::All => return Ok(()),
                Deleted::PerhapsNotAll => found = true,
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Page after page, each taken when it is asked for and continued by `next` behind the last item of the one before. A page
/// that is not full is the last one.
fn pages<T: Clone>(
    first: Vec<T>,
    limit: usize,
    mut next: impl FnMut(&T) -> Result<Vec<T>>,
) -> impl Iterator<Item = Result<Vec<T>>> {
    let (mut first, mut last) = (Some(first), None);
    std::iter::from_fn(move || {
        let page = match (first.take(), last.take()) {
            (Some(page), _) => page,
            (None, Some(last)) => match next(&last) {
                Ok(page) => page,
                Err(error) => return Some(Err(error)),
            },
            (None, None) => return None,
        };
        if page.len() >= limit {
            last = page.last().cloned();
        }
        (!page.is_empty()).then_some(Ok(page))
    })
}
