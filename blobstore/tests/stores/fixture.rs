//! Stores to test with.

use blobstore::blob::{BlobIngester, BlobProvider};
use blobstore::{Digest, Manifests, Namespace, NamespaceOptions, Repository, RepositoryName, Tag, UploadOptions};
use bytes::Bytes;
use driver_api::{Context, GetOptions, ListOptions, Storage, StoragePath};
use driver_filesystem::{FilesystemDriver, FilesystemDurability, FilesystemOptions};
use driver_inmemory::MemoryDriver;

/// A store, and what keeps it alive.
pub(crate) struct Store {
    pub(crate) storage: Storage,
    pub(crate) context: Context,
    _directory: Option<tempfile::TempDir>,
}

impl Store {
    /// One on each driver that needs nothing.
    pub(crate) fn on_each_driver() -> [Self; 2] {
        let directory = tempfile::tempdir().unwrap();
        // The power stays on.
        let mut options = FilesystemOptions::new(directory.path());
        options.durability = FilesystemDurability::Process;
        let filesystem = FilesystemDriver::new(options).unwrap();
        let on = |storage, directory| Self { storage, context: Context::background(), _directory: directory };
        [on(Storage::new(MemoryDriver::default()), None), on(Storage::new(filesystem), Some(directory))]
    }

    pub(crate) fn in_memory() -> Self {
        let [store, _] = Self::on_each_driver();
        store
    }

    /// A namespace as a process of its own would have it.
    pub(crate) fn namespace(&self) -> Namespace {
        namespace(&self.storage)
    }

    pub(crate) fn repository(&self, name: &str) -> Repository {
        self.namespace().repository(self::name(name))
    }

    /// Every file below a directory, with what is in it.
    pub(crate) async fn files(&self, directory: &str) -> Vec<(String, Bytes)> {
        let at = StoragePath::parse(directory).unwrap();
        let Ok(listing) = self.storage.list(&self.context, &at, ListOptions::recursive()).await else {
            return Vec::new();
        };
        let mut files = Vec::new();
        for entry in listing.collect().await.unwrap() {
            let (_, content) = self.storage.get(&self.context, entry.path(), GetOptions::default()).await.unwrap();
            files.push((entry.path().to_string(), content));
        }
        files
    }

    pub(crate) async fn names(&self, directory: &str) -> Vec<String> {
        self.files(directory).await.into_iter().map(|(name, _)| name).collect()
    }
}

pub(crate) fn namespace(storage: &Storage) -> Namespace {
    let mut options = NamespaceOptions::default();
    options.delete_enabled = true;
    Namespace::new(storage.clone(), options)
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// Bytes of which no two pieces are the same.
pub(crate) fn content(size: usize) -> Bytes {
    (0..size as u32 / 4 + 1).flat_map(|word| (word ^ 0x5EED).to_be_bytes()).take(size).collect::<Vec<_>>().into()
}

/// An image with a configuration and these layers, which are pushed with it.
pub(crate) async fn image(context: &Context, repository: &Repository, layers: &[&'static str]) -> Bytes {
    let blobs = repository.blobs();
    let config = blobs.put(context, Bytes::from_static(b"{}")).await.unwrap();
    let mut listed = Vec::new();
    for layer in layers {
        let layer = blobs.put(context, Bytes::from_static(layer.as_bytes())).await.unwrap();
        listed.push(described("application/vnd.oci.image.layer.v1.tar", &layer.digest, layer.size));
    }
    let config = described("application/vnd.oci.image.config.v1+json", &config.digest, config.size);
    format!(r#"{{"schemaVersion": 2, "config": {config}, "layers": [{}]}}"#, listed.join(",")).into()
}

pub(crate) fn described(media_type: &str, digest: &Digest, size: u64) -> String {
    format!(r#"{{"mediaType": "{media_type}", "digest": "{digest}", "size": {size}}}"#)
}

/// Pushes a manifest, and tells its digest.
pub(crate) async fn push(context: &Context, manifests: &Manifests, content: Bytes, tags: &[&str]) -> Digest {
    let tags: Vec<_> = tags.iter().map(|text| tag(text)).collect();
    manifests.put(context, None, content, None, &tags).await.unwrap().descriptor.digest
}

/// Uploads a blob in one go.
pub(crate) async fn upload(context: &Context, repository: &Repository, content: Bytes) -> Digest {
    let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
    let digest = Digest::of(&content);
    upload.write(context, content).await.unwrap();
    upload.commit(context, &digest, None).await.unwrap().digest
}

/// Pulls a manifest with all that it names, and checks every byte.
pub(crate) async fn pull(context: &Context, repository: &Repository, digest: &Digest) -> blobstore::Result<()> {
    let manifest = repository.manifests().get(context, digest).await?;
    assert_eq!(Digest::with(digest.algorithm(), manifest.content()), *digest);
    for blob in manifest.blobs() {
        let content = repository.blobs().get(context, &blob.digest, 1 << 20).await?;
        assert_eq!(Digest::with(blob.digest.algorithm(), &content), blob.digest);
    }
    for child in manifest.manifests() {
        Box::pin(pull(context, repository, &child.digest)).await?;
    }
    Ok(())
}
