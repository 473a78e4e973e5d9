//! Blobs on their way in.

use blobstore::blob::{BlobIngester, BlobProvider, BlobStatter};
use blobstore::{Algorithm, Digest, Error, Hasher, UploadId, UploadOptions};
use bytes::Bytes;
use driver_api::layers::Count;
use driver_api::{Operation, PutOptions, StoragePath};

use crate::fixture::{Store, content, name, namespace};

fn options(kept: u64) -> UploadOptions {
    let mut options = UploadOptions::default();
    options.kept = Some(kept);
    options
}

fn hashed_by(algorithm: Algorithm) -> UploadOptions {
    let mut options = UploadOptions::default();
    options.algorithm = Some(algorithm);
    options
}

/// What an upload of `content` leaves: the blob and its link, and nothing else.
fn expected(repository: &str, content: &Bytes) -> Vec<(String, Bytes)> {
    let (digest, hex) = (Digest::of(content), Digest::of(content).hex());
    vec![
        (format!("/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]), content.clone()),
        (format!("/docker/registry/v2/repositories/{repository}/_layers/sha256/{hex}/link"), digest.to_string().into()),
    ]
}

#[tokio::test]
async fn an_upload_in_one_go_leaves_a_blob_and_a_link() {
    for store in Store::on_each_driver() {
        for size in [0, 1, 5, 64 * 1024, 3_000_000] {
            let (context, repository) = (&store.context, store.repository("a"));
            let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
            for chunk in content(size).chunks(100_001) {
                upload.write(context, Bytes::copy_from_slice(chunk)).await.unwrap();
            }
            assert_eq!(upload.size(), size as u64);
            let descriptor = upload.commit(context, &Digest::of(&content(size)), Some(size as u64)).await.unwrap();
            assert_eq!(store.files("/").await, expected("a", &content(size)));
            assert_eq!(repository.blobs().get(context, &descriptor.digest, 3_000_000).await.unwrap(), content(size));
            store.namespace().repository(name("a")).delete(context).await.unwrap();
            let blob = blobstore::Place::Blob(descriptor.digest).path();
            store.storage.delete(context, &blob, Default::default()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn each_chunk_can_come_to_another_process() {
    for store in Store::on_each_driver() {
        let (context, whole) = (&store.context, content(1_000_000));
        let upload = store.repository("a").blobs().create(context, UploadOptions::default()).await.unwrap();
        let id = upload.id();
        assert_eq!(upload.close(context).await.unwrap(), 0);
        let mut kept = 0;
        for size in [1, 63, 400_000, 64, 500_000, 99_872] {
            let blobs = store.repository("a").blobs();
            let mut upload = blobs.resume(context, id, options(kept)).await.unwrap();
            assert_eq!(upload.size(), kept);
            upload.write(context, whole.slice(kept as usize..kept as usize + size)).await.unwrap();
            kept += size as u64;
            assert_eq!(upload.close(context).await.unwrap(), kept);
            // The state of the hash is that of Go, and the only one.
            let mut hasher = Hasher::new(Algorithm::Sha256);
            hasher.update(&whole[..kept as usize]);
            let states = store.files(&format!("/docker/registry/v2/repositories/a/_uploads/{id}/hashstates")).await;
            let path = format!("/docker/registry/v2/repositories/a/_uploads/{id}/hashstates/sha256/{kept}");
            assert_eq!(states, [(path, Bytes::from(hasher.save()))]);
        }
        let count = Count::default();
        let counted = store.storage.layered(count.clone());
        let blobs = namespace(&counted).repository(name("a")).blobs();
        let upload = blobs.resume(context, id, options(kept)).await.unwrap();
        upload.commit(context, &Digest::of(&whole), Some(kept)).await.unwrap();
        assert_eq!(count.take().get(&Operation::Reader), None, "the content was read again");
        assert_eq!(store.files("/").await, expected("a", &whole));
    }
}

#[tokio::test]
async fn an_upload_without_its_states_is_read_again() {
    for store in Store::on_each_driver() {
        for damaged in [true, false] {
            let (context, repository) = (&store.context, store.repository("a"));
            let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
            upload.write(context, content(100)).await.unwrap();
            let id = upload.id();
            upload.close(context).await.unwrap();
            let state = format!("/docker/registry/v2/repositories/a/_uploads/{id}/hashstates/sha256/100");
            let state = StoragePath::parse(&state).unwrap();
            if damaged {
                store.storage.put(context, &state, "gob", PutOptions::default()).await.unwrap();
            } else {
                store.storage.delete(context, &state, Default::default()).await.unwrap();
            }
            let mut upload = repository.blobs().resume(context, id, options(100)).await.unwrap();
            let whole = Bytes::from([content(100), content(7)].concat());
            upload.write(context, content(7)).await.unwrap();
            upload.commit(context, &Digest::of(&whole), None).await.unwrap();
            assert_eq!(store.files("/").await, expected("a", &whole));
        }
    }
}

#[tokio::test]
async fn content_is_stored_once_and_found_by_either_digest() {
    for store in Store::on_each_driver() {
        for known_beforehand in [true, false] {
            let (context, repository) = (&store.context, store.repository("a"));
            let options = if known_beforehand { hashed_by(Algorithm::Sha512) } else { UploadOptions::default() };
            let mut upload = repository.blobs().create(context, options).await.unwrap();
            upload.write(context, content(1000)).await.unwrap();
            let named = Digest::with(Algorithm::Sha512, &content(1000));
            let descriptor = upload.commit(context, &named, None).await.unwrap();
            assert_eq!(descriptor.digest, Digest::of(&content(1000)));
            let mut files = expected("a", &content(1000));
            let canonical: Bytes = descriptor.digest.to_string().into();
            files.push((format!("/docker/registry/v2/repositories/a/_layers/sha512/{}/link", named.hex()), canonical));
            assert_eq!(store.files("/").await, files);
            for digest in [named, descriptor.digest] {
                assert_eq!(repository.blobs().get(context, &digest, 1000).await.unwrap(), content(1000));
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_its_digest_is_no_blob_and_leaves_nothing_once_cancelled() {
    for store in Store::on_each_driver() {
        for (wrong, size) in [
            (Digest::of(b"other"), None),
            (Digest::with(Algorithm::Sha512, b"other"), None),
            (Digest::of(&content(1000)), Some(999)),
        ] {
            for kept in [false, true] {
                let (context, repository) = (&store.context, store.repository("a"));
                let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
                upload.write(context, content(1000)).await.unwrap();
                if kept {
                    let id = upload.id();
                    upload.close(context).await.unwrap();
                    upload = repository.blobs().resume(context, id, options(1000)).await.unwrap();
                }
                let failure = upload.commit(context, &wrong, size).await.unwrap_err();
                assert!(matches!(failure.error, Error::DigestMismatch { .. } | Error::SizeMismatch { .. }));
                assert!(repository.blobs().stat(context, &wrong).await.is_err());
                failure.upload.unwrap().cancel(context).await.unwrap();
                assert_eq!(store.files("/").await, []);
            }
        }
    }
}

#[tokio::test]
async fn a_failed_commit_can_be_repeated_with_the_right_digest() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
        upload.write(context, content(1000)).await.unwrap();
        let failure = upload.commit(context, &Digest::of(b"other"), None).await.unwrap_err();
        failure.upload.unwrap().commit(context, &Digest::of(&content(1000)), None).await.unwrap();
        assert_eq!(store.files("/").await, expected("a", &content(1000)));
    }
}

#[tokio::test]
async fn a_cancelled_upload_leaves_nothing_and_is_unknown() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
        upload.write(context, content(100_000)).await.unwrap();
        let id = upload.id();
        upload.close(context).await.unwrap();
        repository.blobs().resume(context, id, options(100_000)).await.unwrap().cancel(context).await.unwrap();
        assert_eq!(store.files("/").await, []);
        for id in [id, UploadId::random()] {
            let resumed = repository.blobs().resume(context, id, UploadOptions::default()).await;
            assert!(matches!(resumed, Err(Error::UploadUnknown(unknown)) if unknown == id));
        }
        // That of another repository is none of this one.
        let upload = store.repository("b").blobs().create(context, UploadOptions::default()).await.unwrap();
        let id = upload.id();
        upload.close(context).await.unwrap();
        assert!(repository.blobs().resume(context, id, UploadOptions::default()).await.unwrap_err().is_unknown());
    }
}

#[tokio::test]
async fn an_upload_has_one_writer_and_the_size_that_its_client_thinks() {
    for store in Store::on_each_driver() {
        let (context, blobs) = (&store.context, store.repository("a").blobs());
        let mut upload = blobs.create(context, UploadOptions::default()).await.unwrap();
        upload.write(context, content(100)).await.unwrap();
        let id = upload.id();
        assert!(matches!(blobs.resume(context, id, UploadOptions::default()).await, Err(Error::UploadBusy(_))));
        upload.close(context).await.unwrap();
        let elsewhere = blobs.resume(context, id, options(99)).await.unwrap_err();
        assert!(matches!(elsewhere, Error::UploadElsewhere { expected: 99, kept: 100 }), "{elsewhere}");
        let upload = blobs.resume(context, id, options(100)).await.unwrap();
        // Another process is kept off by the storage.
        let other = store.repository("a").blobs().resume(context, id, options(100)).await;
        assert!(other.is_err());
        drop(upload);
        let upload = blobs.resume(context, id, options(100)).await.unwrap();
        upload.commit(context, &Digest::of(&content(100)), None).await.unwrap();
        assert_eq!(store.files("/").await, expected("a", &content(100)));
    }
}

/// What a commit leaves that was stopped between its two steps on a backend that cannot publish elsewhere at once.
#[tokio::test]
async fn an_upload_whose_bytes_are_a_file_of_its_own_is_committed_by_the_next_try() {
    for store in Store::on_each_driver() {
        let (context, blobs) = (&store.context, store.repository("a").blobs());
        let upload = blobs.create(context, UploadOptions::default()).await.unwrap();
        let id = upload.id();
        upload.close(context).await.unwrap();
        let data = blobstore::Place::UploadData(name("a"), id).path();
        store.storage.put(context, &data, content(100), PutOptions::default()).await.unwrap();
        let elsewhere = blobs.resume(context, id, options(99)).await.unwrap_err();
        assert!(matches!(elsewhere, Error::UploadElsewhere { expected: 99, kept: 100 }), "{elsewhere}");
        let mut upload = blobs.resume(context, id, options(100)).await.unwrap();
        assert!(upload.write(context, content(1)).await.is_err(), "it takes no more");
        let failure = upload.commit(context, &Digest::of(b"other"), None).await.unwrap_err();
        failure.upload.unwrap().commit(context, &Digest::of(&content(100)), Some(100)).await.unwrap();
        assert_eq!(store.files("/").await, expected("a", &content(100)));
    }
}

#[tokio::test]
async fn when_an_upload_began_is_written_as_the_go_registry_does() {
    let store = Store::in_memory();
    let (context, blobs) = (&store.context, store.repository("a").blobs());
    let upload = blobs.create(context, UploadOptions::default()).await.unwrap();
    let (id, began) = (upload.id(), upload.began());
    upload.close(context).await.unwrap();
    let directory = format!("/docker/registry/v2/repositories/a/_uploads/{id}");
    let files = store.files(&directory).await;
    let [(path, text)] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(*path, format!("{directory}/startedat"));
    assert_eq!((text.len(), text.last()), ("2015-06-01T12:34:56Z".len(), Some(&b'Z')), "{text:?}");
    assert_eq!(blobs.resume(context, id, options(0)).await.unwrap().began(), began.replace_nanosecond(0).unwrap());
    // Its parser takes more than it writes.
    let path = StoragePath::parse(path).unwrap();
    store.storage.put(context, &path, "2015-06-01T14:34:56.789+02:00", PutOptions::default()).await.unwrap();
    assert_eq!(blobs.resume(context, id, options(0)).await.unwrap().began().hour(), 12);
    store.storage.put(context, &path, "yesterday", PutOptions::default()).await.unwrap();
    assert!(matches!(blobs.resume(context, id, options(0)).await, Err(Error::Damaged { .. })));
}
