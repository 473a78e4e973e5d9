//! Blobs that are there.

use blobstore::blob::{BlobDeleter, BlobIngester, BlobProvider, BlobServer, BlobStatter, Served};
use blobstore::{Begun, Digest, Error, UploadOptions};
use driver_api::ByteRange;

use crate::fixture::{Store, content, name, upload};

#[tokio::test]
async fn a_blob_is_read_where_it_was_put_and_nowhere_else() {
    for store in Store::on_each_driver() {
        let (context, [one, other]) = (&store.context, ["a/one", "other"].map(|name| store.repository(name)));
        let descriptor = one.blobs().put(context, content(1000)).await.unwrap();
        assert_eq!((descriptor.digest, descriptor.size), (Digest::of(&content(1000)), 1000));
        assert_eq!(one.blobs().stat(context, &descriptor.digest).await.unwrap(), descriptor);
        assert_eq!(one.blobs().get(context, &descriptor.digest, 1000).await.unwrap(), content(1000));
        assert!(matches!(one.blobs().get(context, &descriptor.digest, 999).await, Err(Error::Storage(_))));
        for refused in [
            other.blobs().stat(context, &descriptor.digest).await.map(drop),
            other.blobs().get(context, &descriptor.digest, 1000).await.map(drop),
            other.blobs().open(context, &descriptor.digest).await.map(drop),
            other.blobs().serve(context, &descriptor.digest, true).await.map(drop),
            other.blobs().delete(context, &descriptor.digest).await,
        ] {
            assert!(matches!(refused, Err(Error::BlobUnknown(digest)) if digest == descriptor.digest));
        }
    }
}

#[tokio::test]
async fn a_reader_goes_where_it_is_sent() {
    for store in Store::on_each_driver() {
        let (context, blobs) = (&store.context, store.repository("a").blobs());
        let whole = content(300_000);
        let digest = blobs.put(context, whole.clone()).await.unwrap().digest;
        let mut reader = blobs.open(context, &digest).await.unwrap();
        for range in [0..300_000, 7..9, 299_999..300_000, 300_000..300_000, 100..200_000] {
            let (start, length) = (range.start as u64, (range.end - range.start) as u64);
            reader.seek(ByteRange::span(start, length)).unwrap();
            let mut read = Vec::new();
            while let Some(chunk) = reader.next_chunk(context).await.unwrap() {
                read.extend_from_slice(&chunk);
            }
            assert_eq!(read, whole[range.clone()], "{range:?}");
        }
        assert!(reader.seek(ByteRange::from(300_001)).is_err());
    }
}

#[tokio::test]
async fn a_blob_that_is_damaged_or_gone_shows_before_its_first_byte() {
    let store = Store::in_memory();
    let (context, blobs) = (&store.context, store.repository("a").blobs());
    let digest = blobs.put(context, content(100)).await.unwrap().digest;
    let place = blobstore::Place::Blob(digest).path();
    let mut reader = blobs.open(context, &digest).await.unwrap();
    store.storage.put(context, &place, "short", Default::default()).await.unwrap();
    assert!(matches!(reader.ready(context).await, Err(Error::Damaged { .. })));
    store.storage.delete(context, &place, Default::default()).await.unwrap();
    assert!(matches!(reader.ready(context).await, Err(Error::BlobUnknown(_))));
}

#[tokio::test]
async fn a_put_mends_what_is_damaged() {
    for store in Store::on_each_driver() {
        let (context, blobs) = (&store.context, store.repository("a").blobs());
        let digest = Digest::of(&content(100));
        store.storage.put(context, &blobstore::Place::Blob(digest).path(), "short", Default::default()).await.unwrap();
        blobs.put(context, content(100)).await.unwrap();
        assert_eq!(blobs.get(context, &digest, 100).await.unwrap(), content(100));
    }
}

#[tokio::test]
async fn a_deleted_blob_stays_where_others_have_it() {
    for store in Store::on_each_driver() {
        let (context, [one, other]) = (&store.context, ["one", "other"].map(|name| store.repository(name)));
        let digest = upload(context, &one, content(10)).await;
        let mounted = other.blobs().mount(context, &digest, &name("one"), UploadOptions::default()).await.unwrap();
        assert!(matches!(mounted, Begun::Mounted(descriptor) if descriptor.size == 10));
        one.blobs().delete(context, &digest).await.unwrap();
        assert!(one.blobs().stat(context, &digest).await.unwrap_err().is_unknown());
        assert!(one.blobs().delete(context, &digest).await.unwrap_err().is_unknown());
        assert_eq!(other.blobs().get(context, &digest, 10).await.unwrap(), content(10));
    }
}

#[tokio::test]
async fn a_mount_of_what_cannot_be_read_there_becomes_an_upload() {
    for store in Store::on_each_driver() {
        let (context, [one, other]) = (&store.context, ["one", "other"].map(|name| store.repository(name)));
        let digest = upload(context, &one, content(10)).await;
        for (digest, from) in [(digest, "third"), (Digest::of(b"nothing"), "one")] {
            let begun = other.blobs().mount(context, &digest, &name(from), UploadOptions::default()).await.unwrap();
            assert!(matches!(begun, Begun::Upload(_)), "{begun:?}");
            assert!(other.blobs().stat(context, &digest).await.unwrap_err().is_unknown());
        }
        // A link is not enough: the content has to be there.
        store.storage.delete(context, &blobstore::Place::Blob(digest).path(), Default::default()).await.unwrap();
        let begun = other.blobs().mount(context, &digest, &name("one"), UploadOptions::default()).await.unwrap();
        assert!(matches!(begun, Begun::Upload(_)), "{begun:?}");
        assert!(store.names("/docker/registry/v2/repositories/other").await.is_empty());
    }
}

#[tokio::test]
async fn nothing_is_deleted_where_that_is_not_allowed() {
    let store = Store::in_memory();
    let (context, namespace) = (&store.context, blobstore::Namespace::new(store.storage.clone(), Default::default()));
    let repository = namespace.repository(name("a"));
    let digest = upload(context, &repository, content(10)).await;
    let tag = crate::fixture::tag("latest");
    for refused in [
        repository.blobs().delete(context, &digest).await,
        repository.manifests().delete(context, &digest).await,
        repository.tags().delete(context, &tag).await,
        repository.delete(context).await,
    ] {
        assert!(matches!(refused, Err(Error::DeleteDisabled)));
    }
}

#[tokio::test]
async fn a_link_that_is_none_is_damage_and_not_absence() {
    let store = Store::in_memory();
    let (context, repository) = (&store.context, store.repository("a"));
    let digest = upload(context, &repository, content(10)).await;
    let link = blobstore::Place::Layer(name("a"), digest).path();
    for damaged in ["", "sha256:", &format!("{digest}\n"), &"x".repeat(300), "\u{fffd}"] {
        store.storage.put(context, &link, damaged.to_owned(), Default::default()).await.unwrap();
        assert!(matches!(repository.blobs().stat(context, &digest).await, Err(Error::Damaged { .. })), "{damaged:?}");
    }
}

#[tokio::test]
async fn content_is_served_from_here_where_the_storage_signs_no_addresses() {
    let store = Store::in_memory();
    let (context, repository) = (&store.context, store.repository("a"));
    let digest = upload(context, &repository, content(10)).await;
    let served = repository.blobs().serve(context, &digest, true).await.unwrap();
    let Served::Here(mut reader) = served else { panic!("{served:?}") };
    assert_eq!(reader.next_chunk(context).await.unwrap().unwrap(), content(10));
}
