//! The directories of the layout.

use driver_api::StoragePath;

use super::{ROOT, by_digest, path};
use crate::digest::{Algorithm, Digest};
use crate::names::{RepositoryName, Tag, UploadId};

/// A directory of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directory<'a> {
    /// Where the blobs are, whoever may read them.
    Blobs,
    /// Where the repositories are, each named by its directory.
    Repositories,
    /// All of a repository, and the repositories below it.
    Repository(&'a RepositoryName),
    /// What makes a repository one: its manifests and tags.
    Manifests(&'a RepositoryName),
    /// The links to the manifests of a repository.
    Revisions(&'a RepositoryName),
    /// The links to the signatures of a manifest of schema 1.
    Signatures(&'a RepositoryName, Digest),
    /// The tags of a repository.
    Tags(&'a RepositoryName),
    /// A tag, with all that it ever named.
    Tag(&'a RepositoryName, &'a Tag),
    /// All that a tag ever named.
    TagIndex(&'a RepositoryName, &'a Tag),
    /// The links to the manifests that refer to one. The Go registry has no such directory, and passes over it.
    Referrers(&'a RepositoryName, Digest),
    /// The links to the blobs that can be read in a repository.
    Layers(&'a RepositoryName),
    /// The links to the blobs that can be read in a repository by digests of one algorithm.
    LayersBy(&'a RepositoryName, Algorithm),
    /// The uploads of a repository.
    Uploads(&'a RepositoryName),
    /// An upload.
    Upload(&'a RepositoryName, UploadId),
    /// The saved states of the hash of an upload.
    HashStates(&'a RepositoryName, UploadId, Algorithm),
}

impl Directory<'_> {
    /// Where it is.
    pub fn path(&self) -> StoragePath {
        let of = |repository: &RepositoryName| format!("{ROOT}/repositories/{repository}");
        path(match self {
            Self::Blobs => format!("{ROOT}/blobs"),
            Self::Repositories => format!("{ROOT}/repositories"),
            Self::Repository(repository) => of(repository),
            Self::Manifests(repository) => format!("{}/_manifests", of(repository)),
            Self::Revisions(repository) => format!("{}/_manifests/revisions", of(repository)),
            Self::Signatures(repository, manifest) => {
                format!("{}/_manifests/revisions/{}/signatures", of(repository), by_digest(manifest))
            }
            Self::Tags(repository) => format!("{}/_manifests/tags", of(repository)),
            Self::Tag(repository, tag) => format!("{}/_manifests/tags/{tag}", of(repository)),
            Self::TagIndex(repository, tag) => format!("{}/_manifests/tags/{tag}/index", of(repository)),
            Self::Referrers(repository, subject) => {
                format!("{}/_manifests/referrers/{}", of(repository), by_digest(subject))
            }
            Self::Layers(repository) => format!("{}/_layers", of(repository)),
            Self::LayersBy(repository, algorithm) => format!("{}/_layers/{algorithm}", of(repository)),
            Self::Uploads(repository) => format!("{}/_uploads", of(repository)),
            Self::Upload(repository, id) => format!("{}/_uploads/{id}", of(repository)),
            Self::HashStates(repository, id, algorithm) => {
                format!("{}/_uploads/{id}/hashstates/{algorithm}", of(repository))
            }
        })
    }
}
