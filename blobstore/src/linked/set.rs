//! Sets of links.

use crate::digest::Digest;
use crate::layout::Place;
use crate::names::RepositoryName;

/// A set of links in a repository: which contents it has in some role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSet {
    /// Blobs: layers, configurations, whatever was uploaded.
    Layers,
    /// Manifests.
    Revisions,
    /// The signatures of a manifest of schema 1.
    Signatures(Digest),
}

impl LinkSet {
    /// Where the link to a content is.
    pub fn place(self, repository: &RepositoryName, digest: &Digest) -> Place {
        let repository = repository.clone();
        match self {
            Self::Layers => Place::Layer(repository, *digest),
            Self::Revisions => Place::Revision(repository, *digest),
            Self::Signatures(manifest) => Place::Signature { repository, manifest, signature: *digest },
        }
    }

    /// Where the link may be that an older registry wrote: up to 2.1.0 those to manifests were among the layers.
    pub(super) fn older_place(self, repository: &RepositoryName, digest: &Digest) -> Option<Place> {
        matches!(self, Self::Revisions).then(|| Place::Layer(repository.clone(), *digest))
    }
}
