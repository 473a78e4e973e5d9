//! What was kept at a writer's path before, and goes with its end (WRITE-6).

use std::sync::Arc;

use driver_api::{Result, StoragePath};

use crate::bucket::Bucket;
use crate::owners::Owners;

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

    /// Leaves the upload to the writer that has resumed the session, if there is one. To be called before the session is
    /// replaced or discarded, and after: such a writer may come in between, and it may end.
    pub(super) fn leave_to_owner(&mut self, owners: &Owners, path: &StoragePath) {
        if let Self::Session { upload_id } = self
            && owners.supersede(path)
        {
            *upload_id = None;
        }
    }

    /// Discards whatever is kept: the session before its upload, as everywhere.
    pub(super) async fn discard(&mut self, bucket: &Arc<Bucket>, owners: &Owners, path: &StoragePath) -> Result<()> {
        *self = self.clone().look(bucket, path).await?;
        if let Self::Session { .. } = self {
            self.leave_to_owner(owners, path);
            bucket.forget_session(path).await?;
            self.abort_upload(bucket, owners, path).await;
        }
        *self = Self::Nothing;
        Ok(())
    }

    /// Aborts the upload of a session that was replaced or discarded.
    pub(super) async fn abort_upload(&mut self, bucket: &Arc<Bucket>, owners: &Owners, path: &StoragePath) {
        self.leave_to_owner(owners, path);
        if let Self::Session { upload_id } = self
            && let Some(id) = upload_id.take()
        {
            bucket.abort_left(path, id).await;
        }
    }
}
