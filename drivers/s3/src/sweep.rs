//! The sweep of orphaned uploads: those that a crashed process has begun and nobody will end.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::MultipartUpload;
use driver_api::{Error, ErrorKind, Result, Retry, StoragePath};

use crate::bucket::{Bucket, time};
use crate::keys::{Keys, decoded};
use crate::sessions::may_name_upload;

/// How often a request of a sweep is made at most, and the pause before the second time, which gets longer by each.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGER: u32 = 4;

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
            let page = repeated(|| async {
                self.list_uploads(marker.as_ref()).await.map_err(|failure| failure.of_read(&StoragePath::root()))
            });
            let page = page.await?;
            let is_encoded = page.encoding_type.is_some();
            let plain = |key: String| if is_encoded { decoded(&key) } else { key };
            for listed in page.uploads.unwrap_or_default() {
                let Some(upload) = begun_before(age, listed, plain, &self.keys) else { continue };
                if !repeated(|| self.is_kept(&upload)).await? {
                    orphans.push(upload);
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

    /// Whether the session at the path keeps the upload. It is read and not only looked at: to a read the service says with a
    /// code that there is none, and a 404 of something in between is an error.
    async fn is_kept(&self, upload: &OrphanedUpload) -> Result<bool> {
        let beginning = Some("bytes=0-0".to_owned());
        match self.get(&self.keys.session(&upload.path), beginning, None).await {
            Ok(answer) => Ok(may_name_upload(answer.metadata.as_ref(), &upload.upload_id)),
            Err(failure) if failure.is_missing_key() => Ok(false),
            Err(failure) => Err(failure.of_read(&upload.path)),
        }
    }

    /// Aborts the upload, unless a session has come to keep it since it was listed, or since the attempt before.
    pub(crate) async fn abort_orphan(&self, orphan: &OrphanedUpload) -> Result<()> {
        let key = self.keys.file(&orphan.path);
        let abort_unless_kept = || async {
            if repeated(|| self.is_kept(orphan)).await? {
                return Ok(());
            }
            self.abort_upload(&key, &orphan.upload_id).await.map_err(|failure| failure.of_change(&orphan.path))
        };
        repeated(abort_unless_kept).await
    }
}

/// Makes a request again that failed for now and is safe to repeat. No layer does it for a sweep, which is no call of the
/// contract, and one of thousands of requests is not to end it.
async fn repeated<T, R: Future<Output = Result<T>>>(request: impl Fn() -> R) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match request().await {
            Err(error) if error.kind() == ErrorKind::Unavailable && error.retry() == Retry::Safe => {
                tracing::debug!(%error, ?pause, "will be tried again");
                tokio::time::sleep(pause).await;
                pause *= LONGER;
            }
            answer => return answer,
        }
    }
    request().await
}

/// The upload, if it is one of the driver's, begun more than `age` ago. One whose time is not told may have begun just now.
fn begun_before(
    age: Duration,
    listed: MultipartUpload,
    plain: impl Fn(String) -> String,
    keys: &Keys,
) -> Option<OrphanedUpload> {
    let initiated = time(listed.initiated.as_ref()?);
    let upload = OrphanedUpload { path: keys.path(&plain(listed.key?))?, upload_id: listed.upload_id?, initiated };
    initiated.elapsed().is_ok_and(|since| since > age).then_some(upload)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::DateTime;

    use super::*;

    #[test]
    fn an_upload_without_a_time_is_not_old() {
        let keys = Keys::new("").unwrap();
        let listed = MultipartUpload::builder().key("a").upload_id("id");
        let found = |listed: MultipartUpload| begun_before(Duration::from_secs(60), listed, |key| key, &keys);
        assert_eq!(found(listed.clone().build()), None);
        assert_eq!(found(listed.clone().initiated(DateTime::from(SystemTime::now())).build()), None);
        let old = listed.initiated(DateTime::from_secs(1_000_000_000)).build();
        assert_eq!(found(old).unwrap().path.as_str(), "/a");
    }
}
