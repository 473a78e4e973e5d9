//! What was kept at a writer's path before, and goes with its end (WRITE-6).

use driver_api::{Result, StoragePath};

use crate::bucket::Bucket;

/// What is kept at the path of a writer.
#[derive(Debug, Clone)]
pub(super) enum Earlier {
    /// Nobody has looked yet: a writer that begins with nothing asks when it ends, and not before.
    Unknown,
    Nothing,
    /// A session, with the upload that would be nobody's without it.
    Session {
        upload_id: Option<String>,
    },
}

impl Earlier {
    /// The session that the writer itself has resumed: it ends its upload.
    pub(super) fn own() -> Self {
        Self::Session { upload_id: None }
    }

    /// Finds out what is kept, if that is not known yet.
    pub(super) async fn look(self, bucket: &Bucket, path: &StoragePath) -> Result<Self> {
        let Self::Unknown = self else { return Ok(self) };
        Ok(match bucket.head_session(path).await? {
            Some(head) => Self::Session { upload_id: head.upload_id },
            None => Self::Nothing,
        })
    }

    /// Takes notice that the writer keeps, or tries to keep, its own session at the path.
    pub(super) fn replace(&mut self) {
        if let Self::Nothing = self {
            *self = Self::own();
        }
    }

    /// Discards whatever is kept.
    pub(super) async fn discard(&mut self, bucket: &Bucket, path: &StoragePath) -> Result<()> {
        *self = self.clone().look(bucket, path).await?;
        if let Self::Session { upload_id } = self {
            bucket.discard_session(path, upload_id.as_deref()).await?;
        }
        *self = Self::Nothing;
        Ok(())
    }

    /// Aborts the upload of a session that was replaced.
    pub(super) async fn abort_upload(&mut self, bucket: &Bucket, path: &StoragePath) -> Result<()> {
        if let Self::Session { upload_id } = self
            && let Some(id) = upload_id.as_deref()
        {
            let aborted = bucket.abort_upload(&bucket.keys.file(path), id).await;
            aborted.map_err(|failure| failure.of_change(path))?;
            *upload_id = None;
        }
        Ok(())
    }
}
