//! What must hold of any bytes that clients, backends and other registries hand to the stores.

use std::str::from_utf8;
use std::sync::LazyLock;

use blobstore::blob::{BlobIngester, BlobStatter};
use blobstore::{
    Algorithm, Digest, Error, Hasher, Manifest, Namespace, NamespaceOptions, Place, RepositoryName, Tag, UploadId,
    UploadOptions, media_type,
};
use bytes::Bytes;
use driver_api::{Context, PutOptions, Storage, StoragePath};
use driver_inmemory::MemoryDriver;

/// A target by its name.
pub(crate) type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: [Target; 7] = [
    ("digests", digests),
    ("names", names),
    ("places", places),
    ("links", links),
    ("manifests", manifests),
    ("signatures", signatures),
    ("states", states),
];

/// A text that is a digest is its only text.
pub(crate) fn digests(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let json = serde_json::to_string(text).unwrap();
    let parsed = text.parse::<Digest>();
    assert_eq!(serde_json::from_str::<Digest>(&json).ok(), parsed.ok());
    let Ok(digest) = parsed else { return };
    assert_eq!(digest.to_string(), text);
    assert_eq!(Digest::from_hex(digest.algorithm(), &digest.hex()), Ok(digest));
    let place = Place::Blob(digest);
    assert_eq!(Place::parse(&place.path()), Some(place));
}

/// A name leads to a path, and that back to it.
pub(crate) fn names(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let digest = Digest::of(b"");
    let there_and_back = |place: Place| assert_eq!(Place::parse(&place.path()), Some(place));
    let name: RepositoryName = "a".parse().unwrap();
    if let Ok(repository) = text.parse::<RepositoryName>() {
        assert_eq!(repository.as_str(), text);
        assert_eq!(repository.components().collect::<Vec<_>>().join("/"), text);
        there_and_back(Place::Layer(repository, digest));
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(tag.as_str(), text);
        there_and_back(Place::TagIndexEntry(name.clone(), tag, digest));
    }
    if let Ok(id) = text.parse::<UploadId>() {
        assert_eq!(id.to_string(), text);
        there_and_back(Place::UploadData(name, id));
    }
}

/// A path that is that of a place is its only path.
pub(crate) fn places(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let below = format!("/docker/registry/v2/{text}");
    for text in [text, &below] {
        let Ok(path) = StoragePath::parse(text) else { continue };
        if let Some(place) = Place::parse(&path) {
            assert_eq!(place.path(), path);
        }
    }
}

struct Stores {
    storage: Storage,
    namespace: Namespace,
    context: Context,
}

impl Stores {
    fn new() -> Self {
        let storage = Storage::new(MemoryDriver::default());
        let mut options = NamespaceOptions::default();
        options.delete_enabled = true;
        Self { namespace: Namespace::new(storage.clone(), options), storage, context: Context::background() }
    }

    async fn put(&self, place: Place, content: &[u8]) {
        let content = Bytes::copy_from_slice(content);
        self.storage.put(&self.context, &place.path(), content, PutOptions::default()).await.unwrap();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().unwrap());
    RUNTIME.block_on(future)
}

fn repository() -> RepositoryName {
    "a".parse().unwrap()
}

/// A link leads where its whole text says, or is damaged.
pub(crate) fn links(data: &[u8]) {
    wait(async {
        let (stores, tag) = (Stores::new(), "t".parse::<Tag>().unwrap());
        let (context, name) = (&stores.context, Digest::of(b"name"));
        let named = stores.namespace.repository(repository());
        stores.put(Place::Tagged(repository(), tag.clone()), data).await;
        match named.tags().get(context, &tag).await {
            Ok(digest) => assert_eq!(digest.to_string().as_bytes(), data),
            Err(Error::Damaged { .. }) => assert!(from_utf8(data).map_or(true, |text| text.parse::<Digest>().is_err())),
            Err(error) => panic!("{error}"),
        }
        stores.put(Place::Layer(repository(), name), data).await;
        let found = named.blobs().stat(context, &name).await;
        assert!(matches!(found, Err(Error::Damaged { .. } | Error::BlobUnknown(_))), "{found:?}");
    });
}

/// What is a manifest by itself is one by what it was taken for, is stored byte by byte, and read as the same.
pub(crate) fn manifests(data: &[u8]) {
    let content = Bytes::copy_from_slice(data);
    for header in [None, Some(media_type::OCI_INDEX), Some(media_type::DOCKER_MANIFEST)] {
        let Ok(manifest) = Manifest::parse(header, content.clone()) else { continue };
        let taken_for = manifest.descriptor().media_type.clone();
        let again = Manifest::parse(Some(&taken_for), content.clone()).unwrap();
        assert_eq!((again.kind(), again.descriptor()), (manifest.kind(), manifest.descriptor()));
        assert!(again.references().eq(manifest.references()));
        assert_eq!(manifest.descriptor().digest, Digest::of(data));
    }
    wait(async {
        let stores = Stores::new();
        let manifests = stores.namespace.repository(repository()).manifests();
        match manifests.put(&stores.context, None, content.clone(), None, &[]).await {
            Ok(pushed) => {
                let manifest = manifests.get(&stores.context, &pushed.descriptor.digest).await.unwrap();
                assert_eq!(manifest.content(), &content);
                if let Some(subject) = pushed.subject {
                    assert_eq!(
                        manifests.referrers_page(&stores.context, &subject, None, 100).await.unwrap().references.len(),
                        1
                    );
                }
            }
            Err(Error::ManifestInvalid(_) | Error::ReferencesUnknown(_)) => {}
            Err(error) => panic!("{error}"),
        }
    });
}

/// A manifest of schema 1 and a signature of it, with a zero byte between, are served as JSON or told to be damaged.
pub(crate) fn signatures(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return };
    let (text, signature) = (&data[..end], &data[end + 1..]);
    wait(async {
        let stores = Stores::new();
        let (manifest, signed_with) = (Digest::of(text), Digest::of(signature));
        let link = Place::Signature { repository: repository(), manifest, signature: signed_with };
        stores.put(Place::Blob(manifest), text).await;
        stores.put(Place::Blob(signed_with), signature).await;
        stores.put(Place::Revision(repository(), manifest), manifest.to_string().as_bytes()).await;
        stores.put(link, signed_with.to_string().as_bytes()).await;
        match stores.namespace.repository(repository()).manifests().get(&stores.context, &manifest).await {
            Ok(found) => {
                assert_eq!(found.descriptor().digest, manifest);
                serde_json::from_slice::<serde::de::IgnoredAny>(found.content()).unwrap();
            }
            Err(Error::Damaged { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    });
}

/// A state that can be used is that of a hasher: it is saved as one that is as good, and takes more bytes. One beside an upload is
/// used or passed over.
pub(crate) fn states(data: &[u8]) {
    for algorithm in Algorithm::ALL {
        let hashed = data.last_chunk().map_or(0, |count| u64::from_be_bytes(*count));
        let Ok(mut hasher) = Hasher::restore(algorithm, data, hashed) else { continue };
        let saved = hasher.save();
        let mut again = Hasher::restore(algorithm, &saved, hashed).unwrap();
        for hasher in [&mut hasher, &mut again] {
            hasher.update(&[7; 200]);
        }
        assert_eq!((again.digest(), again.save()), (hasher.digest(), hasher.save()));
    }
    wait(async {
        let (stores, context) = (Stores::new(), Context::background());
        let blobs = stores.namespace.repository(repository()).blobs();
        let mut upload = blobs.create(&context, UploadOptions::default()).await.unwrap();
        upload.write(&context, "hello".into()).await.unwrap();
        let id = upload.id();
        upload.close(&context).await.unwrap();
        stores.put(Place::HashState(repository(), id, Algorithm::Sha256, 5), data).await;
        stores.put(Place::UploadStarted(repository(), id), data).await;
        match blobs.resume(&context, id, UploadOptions::default()).await {
            Ok(upload) => assert_eq!(upload.size(), 5),
            Err(Error::Damaged { .. }) => {}
            Err(Error::Storage(error)) => assert_eq!(error.kind(), driver_api::ErrorKind::TooLarge, "{error}"),
            Err(error) => panic!("{error}"),
        }
    });
}
