//! A statter with a cache before it.

use std::sync::Arc;

use async_trait::async_trait;
use driver_api::{Context, ErrorKind};

use super::BlobDescriptorCache;
use crate::blob::{BlobDescriptorService, BlobStatter};
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::names::RepositoryName;

/// Asks a cache first, and then the one who knows.
#[derive(Clone)]
pub struct CachedStatter {
    cache: Option<Arc<dyn BlobDescriptorCache>>,
    scope: Option<RepositoryName>,
    behind: Arc<dyn BlobStatter>,
}

impl CachedStatter {
    /// `behind`, with `cache` before it if there is one; what is known is known in the scope of a repository, or of all.
    pub fn new(
        cache: Option<Arc<dyn BlobDescriptorCache>>,
        scope: Option<RepositoryName>,
        behind: Arc<dyn BlobStatter>,
    ) -> Self {
        Self { cache, scope, behind }
    }

    /// What the cache knows.
    pub(crate) async fn known(&self, context: &Context, digest: &Digest) -> Option<Descriptor> {
        let cache = self.cache.as_ref()?;
        metrics::counter!("registry_storage_cache_requests_total", "type" => "blob").increment(1);
        match cache.get(context, self.scope.as_ref(), digest).await {
            Ok(Some(descriptor)) => {
                metrics::counter!("registry_storage_cache_hits_total", "type" => "blob").increment(1);
                Some(descriptor)
            }
            Ok(None) => {
                metrics::counter!("registry_storage_cache_misses_total", "type" => "blob").increment(1);
                None
            }
            Err(error) => {
                metrics::counter!("registry_storage_cache_errors_total", "type" => "blob").increment(1);
                tracing::warn!(%error, "the storage is asked instead");
                None
            }
        }
    }

    /// Tells the cache. That it can't be told costs a later reader some time.
    pub(crate) async fn learn(&self, context: &Context, digest: &Digest, descriptor: &Descriptor) {
        if let Some(cache) = &self.cache
            && let Err(error) = cache.set(context, self.scope.as_ref(), digest, descriptor).await
        {
            tracing::warn!(%error, "a descriptor was not remembered");
        }
    }
}

#[async_trait]
impl BlobStatter for CachedStatter {
    async fn stat(&self, context: &Context, digest: &Digest) -> Result<Descriptor> {
        if let Some(known) = self.known(context, digest).await {
            return Ok(known);
        }
        let descriptor = self.behind.stat(context, digest).await?;
        self.learn(context, digest, &descriptor).await;
        Ok(descriptor)
    }
}

#[async_trait]
impl BlobDescriptorService for CachedStatter {
    async fn set_descriptor(&self, context: &Context, digest: &Digest, descriptor: &Descriptor) -> Result<()> {
        self.learn(context, digest, descriptor).await;
        Ok(())
    }

    async fn clear(&self, context: &Context, digest: &Digest) -> Result<()> {
        let Some(cache) = &self.cache else { return Ok(()) };
        cache.clear(context, self.scope.as_ref(), digest).await.map_err(|error| {
            // Whoever reads by the cache would go on reading.
            let message = "what the cache of descriptors knows could not be taken back, so that nothing was deleted";
            Error::Storage(driver_api::Error::new(ErrorKind::Unavailable, message).with_source(error))
        })
    }
}
