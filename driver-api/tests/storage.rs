//! What `Storage` does once for every driver, shown over the in-memory driver and layers of faults.
#![allow(clippy::unwrap_used, reason = "what a test prepares may panic")]

use std::time::Duration;

use driver_api::layers::{Count, Fault, Faults};
use driver_api::{
    ByteRange, Condition, Context, DeleteOptions, ErrorKind, GetOptions, ListOptions, Operation, PutOptions,
    ReadOptions, Retry, Storage, StoragePath, Version, WriteOptions,
};
use driver_inmemory::{MemoryDriver, MemoryOptions};
use futures_util::StreamExt;
use tokio::time::Instant;

fn memory() -> Storage {
    Storage::new(MemoryDriver::new(MemoryOptions::default()))
}

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

#[tokio::test]
async fn the_root_never_reaches_a_driver_as_a_file() {
    let (count, context, root) = (Count::default(), Context::background(), StoragePath::root());
    let storage = memory().layered(count.clone());
    let kinds = [
        storage.get(&context, &root, GetOptions::default()).await.unwrap_err().kind(),
        storage.reader(&context, &root, ReadOptions::default()).await.unwrap_err().kind(),
        storage.put(&context, &root, "x", PutOptions::default()).await.unwrap_err().kind(),
        storage.writer(&context, &root, WriteOptions::default()).await.unwrap_err().kind(),
        storage.move_to(&context, &root, &path("/a")).await.unwrap_err().kind(),
        storage.move_to(&context, &path("/a"), &root).await.unwrap_err().kind(),
        storage.delete(&context, &root, DeleteOptions::tree()).await.unwrap_err().kind(),
        storage.delete_files(&context, [root.clone()]).await.unwrap_err().kind(),
        storage.abandon(&context, &root).await.unwrap_err().kind(),
    ];
    use ErrorKind::{InvalidPath, NotFound};
    assert_eq!(kinds[..2], [NotFound, NotFound]);
    assert_eq!(kinds[2..], [InvalidPath; 7]);
    assert_eq!(count.take(), [].into());
}

#[tokio::test(start_paused = true)]
async fn answers_on_time_where_the_driver_hangs() {
    let storage = memory().layered(Faults::from(1, Fault::Hang));
    let begun = Instant::now();
    let context = Context::background().with_timeout(Duration::from_secs(3));
    let put = storage.put(&context, &path("/a"), "x", PutOptions::default()).await.unwrap_err();
    assert_eq!((put.kind(), put.retry()), (ErrorKind::DeadlineExceeded, Retry::MaybeApplied));
    assert_eq!(begun.elapsed(), Duration::from_secs(3));

    let context = Context::background().with_timeout(Duration::from_secs(3));
    let get = storage.get(&context, &path("/a"), GetOptions::default()).await.unwrap_err();
    assert_eq!((get.kind(), get.retry()), (ErrorKind::DeadlineExceeded, Retry::Safe));
    assert_eq!(begun.elapsed(), Duration::from_secs(6));
}

#[tokio::test]
async fn a_listing_ends_when_its_context_does() {
    let (storage, background) = (memory(), Context::background());
    for name in ["/a", "/b"] {
        storage.put(&background, &path(name), "x", PutOptions::default()).await.unwrap();
    }
    let (context, token) = background.with_cancellation();
    let options = ListOptions::default().with_page_size(1.try_into().unwrap());
    let mut listing = storage.list(&context, &StoragePath::root(), options).await.unwrap();
    assert_eq!(listing.next().await.unwrap().unwrap().path(), &path("/a"));
    token.cancel();
    assert_eq!(listing.next().await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(listing.next().await.is_none());
}

#[tokio::test]
async fn a_move_onto_itself_looks_and_moves_nothing() {
    let (count, context) = (Count::default(), Context::background());
    let storage = memory().layered(count.clone());
    let file = path("/a/b");
    storage.put(&context, &file, "x", PutOptions::default()).await.unwrap();
    count.take();
    storage.move_to(&context, &file, &file).await.unwrap();
    assert_eq!(count.take(), [(Operation::Stat, 1)].into());
    for missing in ["/a", "/c"] {
        let error = storage.move_to(&context, &path(missing), &path(missing)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn deletes_any_number_of_files_in_batches_of_the_backend() {
    let (count, context) = (Count::default(), Context::background());
    let storage = memory().layered(count.clone());
    let batch = storage.capabilities().limits.delete_batch;
    let paths: Vec<_> = (0..=batch).map(|number| path(&format!("/d/{number}"))).collect();
    for file in &paths[..3] {
        storage.put(&context, file, "x", PutOptions::default()).await.unwrap();
    }
    count.take();
    assert!(storage.delete_files(&context, paths).await.unwrap().is_empty());
    assert_eq!(count.take(), [(Operation::DeleteFiles, 2)].into());
    assert!(storage.stat(&context, &path("/d")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_tree_has_no_version_to_match() {
    let (storage, context) = (memory(), Context::background());
    let options = DeleteOptions::tree().with_if_match(Version::new("1"));
    let error = storage.delete(&context, &path("/a"), options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn reads_to_the_end_within_the_callers_limit() {
    let (storage, context, file) = (memory(), Context::background(), path("/a"));
    storage.put(&context, &file, "0123456789", PutOptions::default()).await.unwrap();
    let options = ReadOptions::default().with_range(ByteRange::span(2, 5));
    let reader = storage.reader(&context, &file, options.clone()).await.unwrap();
    assert_eq!(reader.read_to_end(5).await.unwrap(), "23456");
    let reader = storage.reader(&context, &file, options).await.unwrap();
    assert_eq!(reader.read_to_end(4).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn an_if_absent_put_that_lost_its_answer_claims_nothing() {
    let storage = memory().layered(Faults::at(1, Fault::After(ErrorKind::Unavailable)));
    let (context, file) = (Context::background(), path("/a"));
    let if_absent = PutOptions::default().with_condition(Condition::IfAbsent);
    let error = storage.put(&context, &file, "x", if_absent).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied));
    assert_eq!(storage.get(&context, &file, GetOptions::default()).await.unwrap().1, "x");
}
