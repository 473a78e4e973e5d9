//! The writer of an upload.

use std::fmt;

use bytes::Bytes;
use driver_api::{Context, Storage, StoragePath};
use time::UtcDateTime;

use super::UploadOptions;
use super::body::Body;
use super::hashing::Hashing;
use super::live::Turn;
use super::states::States;
use crate::descriptor::Descriptor;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Error, Result};
use crate::layout::Place;
use crate::linked::LinkedBlobs;
use crate::names::UploadId;

/// An upload that is written to: the only one at a time.
///
/// Dropped, it leaves what the storage leaves of a writer that is dropped: nothing, or what was kept before. `close` keeps it
/// for a later request, `commit` makes it a blob, `cancel` takes it away.
#[derive(Debug)]
pub struct BlobWriter {
    target: LinkedBlobs,
    id: UploadId,
    states: States,
    began: UtcDateTime,
    options: UploadOptions,
    body: Body,
    /// None where the bytes have to be read again.
    hashing: Option<Hashing>,
    /// Behind how many bytes the upload was resumed; none for one that nobody but this writer knows.
    resumed_behind: Option<u64>,
    _turn: Turn,
}

/// A failure that leaves an upload as it was, or none of it.
#[derive(Debug)]
pub struct UploadError {
    /// What went wrong.
    pub error: Error,
    /// The upload, to be tried again, kept or cancelled; none where it is in the storage's hands now.
    pub upload: Option<Box<BlobWriter>>,
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for UploadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl From<UploadError> for Error {
    fn from(failure: UploadError) -> Self {
        failure.error
    }
}

/// What a store gives an upload to begin with.
pub(crate) struct Ingest {
    pub(crate) target: LinkedBlobs,
    pub(crate) id: UploadId,
    pub(crate) turn: Turn,
    pub(crate) options: UploadOptions,
}

impl BlobWriter {
    /// A new upload. Asks nobody.
    pub(crate) fn begin(ingest: Ingest) -> Self {
        let hashing = Some(Hashing::new(ingest.options.algorithm));
        let began = ingest.options.announced.map_or_else(UtcDateTime::now, |(_, began)| began);
        Self::new(ingest, began, Body::Nothing, hashing, None)
    }

    /// An upload that was kept.
    pub(crate) async fn resume(context: &Context, ingest: Ingest) -> Result<Self> {
        let (storage, states) = (ingest.target.storage(), ingest.target.states(ingest.id));
        let path = Place::UploadData(ingest.target.repository().clone(), ingest.id).path();
        let began = states.began(context).await?;
        let body = Body::resume(storage, context, &path, ingest.options.kept).await?;
        let hashing = states.hashing(context, body.size(), ingest.options.algorithm).await?;
        let resumed_behind = Some(body.size());
        Ok(Self::new(ingest, began, body, hashing, resumed_behind))
    }

    fn new(
        ingest: Ingest,
        began: UtcDateTime,
        body: Body,
        hashing: Option<Hashing>,
        resumed_behind: Option<u64>,
    ) -> Self {
        let Ingest { target, id, turn, options } = ingest;
        let states = target.states(id);
        Self { target, id, states, began, options, body, hashing, resumed_behind, _turn: turn }
    }

    /// What the upload is called.
    pub const fn id(&self) -> UploadId {
        self.id
    }

    /// Bytes so far, those of earlier requests included.
    pub fn size(&self) -> u64 {
        self.body.size()
    }

    /// When it began.
    pub const fn began(&self) -> UtcDateTime {
        self.began
    }

    fn storage(&self) -> &Storage {
        self.target.storage()
    }

    fn path(&self) -> StoragePath {
        Place::UploadData(self.target.repository().clone(), self.id).path()
    }

    /// Takes the next bytes.
    pub async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        let path = self.path();
        let writer = self.body.writer(self.target.storage(), context, &path, self.options.size_hint).await?;
        // Hashed on the side. What the storage does not take makes the two sizes differ, for good.
        if let Some(hashing) = &mut self.hashing {
            hashing.take(chunk.clone()).await;
        }
        writer.write(context, chunk).await?;
        Ok(())
    }

    /// The hashers, where they have hashed exactly what is stored.
    async fn hashers(&mut self) -> Option<&[Hasher]> {
        let size = self.size();
        match &mut self.hashing {
            Some(hashing) if hashing.taken() == size => hashing.finish().await,
            _ => None,
        }
    }

    /// Keeps the upload for a later request; answers with its size.
    pub async fn close(mut self, context: &Context) -> Result<u64, UploadError> {
        match self.keep(context).await {
            Ok(size) => Ok(size),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn keep(&mut self, context: &Context) -> Result<u64> {
        // Before the bytes: what is kept without it would be found by nobody who clears away old uploads.
        if self.resumed_behind.is_none() {
            self.states.begin(context, self.began).await?;
            self.resumed_behind = Some(0);
        }
        let before = self.resumed_behind;
        let hashers = self.hashers().await.map(<[Hasher]>::to_vec);
        let expected = self.size();
        let kept = match std::mem::replace(&mut self.body, Body::Gone) {
            Body::Open(writer) => writer.close(context).await.map_err(|failure| {
                if let Some(writer) = failure.writer {
                    self.body = Body::Open(*writer);
                }
                failure.error
            })?,
            other => {
                self.body = other;
                expected
            }
        };
        if let Some(hashers) = hashers.filter(|_| kept == expected && kept > 0) {
            self.states.keep(context, &hashers, kept, before).await;
        }
        Ok(kept)
    }

    /// Takes the upload away with all that it left.
    pub async fn cancel(mut self, context: &Context) -> Result<(), UploadError> {
        match self.remove(context).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn remove(&mut self, context: &Context) -> Result<()> {
        let has_files = self.resumed_behind.is_some() || matches!(self.body, Body::Whole(_));
        if let Body::Open(writer) = std::mem::replace(&mut self.body, Body::Gone) {
            writer.cancel(context).await.map_err(|failure| {
                if let Some(writer) = failure.writer {
                    self.body = Body::Open(*writer);
                }
                failure.error
            })?;
        }
        if has_files { self.states.remove(context).await } else { Ok(()) }
    }

    /// Makes the upload a blob of its repository, which `digest` names. It is durable before anything refers to it.
    ///
    /// Errors: DigestMismatch and SizeMismatch, and what came stays an upload; Storage.
    pub async fn commit(
        mut self,
        context: &Context,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<Descriptor, UploadError> {
        match self.try_commit(context, digest, size).await {
            Ok(descriptor) => Ok(descriptor),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Gives the blob the content of the upload.
    async fn publish(&mut self, context: &Context, to: &StoragePath) -> Result<()> {
        let (path, storage) = (self.path(), self.storage().clone());
        match self.body.publish(&storage, context, &path, to).await {
            // A collection without any grace took it, before anything named it.
            Err(Error::Storage(error)) if error.is_not_found() && error.path() == Some(to) => {
                Err(Error::UploadUnknown(self.id))
            }
            published => published,
        }
    }

    async fn try_commit(&mut self, context: &Context, digest: &Digest, size: Option<u64>) -> Result<Descriptor> {
        let (path, storage) = (self.path(), self.storage().clone());
        if let Body::Nothing = self.body {
            self.body.writer(&storage, context, &path, Some(0)).await?;
        }
        if let Some(expected) = size.filter(|expected| *expected != self.size()) {
            return Err(Error::SizeMismatch { expected, found: self.size() });
        }
        let canonical = self.verified(context, digest).await?;
        let descriptor = Descriptor::blob(canonical, self.size());
        let to = Place::Blob(canonical).path();
        let mut is_published = false;
        loop {
            let push = self.target.protection().begin(context).await?;
            // What is there already can be garbage that is being deleted. The upload is kept until the blob is sure to stay.
            if !self.target.is_stored(context, &descriptor).await? {
                if is_published {
                    // A collection took it: it had no grace at all.
                    return Err(Error::UploadUnknown(self.id));
                }
                self.publish(context, &to).await?;
                is_published = true;
            }
            self.target.link(context, digest, &canonical).await?;
            if self.target.confirm(context, push, digest, &canonical).await?.is_empty() {
                break;
            }
        }
        if !is_published && storage.capabilities().commit_elsewhere {
            // What is there can be damaged, and is mended where that costs no copy.
            self.publish(context, &to).await?;
        }
        // That this fails is the business of those who clear away old uploads.
        if let Err(error) = self.remove(context).await {
            tracing::warn!(%error, upload = %self.id, "an upload was not taken away after its commit");
        }
        self.target.learn(context, digest, &descriptor).await;
        Ok(descriptor)
    }

    /// The canonical digest of the bytes, if `digest` names them.
    async fn verified(&mut self, context: &Context, digest: &Digest) -> Result<Digest> {
        let wanted = digest.algorithm();
        let hashed: Option<Vec<_>> = self.hashers().await.map(|hashers| hashers.iter().map(Hasher::digest).collect());
        let has = |digests: &[Digest], algorithm: Algorithm| {
            digests.iter().find(|digest| digest.algorithm() == algorithm).copied()
        };
        let digests = match hashed {
            Some(digests) if has(&digests, wanted).is_some() => digests,
            _ => {
                let (storage, path) = (self.storage().clone(), self.path());
                self.body.read_again(&storage, context, &path, Some(wanted)).await?
            }
        };
        match (has(&digests, wanted), has(&digests, Algorithm::CANONICAL)) {
            (Some(found), Some(canonical)) if found == *digest => Ok(canonical),
            (found, _) => Err(Error::DigestMismatch { expected: *digest, found: found.unwrap_or(*digest).into() }),
        }
    }

    fn failed(self, error: Error) -> UploadError {
        let is_gone = matches!(self.body, Body::Gone);
        UploadError { error, upload: (!is_gone).then(|| Box::new(self)) }
    }
}
