//! Images in directories, as skopeo reads and writes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use blobstore::{Digest, media_type};
use serde_json::json;

/// Writes an image with these layers into an empty directory; answers with the digest of its manifest.
pub(crate) fn write(directory: &Path, layers: &[&[u8]]) -> Digest {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |content: &[u8]| {
        let digest = Digest::of(content);
        fs::write(blobs.join(digest.hex()), content).unwrap();
        digest
    };
    let digests: Vec<_> = layers.iter().map(|layer| blob(layer)).collect();
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": digests } });
    let described =
        |kind: &str, digest: &Digest, size: usize| json!({ "mediaType": kind, "digest": digest, "size": size });
    let listed = digests.iter().zip(layers);
    let listed: Vec<_> = listed
        .map(|(digest, layer)| described("application/vnd.oci.image.layer.v1.tar", digest, layer.len()))
        .collect();
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": described("application/vnd.oci.image.config.v1+json", &blob(config.as_bytes()), config.len()),
        "layers": listed,
    });
    let manifest = manifest.to_string();
    let digest = blob(manifest.as_bytes());
    let index =
        json!({ "schemaVersion": 2, "manifests": [described(media_type::OCI_MANIFEST, &digest, manifest.len())] });
    fs::write(directory.join("index.json"), index.to_string()).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    digest
}

/// The blobs of an image in a directory, by their names.
pub(crate) fn blobs(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(directory.join("blobs/sha256")).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())).collect()
}
