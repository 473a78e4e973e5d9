//! Who has resumed which session, or is abandoning it, within one driver value (WRITE-13, WRITE-21).

use std::collections::HashMap;
use std::sync::Arc;

use driver_api::{Error, ErrorKind, Result, StoragePath};
use parking_lot::Mutex;

use crate::bucket::Bucket;
use crate::sessions::Session;

/// The sessions that writers have resumed and not ended, and those that are being abandoned.
#[derive(Debug, Default)]
pub(crate) struct Owners(Mutex<Owned>);

#[derive(Debug, Default)]
struct Owned {
    /// The paths of those sessions, and whether what was resumed is kept no more: somebody else has replaced or discarded it.
    resumed: HashMap<StoragePath, bool>,
    /// How often something was given up or superseded so far: what was read of a session before may be stale.
    changes: u64,
}

/// The right to continue the session kept at a path, until this is dropped.
#[derive(Debug)]
pub(crate) struct Ownership {
    owners: Arc<Owners>,
    path: StoragePath,
}

impl Owners {
    fn check_free(&self, path: &StoragePath) -> Result<()> {
        if self.0.lock().resumed.contains_key(path) { Err(already_resumed()) } else { Ok(()) }
    }

    /// Reads the session kept at `path`, and makes the caller its owner if there is one.
    pub(crate) async fn resume(
        self: &Arc<Self>,
        bucket: &Bucket,
        path: &StoragePath,
    ) -> Result<Option<(Session, Ownership)>> {
        self.check_free(path)?;
        let changes = self.0.lock().changes;
        let Some(session) = bucket.load_session(path).await? else { return Ok(None) };
        let (ownership, changes_by_now) = self.enter(path)?;
        if changes_by_now == changes {
            return Ok(Some((session, ownership)));
        }
        // Since the session was read an owner may have kept more, or somebody have replaced it.
        Ok(bucket.load_session(path).await?.map(|session| (session, ownership)))
    }

    /// Makes the caller the owner of whatever is kept at `path`, to discard it. Who resumes it meanwhile is refused, and who
    /// has read it before reads it again.
    pub(crate) fn claim(self: &Arc<Self>, path: &StoragePath) -> Result<Ownership> {
        self.enter(path).map(|(ownership, _)| ownership)
    }

    /// Makes the caller the owner; answers with the changes so far, too.
    fn enter(self: &Arc<Self>, path: &StoragePath) -> Result<(Ownership, u64)> {
        let mut owned = self.0.lock();
        if owned.resumed.contains_key(path) {
            return Err(already_resumed());
        }
        owned.resumed.insert(path.clone(), false);
        Ok((Ownership { owners: self.clone(), path: path.clone() }, owned.changes))
    }

    /// Takes notice that what was kept at `path` was replaced or discarded by somebody who does not own it; answers whether
    /// there is an owner. Then its upload is not to be aborted: the owner would keep a session of an upload that is gone.
    pub(crate) fn supersede(&self, path: &StoragePath) -> bool {
        let mut owned = self.0.lock();
        owned.changes += 1;
        let superseded = owned.resumed.get_mut(path);
        let has_owner = superseded.is_some();
        if let Some(superseded) = superseded {
            *superseded = true;
        }
        has_owner
    }
}

impl Ownership {
    /// Whether what was resumed is kept no more.
    pub(crate) fn is_superseded(&self) -> bool {
        self.owners.0.lock().resumed.get(&self.path) == Some(&true)
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        let mut owned = self.owners.0.lock();
        owned.resumed.remove(&self.path);
        owned.changes += 1;
    }
}

fn already_resumed() -> Error {
    let message = "another writer has resumed this write, or it is being abandoned; it is free again once that writer was \
                   closed, committed, cancelled or dropped";
    Error::new(ErrorKind::Conflict, message)
}
