//! The contract between storage drivers and those who use them.
//!
//! A *driver* implements [`StorageDriver`] and its [`FileWriter`]; everybody else calls [`Storage`], a cheap handle over any
//! driver. [`layers`] wrap a driver and are drivers. What every driver owes its callers stands in [`CONTRACT`], clause by
//! clause; the `conformance` crate decides whether a driver keeps it.
//!
//! Nothing here knows a backend, a protocol or a registry.

mod capabilities;
mod context;
mod driver;
mod entry;
mod error;
mod interruption;
pub mod layers;
mod listing;
mod options;
mod path;
mod payload;
mod range;
mod reader;
mod storage;
mod writer;

pub use capabilities::{
    Capabilities, Conditions, Consistency, Durability, Integrity, Limits, ListingLevel, MoveLevel, Namespace, Sessions,
    capability_names,
};
pub use context::Context;
pub use driver::{ByteStream, EntryPages, FileWriter, StorageDriver, UnfinishedPages};
pub use entry::{Entry, EntryKey, FileInfo, Unfinished, Version};
pub use error::{Error, ErrorKind, Operation, Result, Retry};
pub use listing::Listing;
pub use options::{
    CommitOptions, Condition, DeleteOptions, DeleteScope, GetOptions, ListOptions, MoveOptions, PutOptions,
    ReadOptions, StatOptions, UrlMethod, UrlOptions, WriteMode, WriteOptions,
};
pub use path::{MAX_COMPONENT_BYTES, MAX_COMPONENTS, MAX_PATH_BYTES, PathError, StoragePath, is_valid_component};
pub use payload::Payload;
pub use range::ByteRange;
pub use reader::{Reader, too_large};
pub use storage::Storage;
pub use writer::{Writer, WriterError};

/// The contract of drivers: numbered clauses, in Markdown. The `conformance` crate reads them from here.
pub const CONTRACT: &str = include_str!("../CONTRACT.md");

// What stands in signatures, so that a driver author needs no second opinion on versions.
pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use tokio_util::sync::CancellationToken;
pub use url::Url;
