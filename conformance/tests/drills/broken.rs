//! A right driver that is broken in one way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use driver_api::{
    Capabilities, Condition, Context, DeleteOptions, Entry, EntryPages, Error, FileInfo, FileWriter, GetOptions,
    ListOptions, MoveOptions, Payload, PutOptions, ReadOptions, Reader, Result, StatOptions, StorageDriver,
    StoragePath, UnfinishedPages, Url, UrlOptions, WriteOptions, async_trait,
};
use tokio::task::JoinSet;

/// For how long what was acknowledged is not there.
const LATE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// A put is acknowledged first and made a little later; this driver value waits for it, a killed process does not.
    AcknowledgesEarly,
    /// A get is answered with what this driver value read there before.
    ServesStale,
}

#[derive(Debug)]
pub(crate) struct Broken {
    inner: Arc<dyn StorageDriver>,
    mistake: Mistake,
    /// Puts that were acknowledged; several where callers put side by side.
    late: tokio::sync::Mutex<JoinSet<()>>,
    remembered: Mutex<HashMap<StoragePath, (FileInfo, Bytes)>>,
}

impl Broken {
    pub(crate) fn new(inner: impl StorageDriver, mistake: Mistake) -> Self {
        Self { inner: Arc::new(inner), mistake, late: Default::default(), remembered: Default::default() }
    }

    /// The driver, once nothing that was acknowledged is missing.
    async fn caught_up(&self) -> &dyn StorageDriver {
        let mut late = self.late.lock().await;
        while let Some(put) = late.join_next().await {
            put.unwrap();
        }
        &*self.inner
    }
}

#[async_trait]
impl StorageDriver for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        let inner = self.caught_up().await;
        if self.mistake != Mistake::ServesStale {
            return inner.get(context, path, options).await;
        }
        if let Some(known) = self.remembered.lock().unwrap().get(path) {
            return Ok(known.clone());
        }
        let read = inner.get(context, path, options).await?;
        self.remembered.lock().unwrap().insert(path.clone(), read.clone());
        Ok(read)
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        let inner = self.caught_up().await;
        if self.mistake != Mistake::AcknowledgesEarly || options.condition != Condition::None {
            return inner.put(context, path, payload, options).await;
        }
        let told = FileInfo::new(path.clone(), payload.len(), SystemTime::now());
        let (inner, context, path) = (self.inner.clone(), context.clone(), path.clone());
        self.late.lock().await.spawn(async move {
            tokio::time::sleep(LATE).await;
            inner.put(&context, &path, payload, options).await.unwrap();
        });
        Ok(told)
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        self.caught_up().await.reader(context, path, options).await
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        self.caught_up().await.writer(context, path, options).await
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        self.caught_up().await.unfinished(context, prefix).await
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        self.caught_up().await.abandon(context, path).await
    }

    async fn stat(&self, context: &Context, path: &StoragePath, options: StatOptions) -> Result<Entry> {
        self.caught_up().await.stat(context, path, options).await
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        self.caught_up().await.list(context, path, options).await
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        options: MoveOptions,
    ) -> Result<()> {
        self.caught_up().await.move_to(context, from, to, options).await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        self.caught_up().await.delete(context, path, options).await
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        self.caught_up().await.delete_files(context, paths).await
    }

    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        self.caught_up().await.url_for(context, path, options).await
    }
}
