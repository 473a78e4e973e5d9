//! A driver whose calls are not atomic: the delete of a tree goes file by file, a batch one by one, and a move is a copy and a
//! delete. Around a layer of faults each of these steps is a call that can fail.

use std::sync::Arc;

use bytes::Bytes;
use driver_api::layers::Layer;
use driver_api::{
    Capabilities, Context, DeleteOptions, DeleteScope, EntryPages, Error, FileInfo, FileWriter, GetOptions,
    ListOptions, MoveLevel, MoveOptions, Payload, PutOptions, ReadOptions, Reader, Result, StatOptions, StorageDriver,
    StoragePath, UnfinishedPages, Url, UrlOptions, WriteOptions, async_trait,
};
use futures_util::TryStreamExt;

/// In which order a tree goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Forward,
    Backward,
}

impl Layer for Order {
    fn wrap(self, inner: Arc<dyn StorageDriver>) -> Arc<dyn StorageDriver> {
        Arc::new(InSteps { inner, order: self })
    }
}

#[derive(Debug)]
struct InSteps {
    inner: Arc<dyn StorageDriver>,
    order: Order,
}

impl InSteps {
    async fn delete_tree(&self, context: &Context, path: &StoragePath) -> Result<()> {
        let sessions: Vec<_> = self.inner.unfinished(context, path).await?.try_concat().await?;
        for session in &sessions {
            self.inner.abandon(context, &session.path).await?;
        }
        let pages = match self.inner.list(context, path, ListOptions::recursive()).await {
            Ok(pages) => pages.try_concat().await?,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut files: Vec<_> = pages.iter().map(|entry| entry.path().clone()).collect();
        if let Order::Backward = self.order {
            files.reverse();
        }
        for file in &files {
            self.inner.delete(context, file, DeleteOptions::default()).await?;
        }
        if files.is_empty() && sessions.is_empty() { Err(Error::not_found(path)) } else { Ok(()) }
    }
}

#[async_trait]
impl StorageDriver for InSteps {
    fn name(&self) -> &str {
        "in steps"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.moves = MoveLevel::CopyThenDelete;
        // A commit elsewhere is a commit and a move.
        capabilities.commit_elsewhere = false;
        capabilities
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        self.inner.get(context, path, options).await
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        self.inner.put(context, path, payload, options).await
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        self.inner.reader(context, path, options).await
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        self.inner.writer(context, path, options).await
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        self.inner.unfinished(context, prefix).await
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        self.inner.abandon(context, path).await
    }

    async fn stat(&self, context: &Context, path: &StoragePath, options: StatOptions) -> Result<driver_api::Entry> {
        self.inner.stat(context, path, options).await
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        self.inner.list(context, path, options).await
    }

    async fn move_to(&self, context: &Context, from: &StoragePath, to: &StoragePath, _: MoveOptions) -> Result<()> {
        let (_, content) = self.inner.get(context, from, GetOptions::default()).await?;
        self.inner.put(context, to, content.into(), PutOptions::default()).await?;
        self.inner.delete(context, from, DeleteOptions::default()).await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        match options.scope {
            DeleteScope::Tree => self.delete_tree(context, path).await,
            _ => self.inner.delete(context, path, options).await,
        }
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let mut failures = Vec::new();
        for path in paths {
            match self.inner.delete(context, path, DeleteOptions::default()).await {
                Err(error) if !error.is_not_found() => failures.push(error),
                _ => {}
            }
        }
        Ok(failures)
    }

    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        self.inner.url_for(context, path, options).await
    }
}
