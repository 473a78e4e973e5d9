//! Whether a repository has a blob.

use std::sync::Arc;

use async_trait::async_trait;
use driver_api::{Context, Storage};

use super::LinkSet;
use crate::blob::BlobStatter;
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::link;
use crate::names::RepositoryName;

/// Knows the blobs to which a repository has links. A link under one digest may name another, which is the canonical one.
#[derive(Clone)]
pub struct LinkedStatter {
    storage: Storage,
    repository: RepositoryName,
    links: LinkSet,
    blobs: Arc<dyn BlobStatter>,
}

impl LinkedStatter {
    /// The links of `repository`, to what `blobs` knows.
    pub fn new(storage: Storage, repository: RepositoryName, links: LinkSet, blobs: Arc<dyn BlobStatter>) -> Self {
        Self { storage, repository, links, blobs }
    }

    /// The canonical digest of what the repository has under `digest`.
    ///
    /// Errors: BlobUnknown; Damaged.
    pub(crate) async fn resolve(&self, context: &Context, digest: &Digest) -> Result<Digest> {
        let place = self.links.place(&self.repository, digest);
        if let Some(target) = link::read(&self.storage, context, &place).await? {
            return Ok(target);
        }
        if let Some(older) = self.links.older_place(&self.repository, digest)
            && let Some(target) = link::read(&self.storage, context, &older).await?
        {
            return Ok(target);
        }
        Err(Error::BlobUnknown(*digest))
    }
}

#[async_trait]
impl BlobStatter for LinkedStatter {
    async fn stat(&self, context: &Context, digest: &Digest) -> Result<Descriptor> {
        let target = self.resolve(context, digest).await?;
        if target != *digest {
            tracing::debug!(%digest, %target, repository = %self.repository, "a link names content of another digest");
        }
        self.blobs.stat(context, &target).await
    }
}
