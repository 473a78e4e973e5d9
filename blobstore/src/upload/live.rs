//! Which uploads somebody is writing to, in this process.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::names::UploadId;

/// The uploads that have an owner in this process. Between processes the storage decides: a kept session has one owner, and has
/// the size that its owner expects.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveUploads(Arc<Mutex<HashSet<UploadId>>>);

/// The right to write to an upload, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    uploads: LiveUploads,
    id: UploadId,
}

impl LiveUploads {
    /// Takes an upload. Errors: UploadBusy.
    pub(crate) fn take(&self, id: UploadId) -> Result<Turn> {
        if self.0.lock().insert(id) { Ok(Turn { uploads: self.clone(), id }) } else { Err(Error::UploadBusy(id)) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.uploads.0.lock().remove(&self.id);
    }
}
