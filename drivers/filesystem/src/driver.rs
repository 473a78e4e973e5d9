//! The driver itself: each call of [`StorageDriver`] as one visit to the blocking pool.

use std::path::Path;
use std::sync::Arc;

use driver_api::{
    Capabilities, Conditions, Consistency, Context, DeleteOptions, DeleteScope, Durability, Entry, EntryPages, Error,
    ErrorKind, FileInfo, FileWriter, GetOptions, ListOptions, ListingLevel, MoveLevel, MoveOptions, Namespace, Payload,
    PutOptions, ReadOptions, Reader, Result, Sessions, StatOptions, StorageDriver, StoragePath, UnfinishedPages, Url,
    UrlOptions, WriteOptions, async_trait,
};
use futures_util::stream;

use crate::errors::{Attempt, present};
use crate::kept::UnfinishedWalk;
use crate::list::{LARGEST_PAGE, Listing};
use crate::options::{FilesystemDurability, FilesystemOptions};
use crate::pool::BlockingPool;
use crate::posix::Posix;
use crate::store::Store;
use crate::sweep::Swept;
use crate::system_calls::{Kind, SystemCalls};
use crate::writer::Writer;

/// A storage driver that keeps files in a directory.
///
/// A file at `/a/b` is the file `a/b` below the root directory, so that other programs can read the store. They may also
/// write to it, by renames into place; symbolic links, and names that no path can have, are passed over.
///
/// ```
/// # use driver_api::{Context, StorageDriver, StoragePath, PutOptions, GetOptions};
/// # use driver_filesystem::{FilesystemDriver, FilesystemOptions};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), driver_api::Error> {
/// # let directory = tempfile::tempdir().unwrap();
/// let driver = FilesystemDriver::new(FilesystemOptions::new(directory.path()))?;
/// let (context, path) = (Context::background(), StoragePath::parse("/greetings/hello")?);
/// driver.put(&context, &path, "hello".into(), PutOptions::default()).await?;
/// let (info, content) = driver.get(&context, &path, GetOptions::default()).await?;
/// assert_eq!((info.size, content.as_ref()), (5, b"hello".as_ref()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FilesystemDriver<S: SystemCalls = Posix> {
    store: Arc<Store<S>>,
}

impl FilesystemDriver {
    /// A driver for the store that `options` describes. The disk is not looked at before the first call.
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) where the root is the empty path.
    pub fn new(options: FilesystemOptions) -> Result<Self> {
        Self::with_system_calls(options, Posix::default())
    }
}

impl<S: SystemCalls> FilesystemDriver<S> {
    /// The same as [`new`](FilesystemDriver::new) on other system calls, for tests.
    pub fn with_system_calls(options: FilesystemOptions, system_calls: S) -> Result<Self> {
        let root = std::path::absolute(&options.root).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "the root directory is no path; give the path of a directory")
                .with_source(error)
        })?;
        let pool = BlockingPool::new(options.max_threads.max(FilesystemOptions::MIN_THREADS));
        let durable = options.durability == FilesystemDurability::Full;
        Ok(Self { store: Arc::new(Store::new(system_calls, root, durable, pool)) })
    }

    /// Removes what crashed processes left and nobody will come back to: staging files of drivers that are gone, and
    /// directories that hold no file. Kept sessions stay; abandon those that are too old. Other drivers may work on the
    /// same root meanwhile.
    pub async fn sweep(&self) -> Result<Swept> {
        self.run(|store| store.sweep()).await
    }

    /// What [`sweep`](Self::sweep) would remove now; nothing is changed. Of drivers that are gone those count that left
    /// something staged.
    pub async fn residue(&self) -> Result<Swept> {
        self.run(|store| store.residue()).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Store<S>>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        self.store.pool.run(move || work(&store)).await
    }
}

#[async_trait]
impl<S: SystemCalls> StorageDriver for FilesystemDriver<S> {
    fn name(&self) -> &str {
        "filesystem"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::minimal();
        capabilities.namespace = Namespace::Tree;
        capabilities.moves = MoveLevel::Atomic;
        capabilities.consistency = Consistency::Linearizable;
        capabilities.durability = if self.store.durable { Durability::Power } else { Durability::Process };
        capabilities.listing = ListingLevel::Scan;
        capabilities.sessions = Sessions::Fenced;
        capabilities.shared = true;
        capabilities.put = Conditions { if_absent: true, if_match: false };
        capabilities.commit = Conditions { if_absent: true, if_match: false };
        capabilities.read_if_match = true;
        capabilities.commit_elsewhere = true;
        capabilities.limits.page = LARGEST_PAGE;
        capabilities
    }

    async fn get(
        &self,
        _context: &Context,
        path: &StoragePath,
        options: GetOptions,
    ) -> Result<(FileInfo, bytes::Bytes)> {
        let path = path.clone();
        self.run(move |store| store.get(&path, &options)).await
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        let (context, path) = (context.clone(), path.clone());
        self.run(move |store| store.put(&context, &path, &payload, &options.condition)).await
    }

    async fn reader(&self, _context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        let path = path.clone();
        self.run(move |store| store.reader(&path, &options)).await
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(Writer::open(&self.store, context.clone(), path.clone(), options.mode).await?))
    }

    async fn unfinished(&self, _context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        let prefix = prefix.clone();
        let walk = self.run(move |store| Ok(store.root()?.map(|root| UnfinishedWalk::new(root, &prefix)))).await?;
        let pages = stream::try_unfold((Arc::clone(&self.store), walk), |(store, walk)| async move {
            let Some(mut walk) = walk else { return Ok(None) };
            let shared = Arc::clone(&store);
            let (page, walk) =
                store.pool.run(move || walk.next_page(&shared, LARGEST_PAGE).map(|page| (page, walk))).await?;
            Ok(page.map(|page| (page, (store, Some(walk)))))
        });
        Ok(Box::pin(pages))
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        let (context, path) = (context.clone(), path.clone());
        self.run(move |store| {
            let root = store.root_with(&path)?;
            context.check()?;
            if store.abandon(&root, &path)? { Ok(()) } else { Err(Error::not_found(&path)) }
        })
        .await
    }

    async fn stat(&self, _context: &Context, path: &StoragePath, _options: StatOptions) -> Result<Entry> {
        let path = path.clone();
        if path.is_root() {
            return Ok(Entry::Directory(path));
        }
        self.run(move |store| store.stat(&path)).await
    }

    async fn list(&self, _context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        let path = path.clone();
        let (first, listing) = self
            .run(move |store| {
                let mut listing = Listing::begin(store, &path, options)?;
                Ok((listing.next_page(store)?, listing))
            })
            .await?;
        let begun = (Arc::clone(&self.store), listing, first);
        let pages = stream::try_unfold(begun, |(store, mut listing, first)| async move {
            if let Some(page) = first {
                return Ok(Some((page, (store, listing, None))));
            }
            let shared = Arc::clone(&store);
            let (page, listing) =
                store.pool.run(move || listing.next_page(&shared).map(|page| (page, listing))).await?;
            Ok(page.map(|page| (page, (store, listing, None))))
        });
        Ok(Box::pin(pages))
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        _options: MoveOptions,
    ) -> Result<()> {
        let (context, from, to) = (context.clone(), from.clone(), to.clone());
        self.run(move |store| store.move_file(&context, &from, &to)).await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        let (context, path) = (context.clone(), path.clone());
        self.run(move |store| match options.scope {
            DeleteScope::File => store.delete_file(&context, &path),
            DeleteScope::Tree => store.delete_tree(&context, &path),
        })
        .await
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let (context, paths) = (context.clone(), paths.to_vec());
        self.run(move |store| store.delete_files(&context, &paths)).await
    }

    async fn url_for(&self, _context: &Context, _path: &StoragePath, _options: UrlOptions) -> Result<Option<Url>> {
        Ok(None)
    }
}

impl<S: SystemCalls> Store<S> {
    /// What stands at `path`. A directory with nothing of the store in it is as good as none.
    fn stat(&self, path: &StoragePath) -> Result<Entry> {
        let root = self.root_with(path)?;
        let relative = path.relative();
        let found = present(self.system.status_at(&root, Path::new(relative))).trying_to("look at the path")?;
        match found.map(|status| (status.kind, status)) {
            Some((Kind::File, status)) => return Ok(Entry::File(Self::file_info(path, &status))),
            Some((Kind::Directory, _)) => {
                let directory = present(self.open_directory(&root, relative)).trying_to("open the directory")?;
                if let Some(directory) = directory
                    && self.has_entries(&directory).trying_to("look into the directory")?
                {
                    return Ok(Entry::Directory(path.clone()));
                }
            }
            _ => {}
        }
        Err(Error::not_found(path))
    }
}
