//! The Go registry and these stores on one directory: what one writes the other reads.
//!
//! Debian's docker-registry is brought up by `ci/services`, and is pushed to and pulled from with skopeo, whose packages are
//! Debian's as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

#[path = "../stores/fixture.rs"]
#[allow(dead_code, reason = "made for another test, too")]
mod fixture;
mod layout;

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use blobstore::blob::BlobIngester;
use blobstore::{Algorithm, Digest, Hasher, Namespace, UploadId, UploadOptions, media_type};
use bytes::Bytes;
use driver_api::{Context, Storage};
use driver_filesystem::{FilesystemDriver, FilesystemOptions};

use crate::fixture::{content, described, image, name, namespace, pull, push, tag};
use crate::layout::ImageLayout;

/// The registry that runs, by what `ci/services` prints.
struct Registry {
    address: String,
    directory: String,
    program: String,
    configuration: String,
    skopeo: String,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let engine = engines::Engine::start("registry");
    Registry {
        address: engine.get("BLOBSTORE_REGISTRY_ADDRESS"),
        directory: engine.get("BLOBSTORE_REGISTRY_DIRECTORY"),
        program: engine.get("BLOBSTORE_REGISTRY_PROGRAM"),
        configuration: engine.get("BLOBSTORE_REGISTRY_CONFIGURATION"),
        skopeo: engine.get("BLOBSTORE_SKOPEO"),
    }
});

impl Registry {
    fn stores(&self) -> Namespace {
        let driver = FilesystemDriver::new(FilesystemOptions::new(&self.directory)).unwrap();
        namespace(&Storage::new(driver))
    }

    fn skopeo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        let output = Command::new(&self.skopeo).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn reference(&self, repository: &str, tag: &str) -> String {
        format!("docker://{}/{repository}:{tag}", self.address)
    }
}

/// A repository that no other test has.
fn own(what: &str) -> String {
    format!("{what}/{}", UploadId::random())
}

#[tokio::test]
async fn what_skopeo_pushed_to_the_go_registry_is_pulled_here() {
    let (registry, context, repository) = (&*REGISTRY, Context::background(), own("pushed"));
    let directory = tempfile::tempdir().unwrap();
    let image = ImageLayout::write(directory.path(), &[b"one", b"two", &content(3_000_000)]);
    let source = format!("oci:{}", directory.path().display());
    for tag in ["1.0", "latest"] {
        registry.skopeo([
            "copy",
            "--preserve-digests",
            "--dest-tls-verify=false",
            &source,
            &registry.reference(&repository, tag),
        ]);
    }
    let ours = registry.stores().repository(name(&repository));
    assert_eq!(ours.tags().all(&context).await.unwrap(), [tag("1.0"), tag("latest")]);
    assert_eq!(ours.tags().get(&context, &tag("1.0")).await.unwrap(), image.manifest);
    let manifest = ours.manifests().get(&context, &image.manifest).await.unwrap();
    assert_eq!(manifest.content(), &image.content);
    for blob in manifest.blobs() {
        use blobstore::blob::BlobProvider;
        let content = ours.blobs().get(&context, &blob.digest, 4_000_000).await.unwrap();
        assert_eq!((Digest::of(&content), content.len() as u64), (blob.digest, blob.size));
    }
    let mut all = registry.stores().repositories(None);
    let mut found = false;
    while let Some(listed) = all.next(&context).await.unwrap() {
        found |= listed.as_str() == repository;
    }
    assert!(found, "{repository} is not listed");
}

#[tokio::test]
async fn what_is_pushed_here_skopeo_pulls_from_the_go_registry() {
    let (registry, context, repository) = (&*REGISTRY, Context::background(), own("written"));
    let ours = registry.stores().repository(name(&repository));
    // A layer in chunks, each by another process; one at once; a mount; and an index with a referrer.
    let other = registry.stores().repository(name(&own("other")));
    let mounted = other.blobs().put(&context, "mounted".into()).await.unwrap();
    ours.blobs().mount(&context, &mounted.digest, other.name(), UploadOptions::default()).await.unwrap();
    let whole = content(1_000_000);
    let upload = ours.blobs().create(&context, UploadOptions::default()).await.unwrap();
    let id = upload.id();
    upload.close(&context).await.unwrap();
    for chunk in [0..400_000, 400_000..1_000_000] {
        let stores = registry.stores().repository(name(&repository)).blobs();
        let mut upload = stores.resume(&context, id, UploadOptions::default()).await.unwrap();
        upload.write(&context, whole.slice(chunk)).await.unwrap();
        upload.close(&context).await.unwrap();
    }
    let upload = ours.blobs().resume(&context, id, UploadOptions::default()).await.unwrap();
    let layer = upload.commit(&context, &Digest::of(&whole), None).await.unwrap();
    // skopeo wants a configuration that names the layers.
    let differences: Vec<_> = [&layer, &mounted].iter().map(|layer| format!("\"{}\"", layer.digest)).collect();
    let config = format!(
        r#"{{"architecture": "amd64", "os": "linux", "rootfs": {{"type": "layers", "diff_ids": [{}]}}}}"#,
        differences.join(",")
    );
    let config = ours.blobs().put(&context, config.into()).await.unwrap();
    let layers =
        [&layer, &mounted].map(|blob| described("application/vnd.oci.image.layer.v1.tar", &blob.digest, blob.size));
    let content = Bytes::from(format!(
        r#"{{"schemaVersion": 2, "mediaType": "{}", "config": {}, "layers": [{}]}}"#,
        media_type::OCI_MANIFEST,
        described("application/vnd.oci.image.config.v1+json", &config.digest, config.size),
        layers.join(",")
    ));
    let digest = push(&context, &ours.manifests(), content.clone(), &["latest", "other"]).await;
    let subject = described(media_type::OCI_MANIFEST, &digest, content.len() as u64);
    let referrer = format!(
        r#"{{"schemaVersion": 2, "mediaType": "{}", "manifests": [], "subject": {subject}}}"#,
        media_type::OCI_INDEX
    );
    push(&context, &ours.manifests(), referrer.into(), &[]).await;

    let directory = tempfile::tempdir().unwrap();
    let target = format!("dir:{}", directory.path().display());
    registry.skopeo(["copy", "--src-tls-verify=false", &registry.reference(&repository, "latest"), &target]);
    assert_eq!(std::fs::read(directory.path().join("manifest.json")).unwrap(), content);
    for blob in [layer.digest, mounted.digest, config.digest] {
        let pulled = std::fs::read(directory.path().join(blob.hex())).unwrap();
        assert_eq!(Digest::of(&pulled), blob);
    }
    let image = format!("docker://{}/{repository}", registry.address);
    let tags = registry.skopeo(["list-tags", "--tls-verify=false", &image]);
    assert!(tags.contains("\"latest\"") && tags.contains("\"other\""), "{tags}");
    // Its delete is one here.
    registry.skopeo(["delete", "--tls-verify=false", &registry.reference(&repository, "latest")]);
    assert!(ours.manifests().get(&context, &digest).await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn the_collector_of_the_go_registry_finds_its_way_in_what_is_written_here() {
    let registry = &*REGISTRY;
    let directory = tempfile::tempdir().unwrap();
    let configuration = std::fs::read_to_string(&registry.configuration).unwrap();
    let configuration = configuration.replace(&registry.directory, &directory.path().display().to_string());
    let file = directory.path().join("registry.yml");
    std::fs::write(&file, configuration).unwrap();
    let driver = FilesystemDriver::new(FilesystemOptions::new(directory.path())).unwrap();
    let (stores, context) = (namespace(&Storage::new(driver)), Context::background());
    let repository = stores.repository(name("a/b"));
    let kept = image(&context, &repository, &["one", "two"]).await;
    let kept = push(&context, &repository.manifests(), kept, &["latest"]).await;
    let subject = described(media_type::OCI_MANIFEST, &kept, 1);
    let referrer = format!(
        r#"{{"schemaVersion": 2, "mediaType": "{}", "manifests": [], "subject": {subject}}}"#,
        media_type::OCI_INDEX
    );
    let referrer = push(&context, &repository.manifests(), referrer.into(), &[]).await;
    let garbage = repository.blobs().put(&context, "garbage".into()).await.unwrap().digest;
    let upload = repository.blobs().create(&context, UploadOptions::default()).await.unwrap();
    upload.close(&context).await.unwrap();
    let output = Command::new(&registry.program).arg("garbage-collect").arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    pull(&context, &repository, &kept).await.unwrap();
    repository.manifests().get(&context, &referrer).await.unwrap();
    let gone = blobstore::Place::Blob(garbage).path();
    assert!(stores.storage().stat(&context, &gone).await.unwrap_err().is_not_found(), "{text}");
}

/// Uploads of the Go registry keep states of the hash that it made itself.
#[tokio::test]
async fn a_state_of_the_hash_that_the_go_registry_wrote_is_understood() {
    let (registry, repository) = (&*REGISTRY, own("states"));
    let client = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--include"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let begun = client(&["--request", "POST", &format!("http://{}/v2/{repository}/blobs/uploads/", registry.address)]);
    let location = begun.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().trim().to_owned();
    let patched = client(&[
        "--request",
        "PATCH",
        "--header",
        "Content-Type: application/octet-stream",
        "--data-binary",
        "hello",
        &location,
    ]);
    assert!(patched.starts_with("HTTP/1.1 202"), "{patched}");
    let uploads = Path::new(&registry.directory).join(format!("docker/registry/v2/repositories/{repository}/_uploads"));
    let upload = std::fs::read_dir(uploads).unwrap().next().unwrap().unwrap().path();
    let state = std::fs::read(upload.join("hashstates/sha256/5")).unwrap();
    let mut hasher = Hasher::restore(Algorithm::Sha256, &state, 5).unwrap();
    assert_eq!(hasher.save(), state);
    hasher.update(b" world");
    assert_eq!(hasher.digest(), Digest::of(b"hello world"));
    // Its bytes are a file, where ours are a session: it is known, and as good as whole.
    let id: UploadId = upload.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let (context, stores) = (Context::background(), registry.stores());
    let blobs = stores.repository(name(&repository)).blobs();
    let resumed = blobs.resume(&context, id, UploadOptions::default()).await.unwrap();
    assert_eq!(resumed.size(), 5);
    resumed.commit(&context, &Digest::of(b"hello"), None).await.unwrap();
    let got = client(&[&format!("http://{}/v2/{repository}/blobs/{}", registry.address, Digest::of(b"hello"))]);
    assert!(got.ends_with("hello"), "{got}");
}
