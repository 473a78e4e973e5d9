//! A cache of descriptors in this process.

use std::time::Duration;

use async_trait::async_trait;
use driver_api::Context;
use moka::sync::Cache;

use super::{BlobDescriptorCache, CacheError};
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::names::RepositoryName;

/// How long an entry is believed. Another server may delete what this one knows; a reader gets to know it after this time.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A bounded cache in memory: what was not asked for lately makes room.
#[derive(Debug, Clone)]
pub struct MemoryCache {
    entries: Cache<(Option<RepositoryName>, Digest), Descriptor>,
}

impl MemoryCache {
    /// As many entries as the Go registry keeps.
    pub const DEFAULT_ENTRIES: u64 = 10_000;

    /// A cache of at most `entries` descriptors.
    pub fn new(entries: u64) -> Self {
        Self { entries: Cache::builder().max_capacity(entries).time_to_live(LIFETIME).build() }
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new(Self::DEFAULT_ENTRIES)
    }
}

#[async_trait]
impl BlobDescriptorCache for MemoryCache {
    async fn get(
        &self,
        _: &Context,
        repository: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Descriptor>, CacheError> {
        Ok(self.entries.get(&(repository.cloned(), *digest)))
    }

    async fn set(
        &self,
        _: &Context,
        repository: Option<&RepositoryName>,
        digest: &Digest,
        descriptor: &Descriptor,
    ) -> Result<(), CacheError> {
        let names = [*digest, descriptor.digest];
        match repository {
            Some(repository) => {
                self.entries.insert((Some(repository.clone()), *digest), descriptor.clone());
                for name in names {
                    // What a repository calls a content is its own business.
                    let global = || Descriptor::blob(descriptor.digest, descriptor.size);
                    self.entries.entry((None, name)).or_insert_with(global);
                }
            }
            None => names.into_iter().for_each(|name| self.entries.insert((None, name), descriptor.clone())),
        }
        Ok(())
    }

    async fn clear(&self, _: &Context, repository: Option<&RepositoryName>, digest: &Digest) -> Result<(), CacheError> {
        self.entries.invalidate(&(repository.cloned(), *digest));
        Ok(())
    }
}
