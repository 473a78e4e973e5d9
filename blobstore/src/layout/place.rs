//! The files of the layout.

use driver_api::StoragePath;

use super::{Directory, ROOT, by_digest, path};
use crate::digest::{Algorithm, Digest};
use crate::names::{RepositoryName, Tag, UploadId};

/// A file of the layout.
///
/// ```
/// use blobstore::{Digest, Place};
/// let place = Place::Blob(Digest::of(b""));
/// let path = place.path();
/// let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// assert_eq!(path.as_str(), format!("/docker/registry/v2/blobs/sha256/e3/{hex}/data"));
/// assert_eq!(Place::parse(&path), Some(place));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The bytes of a blob.
    Blob(Digest),
    /// The link by which a repository has a manifest.
    Revision(RepositoryName, Digest),
    /// The link by which a manifest of schema 1 has a signature.
    Signature {
        /// Where the manifest is.
        repository: RepositoryName,
        /// The manifest without its signatures.
        manifest: Digest,
        /// The signature.
        signature: Digest,
    },
    /// What a tag names.
    Tagged(RepositoryName, Tag),
    /// Something that a tag named once, or names now.
    TagIndexEntry(RepositoryName, Tag, Digest),
    /// The link that tells that a manifest refers to another.
    Referrer {
        /// Where both are.
        repository: RepositoryName,
        /// The manifest that is referred to; it need not exist.
        subject: Digest,
        /// The manifest that refers to it.
        referrer: Digest,
    },
    /// The link by which a repository has a blob.
    Layer(RepositoryName, Digest),
    /// The bytes of an upload.
    UploadData(RepositoryName, UploadId),
    /// When an upload began.
    UploadStarted(RepositoryName, UploadId),
    /// The state of the hash after as many bytes of an upload.
    HashState(RepositoryName, UploadId, Algorithm, u64),
}

impl Place {
    /// Where it is.
    pub fn path(&self) -> StoragePath {
        path(match self {
            Self::Blob(digest) => {
                let hex = digest.hex();
                format!("{ROOT}/blobs/{}/{}/{hex}/data", digest.algorithm(), &hex[..2])
            }
            Self::Revision(repository, digest) => {
                format!("{}/{}/link", Directory::Revisions(repository).path(), by_digest(digest))
            }
            Self::Signature { repository, manifest, signature } => {
                format!("{}/{}/link", Directory::Signatures(repository, *manifest).path(), by_digest(signature))
            }
            Self::Tagged(repository, tag) => format!("{}/current/link", Directory::Tag(repository, tag).path()),
            Self::TagIndexEntry(repository, tag, digest) => {
                format!("{}/{}/link", Directory::TagIndex(repository, tag).path(), by_digest(digest))
            }
            Self::Referrer { repository, subject, referrer } => {
                format!("{}/{}/link", Directory::Referrers(repository, *subject).path(), by_digest(referrer))
            }
            Self::Layer(repository, digest) => {
                format!("{}/{}/link", Directory::Layers(repository).path(), by_digest(digest))
            }
            Self::UploadData(repository, id) => format!("{}/data", Directory::Upload(repository, *id).path()),
            Self::UploadStarted(repository, id) => {
                format!("{}/startedat", Directory::Upload(repository, *id).path())
            }
            Self::HashState(repository, id, algorithm, hashed) => {
                format!("{}/{hashed}", Directory::HashStates(repository, *id, *algorithm).path())
            }
        })
    }

    /// The file of the layout that a path leads to; none where it leads to something foreign: names of older versions and other
    /// programs, which are passed over wherever they are met.
    pub fn parse(path: &StoragePath) -> Option<Self> {
        let below = path.as_str().strip_prefix(ROOT)?.strip_prefix('/')?;
        if let Some(blob) = below.strip_prefix("blobs/") {
            return match *blob.split('/').collect::<Vec<_>>() {
                [algorithm, shard, hex, "data"] if hex.starts_with(shard) && shard.len() == 2 => {
                    digest(algorithm, hex).map(Self::Blob)
                }
                _ => None,
            };
        }
        let below = below.strip_prefix("repositories/")?;
        // No component of a repository's name begins with `_`, so that the first that does is where it ends.
        let end = below.find("/_")?;
        let (repository, rest) = (below[..end].parse().ok()?, &below[end + 1..]);
        Self::parse_in(repository, &rest.split('/').collect::<Vec<_>>())
    }

    fn parse_in(repository: RepositoryName, parts: &[&str]) -> Option<Self> {
        Some(match *parts {
            ["_layers", algorithm, hex, "link"] => Self::Layer(repository, digest(algorithm, hex)?),
            ["_manifests", "revisions", algorithm, hex, "link"] => Self::Revision(repository, digest(algorithm, hex)?),
            ["_manifests", "revisions", algorithm, hex, "signatures", signed_with, signature, "link"] => {
                Self::Signature {
                    repository,
                    manifest: digest(algorithm, hex)?,
                    signature: digest(signed_with, signature)?,
                }
            }
            ["_manifests", "tags", tag, "current", "link"] => Self::Tagged(repository, tag.parse().ok()?),
            ["_manifests", "tags", tag, "index", algorithm, hex, "link"] => {
                Self::TagIndexEntry(repository, tag.parse().ok()?, digest(algorithm, hex)?)
            }
            ["_manifests", "referrers", algorithm, hex, referring, referrer, "link"] => {
                Self::Referrer { repository, subject: digest(algorithm, hex)?, referrer: digest(referring, referrer)? }
            }
            ["_uploads", id, "data"] => Self::UploadData(repository, id.parse().ok()?),
            ["_uploads", id, "startedat"] => Self::UploadStarted(repository, id.parse().ok()?),
            ["_uploads", id, "hashstates", algorithm, hashed] => {
                Self::HashState(repository, id.parse().ok()?, Algorithm::from_name(algorithm)?, decimal(hashed)?)
            }
            _ => return None,
        })
    }
}

fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    Digest::from_hex(Algorithm::from_name(algorithm)?, hex).ok()
}

/// A number in the one form that leads back to it.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digests() -> impl Strategy<Value = Digest> {
        let algorithm = prop::sample::select(&Algorithm::ALL);
        (algorithm, any::<[u8; 8]>()).prop_map(|(algorithm, content)| Digest::with(algorithm, &content))
    }

    fn names() -> impl Strategy<Value = RepositoryName> {
        "[a-z0-9]{1,9}((\\.|_|__|-{1,3})[a-z0-9]{1,9})?(/[a-z0-9]{1,9}){0,3}".prop_map(|name| name.parse().unwrap())
    }

    fn tags() -> impl Strategy<Value = Tag> {
        "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}".prop_map(|tag| tag.parse().unwrap())
    }

    fn places() -> impl Strategy<Value = Place> {
        let uploads = || {
            (names(), any::<u128>())
                .prop_map(|(name, id)| (name, uuid::Uuid::from_u128(id).to_string().parse().unwrap()))
        };
        prop_oneof![
            digests().prop_map(Place::Blob),
            (names(), digests()).prop_map(|(name, digest)| Place::Revision(name, digest)),
            (names(), digests(), digests()).prop_map(|(repository, manifest, signature)| Place::Signature {
                repository,
                manifest,
                signature
            }),
            (names(), tags()).prop_map(|(name, tag)| Place::Tagged(name, tag)),
            (names(), tags(), digests()).prop_map(|(name, tag, digest)| Place::TagIndexEntry(name, tag, digest)),
            (names(), digests(), digests()).prop_map(|(repository, subject, referrer)| Place::Referrer {
                repository,
                subject,
                referrer
            }),
            (names(), digests()).prop_map(|(name, digest)| Place::Layer(name, digest)),
            uploads().prop_map(|(name, id)| Place::UploadData(name, id)),
            uploads().prop_map(|(name, id)| Place::UploadStarted(name, id)),
            (uploads(), prop::sample::select(&Algorithm::ALL), any::<u64>())
                .prop_map(|((name, id), algorithm, hashed)| Place::HashState(name, id, algorithm, hashed)),
        ]
    }

    proptest! {
        #[test]
        fn a_path_leads_back_to_its_place(place in places()) {
            prop_assert_eq!(Place::parse(&place.path()), Some(place));
        }

        #[test]
        fn a_place_that_was_read_has_that_path_and_no_other(text in "(/(docker|registry|v2|blobs|repositories|a|_layers|link|data|sha256|[0-9a-f]{2}|[0-9a-f]{64})){1,9}") {
            let path = StoragePath::parse(&text).unwrap();
            if let Some(place) = Place::parse(&path) {
                prop_assert_eq!(place.path(), path);
            }
        }
    }

    #[test]
    fn the_paths_are_those_of_the_go_registry() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let (digest, name): (Digest, RepositoryName) = (Digest::of(b""), "a/b".parse().unwrap());
        let (tag, id): (Tag, UploadId) =
            ("1.0".parse().unwrap(), "6ba7b810-9dad-41d1-80b4-00c04fd430c8".parse().unwrap());
        let in_repository = |rest: &str| format!("/docker/registry/v2/repositories/a/b/{rest}");
        for (place, path) in [
            (Place::Blob(digest), format!("/docker/registry/v2/blobs/sha256/e3/{hex}/data")),
            (Place::Layer(name.clone(), digest), in_repository(&format!("_layers/sha256/{hex}/link"))),
            (Place::Revision(name.clone(), digest), in_repository(&format!("_manifests/revisions/sha256/{hex}/link"))),
            (
                Place::Signature { repository: name.clone(), manifest: digest, signature: digest },
                in_repository(&format!("_manifests/revisions/sha256/{hex}/signatures/sha256/{hex}/link")),
            ),
            (Place::Tagged(name.clone(), tag.clone()), in_repository("_manifests/tags/1.0/current/link")),
            (
                Place::TagIndexEntry(name.clone(), tag, digest),
                in_repository(&format!("_manifests/tags/1.0/index/sha256/{hex}/link")),
            ),
            (Place::UploadData(name.clone(), id), in_repository(&format!("_uploads/{id}/data"))),
            (Place::UploadStarted(name.clone(), id), in_repository(&format!("_uploads/{id}/startedat"))),
            (
                Place::HashState(name, id, Algorithm::Sha256, 5),
                in_repository(&format!("_uploads/{id}/hashstates/sha256/5")),
            ),
        ] {
            assert_eq!(place.path().as_str(), path);
        }
    }

    #[test]
    fn the_longest_names_make_valid_paths() {
        let name: RepositoryName = format!("{}a", "a/".repeat(127)).parse().unwrap();
        let (tag, digest): (Tag, _) = ("t".repeat(128).parse().unwrap(), Digest::with(Algorithm::Sha512, b""));
        for place in [
            Place::TagIndexEntry(name.clone(), tag, digest),
            Place::Signature { repository: name.clone(), manifest: digest, signature: digest },
            Place::Referrer { repository: name.clone(), subject: digest, referrer: digest },
            Place::HashState(name, UploadId::random(), Algorithm::Sha512, u64::MAX),
        ] {
            assert_eq!(Place::parse(&place.path()), Some(place));
        }
    }

    #[test]
    fn what_is_foreign_is_no_place() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for path in [
            "/".to_owned(),
            "/docker/registry/v2".to_owned(),
            format!("/docker/registry/v2/blobs/sha256/e4/{hex}/data"),
            format!("/docker/registry/v2/blobs/tarsum/v1/sha256/e3/{hex}/data"),
            format!("/docker/registry/v2/blobs/sha256/e3/{hex}/data.tmp"),
            format!("/docker/registry/v2/repositories/_layers/sha256/{hex}/link"),
            format!("/docker/registry/v2/repositories/A/_layers/sha256/{hex}/link"),
            format!("/docker/registry/v2/repositories/a/_layers/tarsum/v1/sha256/{hex}/link"),
            "/docker/registry/v2/repositories/a/_uploads/x/data".to_owned(),
            "/docker/registry/v2/repositories/a/_uploads/6ba7b810-9dad-41d1-80b4-00c04fd430c8/hashstates/sha256/05"
                .to_owned(),
            format!("/docker/registry/v22/blobs/sha256/e3/{hex}/data"),
        ] {
            assert_eq!(Place::parse(&StoragePath::parse(&path).unwrap()), None, "{path}");
        }
    }
}
