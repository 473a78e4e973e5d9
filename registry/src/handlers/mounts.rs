//! Blobs that another repository has, made readable in this one without being sent.

use blobstore::blob::{BlobIngester, BlobStatter};
use blobstore::{Begun, Digest, RepositoryName, UploadOptions};
use driver_api::Context;
use futures_util::{StreamExt, stream};

use crate::access::{self, Grant};
use crate::call::Call;
use crate::error::ApiError;
use crate::registry::Registry;

/// How many repositories are asked for a blob whose client does not say where it is. It can always send it.
const ASKED: usize = 256;
const ASKED_AT_ONCE: usize = 16;

/// A blob that was mounted, and from where.
pub(super) struct Mounted {
    pub(super) descriptor: blobstore::Descriptor,
    pub(super) from: RepositoryName,
}

impl Registry {
    /// Mounts what the query asks for; none where that cannot be done, for whatever reason: its client sends the blob then.
    pub(super) async fn mount(
        &self,
        call: &Call,
        name: &RepositoryName,
    ) -> Result<Option<(Digest, Mounted)>, ApiError> {
        let Some(digest) = call.query.first("mount").and_then(|digest| digest.parse::<Digest>().ok()) else {
            return Ok(None);
        };
        let from = match call.query.first("from") {
            Some(from) => from.parse().ok(),
            None => self.find_blob(call, &digest).await?,
        };
        let Some(from) = from else { return Ok(None) };
        if !self.may_pull(call, &from).await {
            return Ok(None);
        }
        let target = self.namespace().repository(name.clone()).blobs();
        match target.mount(&call.context, &digest, &from, UploadOptions::default()).await? {
            Begun::Mounted(descriptor) => Ok(Some((digest, Mounted { descriptor, from }))),
            // Nothing of it was stored.
            Begun::Upload(_) => Ok(None),
        }
    }

    async fn may_pull(&self, call: &Call, name: &RepositoryName) -> bool {
        let pull = Grant::repository(name.clone(), access::Action::Pull);
        self.authorize(&call.headers, &[pull]).await.is_ok()
    }

    /// Some repository that has a blob and that the client may read: to know a digest must not be enough to read what it names.
    async fn find_blob(&self, call: &Call, digest: &Digest) -> Result<Option<RepositoryName>, ApiError> {
        let mut names = Vec::new();
        let mut listing = self.namespace().repositories(None);
        while names.len() < ASKED {
            let Some(name) = listing.next(&call.context).await? else { break };
            if self.may_pull(call, &name).await {
                names.push(name);
            }
        }
        let has = |context: Context, registry: Self, name: RepositoryName, digest: Digest| async move {
            let blobs = registry.namespace().repository(name.clone()).blobs();
            blobs.stat(&context, &digest).await.is_ok().then_some(name)
        };
        let asked = names.into_iter().map(|name| has(call.context.clone(), self.clone(), name, *digest));
        let asked: Vec<_> = asked.collect();
        let mut found = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE).filter_map(std::future::ready);
        Ok(found.next().await)
    }
}
