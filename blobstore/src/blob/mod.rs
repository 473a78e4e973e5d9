//! What a store of blobs can do, and the one that holds all blobs.
//!
//! The capabilities are traits of their own, so that a store is put together from what it needs: something that knows blobs
//! ([`BlobStatter`]), reads them ([`BlobProvider`]), takes them in ([`BlobIngester`]), gives them up ([`BlobDeleter`]), and
//! serves them ([`BlobServer`]). Opening a blob is an access check, which is a stat, and a path: nothing more.

mod global;
mod reader;

use async_trait::async_trait;
use bytes::Bytes;
use driver_api::{Context, Url};

pub use self::global::GlobalBlobs;
pub use self::reader::BlobReader;
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::error::Result;
use crate::names::{RepositoryName, UploadId};
use crate::upload::{Begun, BlobWriter, UploadOptions};

/// Knows blobs.
#[async_trait]
pub trait BlobStatter: Send + Sync {
    /// The canonical descriptor of a blob that may be read here, whichever digest it is asked for by.
    ///
    /// Errors: BlobUnknown; Storage.
    async fn stat(&self, context: &Context, digest: &Digest) -> Result<Descriptor>;
}

/// Knows descriptors that it was told, beside those it finds out: a cache, or what stands before one.
#[async_trait]
pub trait BlobDescriptorService: BlobStatter {
    /// Takes note that `digest` names what `descriptor` describes.
    async fn set_descriptor(&self, context: &Context, digest: &Digest, descriptor: &Descriptor) -> Result<()>;

    /// Forgets what `digest` names. That it was not known is no error.
    async fn clear(&self, context: &Context, digest: &Digest) -> Result<()>;
}

/// Reads blobs.
#[async_trait]
pub trait BlobProvider: Send + Sync {
    /// Reads a blob of at most `max_bytes` into memory.
    ///
    /// Errors: BlobUnknown; Storage with TooLarge.
    async fn get(&self, context: &Context, digest: &Digest, max_bytes: u64) -> Result<Bytes>;

    /// Opens a blob for reading. Its bytes are asked for when they are read, and not before.
    ///
    /// Errors: BlobUnknown.
    async fn open(&self, context: &Context, digest: &Digest) -> Result<BlobReader>;
}

/// Takes blobs in.
#[async_trait]
pub trait BlobIngester: Send + Sync {
    /// Stores a blob that is in memory.
    async fn put(&self, context: &Context, content: Bytes) -> Result<Descriptor>;

    /// Begins an upload.
    async fn create(&self, context: &Context, options: UploadOptions) -> Result<BlobWriter>;

    /// Goes on with an upload that was kept.
    ///
    /// Errors: UploadUnknown; UploadBusy; UploadElsewhere.
    async fn resume(&self, context: &Context, id: UploadId, options: UploadOptions) -> Result<BlobWriter>;

    /// Makes a blob that can be read in another repository readable here; where it cannot be, an upload begins instead.
    async fn mount(
        &self,
        context: &Context,
        digest: &Digest,
        from: &RepositoryName,
        options: UploadOptions,
    ) -> Result<Begun>;
}

/// Gives blobs up.
#[async_trait]
pub trait BlobDeleter: Send + Sync {
    /// Makes a blob unreadable here.
    ///
    /// Errors: BlobUnknown; DeleteDisabled.
    async fn delete(&self, context: &Context, digest: &Digest) -> Result<()>;
}

/// How a blob is handed to somebody far away.
#[derive(Debug)]
pub enum Served {
    /// They can have it there.
    Elsewhere(Descriptor, Url),
    /// They get it from here.
    Here(BlobReader),
}

/// Serves blobs to those who are far away.
#[async_trait]
pub trait BlobServer: Send + Sync {
    /// A way to hand a blob out: an address that the storage signs, where there are such addresses and `redirect` allows it; else
    /// its content.
    ///
    /// Errors: BlobUnknown.
    async fn serve(&self, context: &Context, digest: &Digest, redirect: bool) -> Result<Served>;
}

/// All that a store of blobs can do.
pub trait BlobStore: BlobStatter + BlobProvider + BlobIngester + BlobDeleter + BlobServer {}

impl<S: BlobStatter + BlobProvider + BlobIngester + BlobDeleter + BlobServer> BlobStore for S {}
