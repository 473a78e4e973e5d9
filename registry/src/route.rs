//! What a path of the API asks for.

use blobstore::{Digest, RepositoryName, Tag, UploadId};
use http::Method;
use percent_encoding::percent_decode_str;

use crate::error::{ApiError, Code};

/// What a path asks for. Names in it are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Base,
    Catalog,
    Tags(RepositoryName),
    Manifest(RepositoryName, ManifestName),
    Blob(RepositoryName, Digest),
    Uploads(RepositoryName),
    Upload(RepositoryName, UploadId),
    Referrers(RepositoryName, Digest),
}

/// How a manifest is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ManifestName {
    Tag(Tag),
    Digest(Digest),
}

impl ManifestName {
    /// The tag; none where it is asked for by its digest.
    pub(crate) const fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }
}

impl std::fmt::Display for ManifestName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// Why a path leads nowhere.
#[derive(Debug)]
pub(crate) enum NoRoute {
    /// Nothing of the API has such a path.
    Unknown,
    /// A name in it is none.
    Invalid(ApiError),
}

impl Route {
    /// What `path` asks for, which begins behind any prefix of the server with `/v2`.
    ///
    /// The names of repositories may have `blobs`, `tags` or `manifests` as components, so that the end of a path says what it
    /// is about.
    pub(crate) fn parse(path: &str) -> Result<Self, NoRoute> {
        Self::below("/v2", path)
    }

    /// The same below another root.
    pub(crate) fn below(root: &str, path: &str) -> Result<Self, NoRoute> {
        let rest = match path.strip_prefix(root) {
            Some("" | "/") => return Ok(Self::Base),
            Some(rest) => rest.strip_prefix('/').ok_or(NoRoute::Unknown)?,
            None => return Err(NoRoute::Unknown),
        };
        if rest == "_catalog" {
            return Ok(Self::Catalog);
        }
        if let Some(name) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
            return Ok(Self::Uploads(repository(name)?));
        }
        let (before, last) = rest.rsplit_once('/').ok_or(NoRoute::Unknown)?;
        let last = percent_decode_str(last).decode_utf8().map_err(|_| NoRoute::Unknown)?;
        let (name, kind) = before.rsplit_once('/').ok_or(NoRoute::Unknown)?;
        match kind {
            "tags" if last == "list" => Ok(Self::Tags(repository(name)?)),
            "manifests" => Ok(Self::Manifest(repository(name)?, manifest(&last)?)),
            "blobs" => Ok(Self::Blob(repository(name)?, digest(&last)?)),
            "referrers" => Ok(Self::Referrers(repository(name)?, digest(&last)?)),
            "uploads" => {
                let name = name.strip_suffix("/blobs").ok_or(NoRoute::Unknown)?;
                let name = repository(name)?;
                let id = last.parse().map_err(|_| {
                    NoRoute::Invalid(ApiError::new(Code::BlobUploadUnknown, "there is no such upload: begin another"))
                })?;
                Ok(Self::Upload(name, id))
            }
            _ => Err(NoRoute::Unknown),
        }
    }

    /// The methods that it knows.
    pub(crate) const fn methods(&self) -> &'static [Method] {
        match self {
            Self::Base | Self::Catalog | Self::Tags(_) | Self::Referrers(..) => &[Method::GET, Method::HEAD],
            Self::Manifest(..) => &[Method::DELETE, Method::GET, Method::HEAD, Method::PUT],
            Self::Blob(..) => &[Method::DELETE, Method::GET, Method::HEAD],
            Self::Uploads(_) => &[Method::POST],
            Self::Upload(..) => &[Method::DELETE, Method::GET, Method::HEAD, Method::PATCH, Method::PUT],
        }
    }

    /// Which repository it is about.
    pub(crate) const fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Referrers(name, _) => Some(name),
        }
    }

    /// What it is called in metrics, as in the Go registry.
    pub(crate) const fn handler(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Tags(_) => "tags",
            Self::Manifest(..) => "manifest",
            Self::Blob(..) => "blob",
            Self::Uploads(_) => "blob_upload",
            Self::Upload(..) => "blob_upload_chunk",
            Self::Referrers(..) => "referrers",
        }
    }
}

fn repository(name: &str) -> Result<RepositoryName, NoRoute> {
    name.parse().map_err(|error| NoRoute::Invalid(ApiError::new(Code::NameInvalid, error)))
}

fn digest(text: &str) -> Result<Digest, NoRoute> {
    text.parse().map_err(|error| NoRoute::Invalid(ApiError::new(Code::DigestInvalid, error)))
}

/// What has a `:` is a digest, and never a tag.
fn manifest(text: &str) -> Result<ManifestName, NoRoute> {
    if text.contains(':') {
        return digest(text).map(ManifestName::Digest);
    }
    let tag = text.parse().map_err(|error| NoRoute::Invalid(ApiError::new(Code::TagInvalid, error)))?;
    Ok(ManifestName::Tag(tag))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn the_end_of_a_path_says_what_it_is_about() {
        let digest = Digest::of(b"x");
        let id = UploadId::random();
        let tag = |text: &str| ManifestName::Tag(text.parse().unwrap());
        for (path, route) in [
            ("/v2".to_owned(), Route::Base),
            ("/v2/".to_owned(), Route::Base),
            ("/v2/_catalog".to_owned(), Route::Catalog),
            ("/v2/a/tags/list".to_owned(), Route::Tags(name("a"))),
            ("/v2/a/b/manifests/latest".to_owned(), Route::Manifest(name("a/b"), tag("latest"))),
            (format!("/v2/a/manifests/{digest}"), Route::Manifest(name("a"), ManifestName::Digest(digest))),
            (format!("/v2/a/blobs/{}", digest.to_string().replace(':', "%3A")), Route::Blob(name("a"), digest)),
            (format!("/v2/a/referrers/{digest}"), Route::Referrers(name("a"), digest)),
            ("/v2/a/blobs/uploads".to_owned(), Route::Uploads(name("a"))),
            ("/v2/a/blobs/uploads/".to_owned(), Route::Uploads(name("a"))),
            (format!("/v2/a/blobs/uploads/{id}"), Route::Upload(name("a"), id)),
            ("/v2/blobs/uploads/manifests/list".to_owned(), Route::Manifest(name("blobs/uploads"), tag("list"))),
            ("/v2/tags/list/tags/list".to_owned(), Route::Tags(name("tags/list"))),
            ("/v2/manifests/manifests/manifests".to_owned(), Route::Manifest(name("manifests"), tag("manifests"))),
        ] {
            assert_eq!(Route::parse(&path).unwrap(), route, "{path}");
        }
    }

    #[test]
    fn a_wrong_name_is_told_and_an_unknown_path_is_none() {
        let code = |path: &str| match Route::parse(path) {
            Err(NoRoute::Invalid(error)) => Some(error.code()),
            Err(NoRoute::Unknown) => None,
            Ok(route) => panic!("{path}: {route:?}"),
        };
        assert_eq!(code("/v2/A/tags/list"), Some(Code::NameInvalid));
        assert_eq!(code("/v2/a/../b/tags/list"), Some(Code::NameInvalid));
        assert_eq!(code(&format!("/v2/{}/tags/list", "a".repeat(256))), Some(Code::NameInvalid));
        assert_eq!(code("/v2/a/manifests/sha256:baddigeststring"), Some(Code::DigestInvalid));
        assert_eq!(code("/v2/a/manifests/-x"), Some(Code::TagInvalid));
        assert_eq!(code("/v2/a/blobs/md5:00"), Some(Code::DigestInvalid));
        assert_eq!(code("/v2/a/blobs/uploads/x"), Some(Code::BlobUploadUnknown));
        for path in
            ["/", "/v1/", "/v2a", "//v2/", "/v2/a", "/v2/a/tags", "/v2/tags/list/", "/v2/a/uploads/x", "/v2/%ff/x"]
        {
            assert_eq!(code(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in r"/v2/[a-z%0-9A-F./:]{0,60}(/blobs|/manifests|/uploads)?/[a-z%0-9:]{0,80}", any in ".*") {
            let _ = Route::parse(&path);
            let _ = Route::parse(&any);
        }
    }
}
