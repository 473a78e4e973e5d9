//! The sweep of orphaned uploads: those that a crashed process has begun and nobody will end.

use std::time::{Duration, SystemTime};

use driver_api::{Error, ErrorKind, Result, StoragePath};

use crate::bucket::{Bucket, time};
use crate::keys::decoded;

/// A multipart upload that belongs to no kept session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrphanedUpload {
    /// The path of the file that it would have become.
    pub path: StoragePath,
    /// Its id.
    pub upload_id: String,
    /// When it was begun.
    pub initiated: SystemTime,
}

impl Bucket {
    /// The uploads begun more than `age` ago that belong to no kept session.
    pub(crate) async fn orphaned_uploads(&self, age: Duration) -> Result<Vec<OrphanedUpload>> {
        let mut orphans = Vec::new();
        let mut marker: Option<(String, String)> = None;
        loop {
            let page =
                self.list_uploads(marker.as_ref()).await.map_err(|failure| failure.of_read(&StoragePath::root()))?;
            let is_encoded = page.encoding_type.is_some();
            let plain = |key: String| if is_encoded { decoded(&key) } else { key };
            for upload in page.uploads.unwrap_or_default() {
                let (Some(key), Some(upload_id)) = (upload.key.map(plain), upload.upload_id) else { continue };
                let initiated = upload.initiated.as_ref().map_or(SystemTime::UNIX_EPOCH, time);
                let Some(path) = self.keys.path(&key) else { continue };
                let is_old = initiated.elapsed().is_ok_and(|since| since > age);
                if is_old && !self.is_kept(&path, &upload_id).await? {
                    orphans.push(OrphanedUpload { path, upload_id, initiated });
                }
            }
            let next = page.next_key_marker.map(plain).zip(page.next_upload_id_marker);
            match next {
                Some(next) if page.is_truncated == Some(true) => {
                    if marker.as_ref() == Some(&next) {
                        return Err(Error::new(ErrorKind::Other, "the service lists the same uploads again and again"));
                    }
                    marker = Some(next);
                }
                _ => return Ok(orphans),
            }
        }
    }

    async fn is_kept(&self, path: &StoragePath, upload_id: &str) -> Result<bool> {
        let session = self.head_session(path).await?;
        Ok(session.is_some_and(|session| session.upload_id.as_deref() == Some(upload_id)))
    }

    pub(crate) async fn abort_orphan(&self, orphan: &OrphanedUpload) -> Result<()> {
        let key = self.keys.file(&orphan.path);
        self.abort_upload(&key, &orphan.upload_id).await.map_err(|failure| failure.of_change(&orphan.path))
    }
}
