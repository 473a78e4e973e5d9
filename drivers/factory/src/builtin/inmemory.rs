//! `inmemory`.

use driver_api::{Result, Storage};
use driver_inmemory::{MemoryDriver, MemoryOptions};
use serde::Deserialize;

use crate::values::ByteSize;

/// Parameters of `inmemory`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    /// The most bytes of content; past it a write fails as on a full disk. No limit where none is given.
    maxbytes: Option<ByteSize>,
}

pub(super) async fn open(parameters: Parameters) -> Result<Storage> {
    let max_bytes = parameters.maxbytes.map(|ByteSize(limit)| limit);
    Ok(Storage::new(MemoryDriver::new(MemoryOptions { max_bytes })))
}
