//! The driver: the calls of the contract, each made of the requests that the modules beside this one know.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use driver_api::{
    Capabilities, Conditions, Consistency, Context, DeleteOptions, DeleteScope, Durability, Entry, EntryPages, Error,
    FileInfo, FileWriter, GetOptions, ListOptions, ListingLevel, MoveLevel, MoveOptions, Namespace, Payload,
    PutOptions, ReadOptions, Reader, Result, Sessions, StatOptions, StorageDriver, StoragePath, UnfinishedPages, Url,
    UrlOptions, WriteOptions, async_trait,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::bucket::{Bucket, PAGE};
use crate::options::S3Options;
use crate::owners::Owners;
use crate::part_plan::PartPlan;
use crate::publish::Nonce;
use crate::sweep::OrphanedUpload;
use crate::urls;
use crate::writer::S3Writer;

/// Files in a bucket of Amazon S3, or of a service that speaks its protocol.
///
/// What each call costs, in requests to the service (asserted by the tests that count them):
///
/// | call | requests |
/// | --- | --- |
/// | put, get, reader, a ranged read | 1 |
/// | get or reader of an empty range, or behind the end | 1 or 2 |
/// | stat of a file; of a directory or of nothing | 1; 2, and 1 more where siblings such as `a-b` or `a.b` come before what is below `a` |
/// | list of n entries | n / 1000 rounded up, at least 1; 1 more to tell that nothing is behind a key |
/// | move of a small file; of a large one in p parts | 3; p + 5 |
/// | delete of a file; of nothing | 2 |
/// | delete of a tree of n files | 4, and 2 for each 1000 files; up to 3 more for each session |
/// | delete of n files in batches | n / 1000 rounded up |
/// | writer and commit, to one part | 2: one looks for a session to supersede, at the same time |
/// | writer and commit, of p parts | p + 4 |
/// | close; of a writer that begins with nothing | 1; 2 |
/// | writer to append to a session; to nothing | 1; 2 |
/// | commit of a resumed session | the same, with a delete in the place of the look; one less where it had parts, and its parts cost nothing |
/// | cancel | 1, a delete more where a session was kept, an abort more where parts were sent |
/// | cancel of a writer to append to a session; to nothing | a delete, and an abort where there are parts; none, or an abort |
/// | abandon; of nothing | 2, and 1 to abort an upload; 2 |
/// | unfinished of n sessions | n + 2; of all there are, n + 1 |
/// | a URL | none |
#[derive(Clone)]
pub struct S3Driver {
    bucket: Arc<Bucket>,
    owners: Arc<Owners>,
    plan: PartPlan,
}

impl S3Driver {
    /// A driver with these settings. Nothing is connected yet: [`check_connection`](Self::check_connection) tells whether it
    /// could be.
    ///
    /// Errors: [`InvalidArgument`](driver_api::ErrorKind::InvalidArgument) for settings that can't work.
    pub fn new(options: S3Options) -> Result<Self> {
        let plan = PartPlan::new(options.part_size, options.object_bytes);
        Ok(Self { bucket: Arc::new(Bucket::new(options)?), owners: Arc::default(), plan })
    }

    /// Lists one key of the bucket, and says of what fails what to change: the endpoint, the region, the bucket, the key, its
    /// rights, or the clock.
    pub async fn check_connection(&self) -> Result<()> {
        self.bucket.check().await.map_err(|error| error.in_call(self.name(), driver_api::Operation::List, None))
    }

    /// The multipart uploads below the root prefix that were begun more than `age` ago and belong to no kept session: what
    /// crashed processes have left. `age` is to be longer than any write takes.
    pub async fn orphaned_uploads(&self, age: Duration) -> Result<Vec<OrphanedUpload>> {
        self.bucket.orphaned_uploads(age).await
    }

    /// Aborts an orphaned upload, whose parts are deleted with it; leaves one that a session has come to keep since.
    pub async fn abort_orphaned_upload(&self, upload: &OrphanedUpload) -> Result<()> {
        self.bucket.abort_orphan(upload).await
    }
}

impl fmt::Debug for S3Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Driver").field("options", &self.bucket.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl StorageDriver for S3Driver {
    fn name(&self) -> &str {
        "s3"
    }

    fn capabilities(&self) -> Capabilities {
        let options = &self.bucket.options;
        let conditions = if options.conditional_writes { Conditions::ALL } else { Conditions::NONE };
        let mut capabilities = Capabilities::minimal();
        capabilities.namespace = Namespace::Flat;
        capabilities.moves = MoveLevel::CopyThenDelete;
        capabilities.consistency = Consistency::ReadAfterWrite;
        capabilities.durability = Durability::Power;
        capabilities.listing = ListingLevel::Seek;
        capabilities.sessions = Sessions::Shared;
        capabilities.shared = true;
        capabilities.put = conditions;
        capabilities.commit = conditions;
        capabilities.delete_if_match = options.conditional_writes;
        // The driver looks at the version itself, whatever the service makes of the condition.
        capabilities.read_if_match = true;
        capabilities.exact_directories = true;
        capabilities.signed_urls = true;
        capabilities.limits.object_bytes = Some(options.object_bytes);
        capabilities.limits.page = PAGE;
        capabilities.limits.delete_batch = PAGE;
        capabilities.limits.url_lifetime = Some(urls::LONGEST);
        capabilities
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        context.check()?;
        self.bucket.read_whole(path, options).await
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        context.check()?;
        self.bucket.publish(path, payload.chunks(), &options.condition, &Nonce::random(), false).await
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        context.check()?;
        self.bucket.read_stream(path, options).await
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        context.check()?;
        let writer = S3Writer::open(self.bucket.clone(), &self.owners, self.plan, path, &options.mode).await?;
        Ok(Box::new(writer))
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        context.check()?;
        let mut pages = self.bucket.clone().unfinished_sessions(prefix).fuse();
        // The call begins with it, so that what is wrong from the start is told by the call and repeated by the layer above.
        let Some(first) = pages.try_next().await? else { return Ok(Box::pin(stream::empty())) };
        Ok(Box::pin(stream::iter([Ok(first)]).chain(pages)))
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        context.check()?;
        // Held to the end: what a writer resumed in between would be gone under it.
        let _owned = self.owners.claim(path)?;
        self.bucket.abandon_session(path).await
    }

    async fn stat(&self, context: &Context, path: &StoragePath, _: StatOptions) -> Result<Entry> {
        context.check()?;
        self.bucket.look(path).await
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        context.check()?;
        self.bucket.clone().list_entries(path, options).await
    }

    async fn move_to(&self, context: &Context, from: &StoragePath, to: &StoragePath, _: MoveOptions) -> Result<()> {
        context.check()?;
        self.bucket.move_file(from, to).await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        context.check()?;
        match options.scope {
            DeleteScope::File => self.bucket.delete_file(path, options.if_match.as_ref()).await,
            DeleteScope::Tree => self.bucket.delete_tree(path, &self.owners).await,
        }
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        context.check()?;
        self.bucket.delete_paths(paths).await
    }

    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        context.check()?;
        self.bucket.sign(path, &options).await.map(Some)
    }
}
