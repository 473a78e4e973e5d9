//! Multipart uploads: begun, completed with certainty, and aborted when they are dropped.

use std::sync::Arc;

use driver_api::{Condition, Error, ErrorKind, FileInfo, Result, StoragePath};

use crate::bucket::{Answer, Bucket, UploadedPart, info};
use crate::publish::{Look, Nonce, Own, unmet, unsure};

/// An upload that was begun. Unless it is kept or ended, it is aborted when this is dropped.
pub(crate) struct Upload {
    bucket: Arc<Bucket>,
    key: String,
    id: String,
    /// Whether somebody else knows of it: then dropping this leaves it.
    kept: bool,
    /// The size of the session that it was taken up with, which others may have taken up as well.
    resumed_size: Option<u64>,
}

impl Upload {
    /// Begins an upload for the object at `key`.
    pub(crate) async fn begin(
        bucket: Arc<Bucket>,
        key: String,
        nonce: &Nonce,
        content_type: Option<&str>,
    ) -> Answer<Self> {
        let id = bucket.create_upload(&key, nonce, content_type).await?;
        Ok(Self { bucket, key, id, kept: false, resumed_size: None })
    }

    /// Takes up an upload that was kept in a session of `size` bytes.
    pub(crate) fn resume(bucket: Arc<Bucket>, key: String, id: String, size: u64) -> Self {
        Self { bucket, key, id, kept: true, resumed_size: Some(size) }
    }

    /// Takes up an upload whose session is gone, to abort it.
    pub(crate) fn of_nobody(bucket: Arc<Bucket>, key: String, id: String) -> Self {
        Self { bucket, key, id, kept: false, resumed_size: None }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Says whether the upload is left where it is when this is dropped.
    pub(crate) fn set_kept(&mut self, kept: bool) {
        self.kept = kept;
    }

    /// Publishes the parts as the file at `path`, whose key is the upload's. `tried` tells whether an earlier attempt has had
    /// no answer, and is set where this one has none.
    pub(crate) async fn complete(
        &self,
        path: &StoragePath,
        parts: impl IntoIterator<Item = &UploadedPart> + Clone,
        condition: &Condition,
        nonce: &Nonce,
        tried: &mut bool,
    ) -> Result<FileInfo> {
        let size = parts.clone().into_iter().map(|part| part.size).sum();
        let own = Own { nonce, size, condition };
        let failure = match self.bucket.complete_upload(&self.key, &self.id, parts, condition).await {
            Ok(answer) => return Ok(self.completed(path, size, answer.e_tag.as_deref()).await),
            Err(failure) => failure,
        };
        // S3 forgets an upload that it has completed, so that its absence can mean success.
        if failure.is_missing_upload() {
            return self.find_completed(path, own, *tried).await;
        }
        let (is_unsure, is_unmet) = (failure.is_unsure(), failure.is_unmet(condition));
        if !is_unsure && !*tried {
            return Err(if is_unmet { unmet(condition, path) } else { failure.of_change(path) });
        }
        let published = self.bucket.look_whose(&self.key, path, own, failure).await;
        let published = published.map_err(|error| if is_unmet { unsure(path) } else { error });
        *tried |= is_unsure;
        published
    }

    /// Whether an upload that is gone became the file that was to be published.
    pub(crate) async fn find_completed(&self, path: &StoragePath, own: Own<'_>, tried: bool) -> Result<FileInfo> {
        match self.bucket.look_at_own(&self.key, own).await {
            Look::Own(head) if tried || self.resumed_size == Some(own.size) => Ok(head.info(path)),
            Look::Failed(look) if !tried => Err(look.of_read(path)),
            _ if tried => Err(unsure(path)),
            // The nonce is that of all who have taken up the upload; what was written here none of them has published.
            _ => Err(ended(path)),
        }
    }

    /// What a completed upload became. Services date it by its beginning or by its end, and no answer tells.
    async fn completed(&self, path: &StoragePath, size: u64, etag: Option<&str>) -> FileInfo {
        match self.bucket.head(&self.key).await {
            Ok(head) if is_same_tag(head.etag.as_deref(), etag) => head.info(path),
            // It is published all the same, and perhaps replaced since.
            _ => info(path, size, std::time::SystemTime::now(), etag),
        }
    }

    /// Aborts the upload.
    pub(crate) async fn abort(&mut self) -> Answer<()> {
        self.bucket.abort_upload(&self.key, &self.id).await?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Without a runtime it stays, and the sweep of orphaned uploads finds it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (bucket, key, id) = (self.bucket.clone(), std::mem::take(&mut self.key), std::mem::take(&mut self.id));
        runtime.spawn(async move {
            if let Err(failure) = bucket.abort_upload(&key, &id).await {
                tracing::warn!(key, error = %failure.into_error(), "an upload was not aborted, and waits for the sweep");
            }
        });
    }
}

/// Whether two tags are one, which some services quote in headers alone.
fn is_same_tag(one: Option<&str>, other: Option<&str>) -> bool {
    let bare = |tag: Option<&str>| tag.map(|tag| tag.trim_matches('"').to_owned());
    one.is_some() && bare(one) == bare(other)
}

/// The error of a write whose upload somebody else has ended.
pub(crate) fn ended(path: &StoragePath) -> Error {
    let message = "another writer has ended this write, or the service did when it met a conflicting request";
    Error::new(ErrorKind::Conflict, message).with_path(path)
}
