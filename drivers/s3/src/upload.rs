//! Multipart uploads: begun, completed with certainty, and aborted when they are dropped.

use std::sync::Arc;

use driver_api::{Condition, Error, ErrorKind, FileInfo, Result, StoragePath};

use crate::bucket::{Answer, Bucket, UploadedPart, info};
use crate::publish::{Nonce, unmet, unsure};

/// An upload that was begun. Unless it is kept or ended, it is aborted when this is dropped.
pub(crate) struct Upload {
    bucket: Arc<Bucket>,
    key: String,
    id: String,
    /// Whether somebody else knows of it: then dropping this leaves it.
    kept: bool,
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
        Ok(Self { bucket, key, id, kept: false })
    }

    /// Takes up an upload that was kept.
    pub(crate) fn resume(bucket: Arc<Bucket>, key: String, id: String) -> Self {
        Self { bucket, key, id, kept: true }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Leaves the upload where it is when this is dropped.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
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
        let failure = match self.bucket.complete_upload(&self.key, &self.id, parts.clone(), condition).await {
            Ok(answer) => {
                let size = parts.into_iter().map(|part| part.size).sum();
                return Ok(self.completed(path, size, answer.e_tag.as_deref()).await);
            }
            Err(failure) => failure,
        };
        // S3 forgets an upload that it has completed, so that its absence can mean success.
        let is_gone = failure.is_missing_upload();
        if failure.is_unsure() || is_gone || *tried {
            let is_unsure = failure.is_unsure();
            let is_unmet = failure.is_unmet_condition();
            let error = match self.bucket.look_whose(&self.key, path, (nonce, condition), failure).await {
                Ok(info) => return Ok(info),
                Err(_) if *tried && (is_gone || is_unmet) => unsure(path),
                Err(_) if is_gone => ended(path),
                Err(_) if is_unmet => unmet(condition, path),
                Err(error) => error,
            };
            *tried |= is_unsure;
            return Err(error);
        }
        if failure.is_unmet(condition) {
            return Err(unmet(condition, path));
        }
        Err(failure.of_change(path))
    }

    /// What a completed upload became. Services date it by its beginning or by its end, and no answer tells.
    async fn completed(&self, path: &StoragePath, size: u64, etag: Option<&str>) -> FileInfo {
        match self.bucket.head(&self.key).await {
            Ok(head) => head.info(path),
            // It is published all the same.
            Err(_) => info(path, size, std::time::SystemTime::now(), etag),
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

/// The error of a commit whose upload somebody else has ended.
fn ended(path: &StoragePath) -> Error {
    Error::new(ErrorKind::Conflict, "another writer has ended this write").with_path(path)
}
