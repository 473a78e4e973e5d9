//! What all operations share, and the requests that several of them make.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use driver_api::{Condition, Error, ErrorKind, FileInfo, Result, Retry, StoragePath};
use futures_util::{StreamExt, stream};

use crate::client::{BlobFacts, Container, Effect, Failure, Published};
use crate::names::Names;
use crate::options::AzureOptions;
use crate::owners::Owners;
use crate::plan::BlockPlan;

/// The metadata by which a write recognizes its own blob, after an answer that was lost.
const NONCE: &str = "write";

/// A container with the driver's way of using it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) container: Arc<Container>,
    pub(crate) names: Names,
    pub(crate) owners: Arc<Owners>,
    pub(crate) plan: BlockPlan,
    pub(crate) object_bytes: u64,
    pub(crate) single_put: u64,
    pub(crate) concurrency: usize,
    pub(crate) copy_timeout: Duration,
}

impl Store {
    pub(crate) fn new(options: &AzureOptions) -> Result<Self> {
        options.check()?;
        let plan = BlockPlan::new(options.block_size);
        Ok(Self {
            container: Arc::new(Container::new(options)?),
            names: Names::new(&options.root),
            owners: Arc::default(),
            plan,
            object_bytes: plan.reach(),
            single_put: options.single_put,
            concurrency: options.concurrency,
            copy_timeout: options.copy_timeout,
        })
    }

    /// Stores a file by one request.
    pub(crate) async fn put(
        &self,
        path: &StoragePath,
        body: Bytes,
        nonce: &Nonce,
        condition: &Condition,
    ) -> Result<FileInfo> {
        let (name, size) = (self.names.file(path), body.len() as u64);
        match self.container.put(&name, body, &nonce.metadata(), condition).await {
            Ok(published) => Ok(file(path, size, published)),
            Err(failure) => self.resolve(path, (nonce, size), condition, failure).await,
        }
    }

    /// Looks whether a write of which the answer is lost took effect: then the blob bears its nonce,
    /// and has its size.
    pub(crate) async fn resolve(
        &self,
        path: &StoragePath,
        own: (&Nonce, u64),
        condition: &Condition,
        failure: Failure,
    ) -> Result<FileInfo> {
        if failure.is_ambiguous()
            && let Some(info) = self.published(path, own).await
        {
            return Ok(info);
        }
        Err(unpublished(failure, condition))
    }

    /// The file at `path`, if the write of this nonce made it, with so many bytes: a writer can have come by more since.
    pub(crate) async fn published(&self, path: &StoragePath, (nonce, size): (&Nonce, u64)) -> Option<FileInfo> {
        let facts = self.container.head(&self.names.file(path)).await.ok()?;
        (nonce.made(&facts) && facts.size == size).then(|| info(path, &facts))
    }

    /// Deletes a blob; tells whether it was there.
    pub(crate) async fn delete_blob(&self, name: &str) -> Result<bool> {
        match self.container.delete(name, None).await {
            Ok(()) => Ok(true),
            Err(failure) if failure.is_missing() => Ok(false),
            Err(failure) => Err(failure.into_error(Effect::Change)),
        }
    }

    /// Deletes blobs side by side. All are tried, and the first error is told.
    pub(crate) async fn delete_blobs(&self, names: Vec<String>) -> Result<()> {
        let deleted = stream::iter(names)
            .map(|name| async move { self.delete_blob(&name).await })
            .buffer_unordered(self.concurrency)
            .collect::<Vec<_>>()
            .await;
        deleted.into_iter().try_for_each(|one| one.map(drop))
    }
}

/// What tells one write from all others.
#[derive(Debug, Clone)]
pub(crate) struct Nonce(String);

impl Nonce {
    pub(crate) fn new() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }

    pub(crate) fn metadata(&self) -> [(&'static str, String); 1] {
        [(NONCE, self.0.clone())]
    }

    /// Whether the write with this nonce made the blob.
    pub(crate) fn made(&self, facts: &BlobFacts) -> bool {
        facts.metadata.get(NONCE) == Some(&self.0)
    }
}

/// A file as the service describes its blob.
pub(crate) fn info(path: &StoragePath, facts: &BlobFacts) -> FileInfo {
    FileInfo::new(path.clone(), facts.size, facts.modified).with_version(facts.version.clone())
}

pub(crate) fn file(path: &StoragePath, size: u64, published: Published) -> FileInfo {
    FileInfo::new(path.clone(), size, published.modified).with_version(published.version)
}

/// The error of a write that did not publish, or of which nobody knows.
fn unpublished(failure: Failure, condition: &Condition) -> Error {
    if !failure.is_unmet_condition() {
        return failure.into_error(Effect::Change);
    }
    match condition {
        Condition::IfAbsent => Error::new(ErrorKind::AlreadyExists, "there is a file already"),
        Condition::IfMatch(_) => Error::new(ErrorKind::Conflict, "the file is not of the version that was given"),
        Condition::None => failure.into_error(Effect::Change),
    }
}

/// The error of a call after an earlier attempt of which the answer was lost: what it found may be its own work (ERR-8).
pub(crate) fn after_lost_answer(error: Error) -> Error {
    use ErrorKind::{AlreadyExists, Conflict, NotFound};
    if matches!(error.kind(), AlreadyExists | Conflict | NotFound) {
        let message = "an earlier attempt had no answer, and what is there now may be its work or that of others";
        return Error::new(ErrorKind::Unavailable, message).with_retry(Retry::MaybeApplied).with_source(error);
    }
    error.with_retry(Retry::MaybeApplied)
}
