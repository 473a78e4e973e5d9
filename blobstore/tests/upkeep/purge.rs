//! Old uploads.

use std::time::Duration;

use blobstore::blob::BlobIngester;
use blobstore::upkeep::{Event, PurgeOptions, Purged, purge_uploads};
use blobstore::{RepositoryName, UploadId, UploadOptions};
use driver_api::{CommitOptions, Context, PutOptions, Storage, StoragePath, WriteOptions};

use crate::fixture::{Store, content, namespace};

async fn purge(context: &Context, storage: &Storage, days: u64, dry_run: bool) -> Purged {
    let mut options = PurgeOptions::default();
    options.older_than = Duration::from_secs(days * 24 * 60 * 60);
    options.dry_run = dry_run;
    let mut told = 0;
    let mut listener = |event: Event<'_>| told += u64::from(matches!(event, Event::Victim { .. }));
    let purged = purge_uploads(&namespace(storage), context, &options, &mut listener).await.unwrap();
    assert_eq!(told, purged.purged);
    purged
}

/// An upload with some bytes that began on that day.
async fn upload_of(store: &Store, repository: &str, day: &str) -> UploadId {
    let mut upload =
        store.repository(repository).blobs().create(&store.context, UploadOptions::default()).await.unwrap();
    upload.write(&store.context, content(100)).await.unwrap();
    let id = upload.id();
    upload.close(&store.context).await.unwrap();
    let path = started(&repository.parse().unwrap(), id);
    store.storage.put(&store.context, &path, format!("{day}T00:00:00Z"), PutOptions::default()).await.unwrap();
    id
}

fn started(repository: &RepositoryName, id: UploadId) -> StoragePath {
    blobstore::Place::UploadStarted(repository.clone(), id).path()
}

#[tokio::test]
async fn old_uploads_go_and_young_ones_stay() {
    for store in Store::on_each_driver() {
        let context = &store.context;
        for repository in ["a", "a/b", "z"] {
            upload_of(&store, repository, "2015-06-01").await;
        }
        let young = upload_of(&store, "a", "2999-06-01").await;
        let expected = Purged { found: 4, purged: 3, ..Purged::default() };
        assert_eq!(purge(context, &store.storage, 1, true).await, expected);
        assert_eq!(purge(context, &store.storage, 1, false).await, expected);
        assert_eq!(purge(context, &store.storage, 1, false).await, Purged { found: 1, ..Purged::default() });
        let upload = store.repository("a").blobs().resume(context, young, UploadOptions::default()).await.unwrap();
        assert_eq!(upload.size(), 100);
        upload.cancel(context).await.unwrap();
        assert_eq!(store.names("/").await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_never_had_a_start_goes_by_the_age_of_its_bytes() {
    for store in Store::on_each_driver() {
        let context = &store.context;
        let data = |repository: &str| {
            let id = UploadId::random();
            blobstore::Place::UploadData(repository.parse().unwrap(), id).path()
        };
        // A file, as the Go registry has it, and a kept session, as this one has it.
        store.storage.put(context, &data("a"), "bytes", PutOptions::default()).await.unwrap();
        let mut writer = store.storage.writer(context, &data("b"), WriteOptions::default()).await.unwrap();
        writer.write(context, "bytes".into()).await.unwrap();
        writer.close(context).await.unwrap();
        // Another file makes `b` a directory that is walked.
        let other = StoragePath::parse("/docker/registry/v2/repositories/b/_layers/other").unwrap();
        let writer = store.storage.writer(context, &other, WriteOptions::default()).await.unwrap();
        writer.commit(context, CommitOptions::default()).await.unwrap();
        assert_eq!(purge(context, &store.storage, 1, false).await, Purged { found: 2, ..Purged::default() });
        assert_eq!(purge(context, &store.storage, 0, false).await, Purged { found: 2, purged: 2, ..Purged::default() });
        assert_eq!(purge(context, &store.storage, 0, false).await, Purged::default());
    }
}

#[tokio::test]
async fn an_upload_that_is_being_written_to_stays() {
    let store = Store::in_memory();
    let (context, namespace) = (&store.context, store.namespace());
    let id = upload_of(&store, "a", "2015-06-01").await;
    let repository = namespace.repository("a".parse().unwrap());
    let upload = repository.blobs().resume(context, id, UploadOptions::default()).await.unwrap();
    let mut listener = |_: Event<'_>| {};
    let purged = purge_uploads(&namespace, context, &PurgeOptions::default(), &mut listener).await.unwrap();
    assert_eq!((purged.found, purged.purged), (1, 0));
    assert_eq!(upload.close(context).await.unwrap(), 100);
}

#[tokio::test]
async fn a_start_that_is_no_time_counts_as_its_bytes_do() {
    let store = Store::in_memory();
    let (context, id) = (&store.context, upload_of(&store, "a", "2015-06-01").await);
    let path = started(&"a".parse().unwrap(), id);
    store.storage.put(context, &path, "yesterday", PutOptions::default()).await.unwrap();
    assert_eq!(purge(context, &store.storage, 1, false).await, Purged { found: 1, ..Purged::default() });
    assert_eq!(purge(context, &store.storage, 0, false).await, Purged { found: 1, purged: 1, ..Purged::default() });
}
