//! From bytes to a manifest.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use super::{Kind, MAX_MANIFEST_BYTES, Manifest, media_type};
use crate::descriptor::{Descriptor, Reference};
use crate::digest::Digest;
use crate::error::{Error, Result};

/// Everything that any kind of manifest has and that matters here. Whatever else there is stays in the bytes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Reference>,
    layers: Option<Vec<Reference>>,
    manifests: Option<Vec<Reference>>,
    subject: Option<Reference>,
    annotations: Option<BTreeMap<String, String>>,
    fs_layers: Option<Vec<FileSystemLayer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileSystemLayer {
    blob_sum: Digest,
}

impl Manifest {
    /// Reads a manifest. `media_type` is what came with it: a header, without parameters.
    ///
    /// Errors: ManifestInvalid, which says why.
    ///
    /// ```
    /// use blobstore::{Kind, Manifest};
    /// let content = r#"{"schemaVersion": 2, "manifests": []}"#;
    /// assert_eq!(Manifest::parse(None, content.into())?.kind(), Kind::Index);
    /// # Ok::<(), blobstore::Error>(())
    /// ```
    pub fn parse(media_type: Option<&str>, content: Bytes) -> Result<Self> {
        if content.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(invalid(format!("it has {} bytes, and {MAX_MANIFEST_BYTES} are allowed", content.len())));
        }
        let wire: Wire = serde_json::from_slice(&content).map_err(|error| invalid(error.to_string()))?;
        let media_type = wire.agreed_media_type(media_type)?;
        let kind = wire.kind(&media_type)?;
        let descriptor = Descriptor { media_type, digest: Digest::of(&content), size: content.len() as u64 };
        let config_type = wire.config.as_ref().map(|config| config.media_type.clone());
        let about = Reference {
            media_type: descriptor.media_type.to_string(),
            digest: descriptor.digest,
            size: descriptor.size,
            urls: Vec::new(),
            artifact_type: wire.artifact_type.filter(|kind| !kind.is_empty()).or(config_type),
            annotations: wire.annotations.unwrap_or_default(),
        };
        let old_layers = wire.fs_layers.unwrap_or_default().into_iter().map(|layer| Reference::of_blob(layer.blob_sum));
        let blobs = wire.config.into_iter().chain(wire.layers.unwrap_or_default()).chain(old_layers).collect();
        Ok(Self {
            content,
            descriptor,
            kind,
            blobs,
            manifests: wire.manifests.unwrap_or_default(),
            subject: wire.subject,
            about,
        })
    }
}

impl Wire {
    /// What the header and the manifest say that it is, where they do not contradict each other; else what it looks like.
    fn agreed_media_type(&self, header: Option<&str>) -> Result<Cow<'static, str>> {
        // Clients that know no better call everything JSON.
        let header = header.filter(|header| !matches!(*header, "" | "application/json" | "application/octet-stream"));
        let body = self.media_type.as_deref().filter(|body| !body.is_empty());
        match (header, body) {
            (Some(header), Some(body)) if header != body => {
                Err(invalid(format!("it says that it is {body}, and came as {header}")))
            }
            (Some(known), _) | (None, Some(known)) => Ok(Cow::Owned(known.to_owned())),
            (None, None) if self.schema_version == Some(1) => Ok(Cow::Borrowed(media_type::DOCKER_SCHEMA1)),
            (None, None) if self.manifests.is_some() => Ok(Cow::Borrowed(media_type::OCI_INDEX)),
            (None, None) => Ok(Cow::Borrowed(media_type::OCI_MANIFEST)),
        }
    }

    /// What it is, if it has what that has and nothing of another kind: two programs must not take it for different things.
    fn kind(&self, media_type: &str) -> Result<Kind> {
        let (kind, version) = match media_type {
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => (Kind::Image, 2),
            media_type::OCI_INDEX | media_type::DOCKER_LIST => (Kind::Index, 2),
            media_type::DOCKER_SIGNED | media_type::DOCKER_SCHEMA1 => (Kind::Schema1, 1),
            other => return Err(invalid(format!("manifests of the media type {other} are not taken"))),
        };
        if self.schema_version != Some(version) {
            return Err(invalid(format!("`schemaVersion` must be {version}")));
        }
        let parts = [
            ("config", self.config.is_some(), Kind::Image),
            ("layers", self.layers.is_some(), Kind::Image),
            ("manifests", self.manifests.is_some(), Kind::Index),
            ("fsLayers", self.fs_layers.is_some(), Kind::Schema1),
        ];
        for (name, is_there, of) in parts {
            if is_there && of != kind {
                return Err(invalid(format!("`{name}` does not belong into {media_type}")));
            }
            if !is_there && of == kind {
                return Err(invalid(format!("`{name}` is missing")));
            }
        }
        Ok(kind)
    }
}

impl Reference {
    fn of_blob(digest: Digest) -> Self {
        Self {
            media_type: String::new(),
            digest,
            size: 0,
            urls: Vec::new(),
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Whether it is a layer that may be had elsewhere only.
    pub(crate) fn is_foreign(&self) -> bool {
        let is_of_that_kind = self.media_type.contains(".nondistributable.") || self.media_type.contains(".foreign.");
        is_of_that_kind && !self.urls.is_empty()
    }
}

fn invalid(reason: String) -> Error {
    Error::ManifestInvalid(reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(media_type: Option<&str>, text: &str) -> Result<Manifest> {
        Manifest::parse(media_type, Bytes::copy_from_slice(text.as_bytes()))
    }

    fn image(extra: &str) -> String {
        let (config, layer) = (Digest::of(b"config"), Digest::of(b"layer"));
        format!(
            r#"{{"schemaVersion": 2, "config": {{"mediaType": "c", "digest": "{config}", "size": 6, "data": "e30="}},
                 "layers": [{{"mediaType": "l", "digest": "{layer}", "size": 5}}]{extra}}}"#
        )
    }

    #[test]
    fn an_image_names_its_configuration_and_its_layers() {
        let manifest = parse(Some(media_type::OCI_MANIFEST), &image("")).unwrap();
        let named: Vec<_> = manifest.references().copied().collect();
        assert_eq!(named, [Digest::of(b"config"), Digest::of(b"layer")]);
        assert_eq!((manifest.kind(), manifest.descriptor().size), (Kind::Image, image("").len() as u64));
        assert_eq!(manifest.content(), image("").as_bytes());
        assert_eq!(manifest.about().artifact_type.as_deref(), Some("c"));
    }

    #[test]
    fn a_referrer_has_a_subject_a_type_and_annotations() {
        let subject = Digest::with(crate::Algorithm::Sha512, b"subject");
        let extra =
            format!(r#", "subject": {{"digest": "{subject}"}}, "artifactType": "sbom", "annotations": {{"a": "b"}}"#);
        let manifest = parse(None, &image(&extra)).unwrap();
        assert_eq!(manifest.subject().unwrap().digest, subject);
        assert_eq!(manifest.about().artifact_type.as_deref(), Some("sbom"));
        assert_eq!(manifest.about().annotations["a"], "b");
        assert!(!manifest.references().any(|named| *named == subject));
    }

    #[test]
    fn the_kind_is_what_header_and_body_agree_on() {
        let index = r#"{"schemaVersion": 2, "manifests": []}"#;
        let typed = r#"{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": []}"#;
        for (header, body, expected) in [
            (None, index, media_type::OCI_INDEX),
            (Some("application/json"), index, media_type::OCI_INDEX),
            (Some(media_type::DOCKER_LIST), index, media_type::DOCKER_LIST),
            (None, typed, media_type::DOCKER_LIST),
            (Some(media_type::DOCKER_LIST), typed, media_type::DOCKER_LIST),
        ] {
            assert_eq!(parse(header, body).unwrap().descriptor().media_type, expected);
        }
        assert!(parse(Some(media_type::OCI_INDEX), typed).is_err());
        assert!(parse(Some("text/html"), index).is_err());
    }

    #[test]
    fn what_two_programs_could_read_differently_is_refused() {
        for (header, body) in [
            (None, r#"{"schemaVersion": 2, "manifests": [], "layers": []}"#.to_owned()),
            (Some(media_type::OCI_INDEX), image("")),
            (Some(media_type::OCI_MANIFEST), image(r#", "manifests": []"#)),
            (Some(media_type::OCI_MANIFEST), image(r#", "fsLayers": []"#)),
            (Some(media_type::OCI_MANIFEST), r#"{"schemaVersion": 2, "layers": []}"#.to_owned()),
            (Some(media_type::OCI_INDEX), r#"{"schemaVersion": 1, "manifests": []}"#.to_owned()),
            (None, "[]".to_owned()),
            (None, "{}".to_owned()),
            (None, String::new()),
            (None, "[".repeat(100_000)),
            (None, r#"{"schemaVersion": 2, "manifests": [{"digest": "sha256:../../x"}]}"#.to_owned()),
            (None, r#"{"schemaVersion": 2, "manifests": [], "manifests": []}"#.to_owned()),
        ] {
            assert!(matches!(parse(header, &body), Err(Error::ManifestInvalid(_))), "{header:?} {body:.80}");
        }
        let long = format!(r#"{{"schemaVersion": 2, "manifests": [], "x": "{}"}}"#, "x".repeat(4 * 1024 * 1024));
        assert!(parse(None, &long).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(content in any::<Vec<u8>>(), text in r#"[\[\]{}:,"0-9a-z ]{0,200}"#) {
            let _ = Manifest::parse(None, content.into());
            let _ = Manifest::parse(None, text.into());
        }
    }
}
