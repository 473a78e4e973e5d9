//! Caches of descriptors: what is known of a blob without asking the storage.
//!
//! A cache makes reading faster. Whether something is *written* is never decided by what a cache knows, and a cache that fails
//! costs time and nothing else; but for deleting, which must not leave behind that something can be read.

mod memory;
#[cfg(feature = "redis")]
mod redis;
mod statter;

use std::fmt::Debug;

use async_trait::async_trait;
use driver_api::Context;

pub use self::memory::MemoryCache;
#[cfg(feature = "redis")]
pub use self::redis::{RedisCache, RedisOptions, RedisTls};
pub use self::statter::CachedStatter;
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::names::RepositoryName;

/// Why a cache could not answer.
#[derive(Debug)]
pub struct CacheError(pub Box<dyn std::error::Error + Send + Sync>);

impl std::fmt::Display for CacheError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the cache of descriptors does not answer: {}", self.0)
    }
}

impl std::error::Error for CacheError {}

/// Remembers descriptors, of all blobs and of those that a repository has.
///
/// What a repository does not have is not known in its scope, whatever other repositories have. No entry tells that something does
/// not exist.
#[async_trait]
pub trait BlobDescriptorCache: Debug + Send + Sync {
    /// What is known of `digest`, in a repository or, where none is given, in all.
    async fn get(
        &self,
        context: &Context,
        repository: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Descriptor>, CacheError>;

    /// Takes note of a descriptor under `digest`; in all repositories under its canonical digest, too. Known in a repository it is
    /// known in all; known in one it is by that name alone, for the repository may have lost the link by the other.
    async fn set(
        &self,
        context: &Context,
        repository: Option<&RepositoryName>,
        digest: &Digest,
        descriptor: &Descriptor,
    ) -> Result<(), CacheError>;

    /// Forgets what is known of `digest`, in a repository or in all. A repository that has lost a blob does not know it again by what
    /// another learns.
    async fn clear(
        &self,
        context: &Context,
        repository: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<(), CacheError>;
}
