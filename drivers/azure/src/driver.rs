//! The driver: what it declares, and which part does what.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use driver_api::{
    Capabilities, Conditions, Consistency, Context, DeleteOptions, DeleteScope, Durability, Entry, EntryPages, Error,
    ErrorKind, FileInfo, FileWriter, GetOptions, Integrity, ListOptions, ListingLevel, MoveLevel, MoveOptions,
    Namespace, Payload, PutOptions, ReadOptions, Reader, Result, Sessions, StatOptions, StorageDriver, StoragePath,
    UnfinishedPages, Url, UrlOptions, WriteOptions, async_trait,
};
use futures_util::{StreamExt, stream};

use crate::client::Effect;
use crate::list::PAGE;
use crate::options::AzureOptions;
use crate::store::{Nonce, Store};
use crate::writer::AzureWriter;

/// How long the service keeps blocks that nobody commits.
const STAGING_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest lifetime of a URL that is given out.
const URL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most files in one batch; the crate deletes them one by one.
const DELETE_BATCH: usize = 1000;

/// Files in a container of Azure Blob Storage. A clone is another handle on the same container.
#[derive(Debug, Clone)]
pub struct AzureDriver {
    store: Arc<Store>,
}

impl AzureDriver {
    /// A driver with these settings. Nothing is opened or asked; [`check_connection`](Self::check_connection) does that.
    ///
    /// Errors: InvalidArgument for settings that cannot work.
    pub fn new(options: &AzureOptions) -> Result<Self> {
        Ok(Self { store: Arc::new(Store::new(options)?) })
    }

    /// Looks whether the service can be reached, takes the credentials, has the container, and is of a kind that the driver
    /// knows; two requests. The error says what to look at.
    ///
    /// Errors: Unavailable where nothing answers; PermissionDenied for refused credentials; Misconfigured for a missing
    /// container, for what is not the blob service, and for an account with a hierarchical namespace.
    pub async fn check_connection(&self, context: &Context) -> Result<()> {
        context.run(self.store.check_connection()).await
    }
}

#[async_trait]
impl StorageDriver for AzureDriver {
    fn name(&self) -> &str {
        "azure"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::minimal();
        capabilities.namespace = Namespace::Flat;
        capabilities.moves = MoveLevel::CopyThenDelete;
        capabilities.consistency = Consistency::Linearizable;
        capabilities.durability = Durability::Power;
        capabilities.listing = ListingLevel::Scan;
        capabilities.sessions = Sessions::Shared;
        capabilities.integrity = Integrity::Unchecked;
        capabilities.shared = true;
        capabilities.put = Conditions::ALL;
        capabilities.commit = Conditions::ALL;
        capabilities.delete_if_match = true;
        capabilities.read_if_match = true;
        capabilities.exact_directories = true;
        capabilities.limits.object_bytes = Some(self.store.object_bytes);
        capabilities.limits.page = PAGE.get() as usize;
        capabilities.limits.delete_batch = DELETE_BATCH;
        capabilities.limits.staging_lifetime = Some(STAGING_LIFETIME);
        capabilities.signed_urls = self.store.container.signs_urls();
        capabilities.limits.url_lifetime = capabilities.signed_urls.then_some(URL_LIFETIME);
        capabilities
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        context.check()?;
        self.store.get(path, options).await
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        context.check()?;
        if payload.len() <= self.store.single_put {
            return self.store.put(path, payload.into_bytes(), &Nonce::new(), &options.condition).await;
        }
        AzureWriter::put(self.store.clone(), path.clone(), payload.chunks(), context, options.condition).await
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        context.check()?;
        self.store.reader(path, options).await
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        context.check()?;
        Ok(Box::new(AzureWriter::open(self.store.clone(), path.clone(), options.mode).await?))
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        context.check()?;
        self.store.clone().unfinished(prefix).await
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        context.check()?;
        self.store.abandon(context, path).await
    }

    async fn stat(&self, context: &Context, path: &StoragePath, _options: StatOptions) -> Result<Entry> {
        context.check()?;
        self.store.stat(path).await
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        context.check()?;
        self.store.clone().list(path, options).await
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        _options: MoveOptions,
    ) -> Result<()> {
        context.check()?;
        self.store.move_file(context, from, to).await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        context.check()?;
        let store = &self.store;
        let found = match options.scope {
            DeleteScope::File => match store.container.delete(&store.names.file(path), options.if_match.as_ref()).await
            {
                Ok(()) => true,
                Err(failure) if failure.is_missing() => false,
                Err(failure) if failure.is_unmet_condition() => {
                    return Err(Error::new(ErrorKind::Conflict, "the file is not of the version that was given"));
                }
                Err(failure) => return Err(failure.into_error(Effect::Change)),
            },
            DeleteScope::Tree => store.delete_tree(path).await?,
        };
        if found { Ok(()) } else { Err(Error::not_found(path)) }
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        context.check()?;
        let store = &self.store;
        let failures = stream::iter(paths.iter().cloned())
            .map(|path| async move {
                store.delete_blob(&store.names.file(&path)).await.err().map(|error| error.with_path(&path))
            })
            .buffer_unordered(store.concurrency)
            .filter_map(std::future::ready);
        Ok(failures.collect().await)
    }

    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        context.check()?;
        if !self.store.container.signs_urls() {
            return Ok(None);
        }
        // The service counts in seconds, and a URL works at least as long as was asked for.
        let expiry = SystemTime::now().checked_add(options.lifetime.saturating_add(Duration::from_secs(1)));
        let expiry = expiry.ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the lifetime has no end"))?;
        self.store.container.signed_url(&self.store.names.file(path), expiry).await.map(Some)
    }
}
