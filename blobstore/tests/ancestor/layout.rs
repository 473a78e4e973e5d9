//! An image in a directory, as skopeo reads it.

use std::fs;
use std::path::Path;

use blobstore::{Digest, media_type};
use bytes::Bytes;

use crate::fixture::described;

/// What was written.
pub(crate) struct ImageLayout {
    pub(crate) manifest: Digest,
    pub(crate) content: Bytes,
}

impl ImageLayout {
    /// Writes an image with these layers into an empty directory.
    pub(crate) fn write(directory: &Path, layers: &[&[u8]]) -> Self {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let blob = |content: &[u8]| {
            let digest = Digest::of(content);
            fs::write(blobs.join(digest.hex()), content).unwrap();
            digest
        };
        let digests: Vec<_> = layers.iter().map(|layer| blob(layer)).collect();
        let differences: Vec<_> = digests.iter().map(|digest| format!("\"{digest}\"")).collect();
        let config = format!(
            r#"{{"architecture": "amd64", "os": "linux", "rootfs": {{"type": "layers", "diff_ids": [{}]}}}}"#,
            differences.join(",")
        );
        let listed: Vec<_> = digests
            .iter()
            .zip(layers)
            .map(|(digest, layer)| described("application/vnd.oci.image.layer.v1.tar", digest, layer.len() as u64))
            .collect();
        let config_digest = blob(config.as_bytes());
        let content = Bytes::from(format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
            media_type::OCI_MANIFEST,
            described("application/vnd.oci.image.config.v1+json", &config_digest, config.len() as u64),
            listed.join(",")
        ));
        let manifest = blob(&content);
        let index = format!(
            r#"{{"schemaVersion": 2, "manifests": [{}]}}"#,
            described(media_type::OCI_MANIFEST, &manifest, content.len() as u64)
        );
        fs::write(directory.join("index.json"), index).unwrap();
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
        Self { manifest, content }
    }
}
