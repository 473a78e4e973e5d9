//! What is particular to sessions in this service: blocks wait on the name they will be published at, and whatever else is
//! published there discards them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

mod support;

use azure_storage_blobs::prelude::BlockList;
use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, ErrorKind, GetOptions, PutOptions, Storage, StoragePath,
    Unfinished, WriteOptions, Writer,
};
use driver_azure::{AzureDriver, AzureOptions};
use futures_util::TryStreamExt;

use support::Azurite;

const BLOCK: usize = 64 * 1024;

fn options() -> AzureOptions {
    let mut options = Azurite::get().options();
    options.block_size = BLOCK as u64;
    options
}

fn context() -> Context {
    Context::background()
}

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

async fn write(storage: &Storage, path: &StoragePath, options: WriteOptions, content: Bytes) -> Writer {
    let mut writer = storage.writer(&context(), path, options).await.unwrap();
    writer.write(&context(), content).await.unwrap();
    writer
}

async fn sessions(storage: &Storage) -> Vec<Unfinished> {
    let pages = storage.unfinished(&context(), &StoragePath::root()).await.unwrap();
    pages.try_collect::<Vec<_>>().await.unwrap().into_iter().flatten().collect()
}

/// Publishes an empty file past the driver, in the way that discards the blocks at its name on every engine: Azurite does
/// not discard them for a Put Blob, as the service does.
async fn discard_blocks(options: &AzureOptions, path: &StoragePath) {
    let name = options.root.join(path).unwrap();
    let blob = Azurite::get().bare().blob_client(name.as_str().trim_start_matches('/'));
    blob.put_block_list(BlockList::default()).await.unwrap();
}

#[tokio::test]
async fn a_session_goes_on_in_another_process_and_blocks_of_two_writers_never_mix() {
    let options = options();
    let storage = || Storage::new(AzureDriver::new(&options).unwrap());
    let (file, pieces) = (path("/file"), [b'a', b'b', b'c'].map(|byte| Bytes::from(vec![byte; 3 * BLOCK + 7])));
    write(&storage(), &file, WriteOptions::default(), pieces[0].clone()).await.close(&context()).await.unwrap();
    // Two processes resume at once, which the service cannot tell: each publishes what it was given itself.
    let one = write(&storage(), &file, WriteOptions::append(), pieces[1].clone()).await;
    let two = write(&storage(), &file, WriteOptions::append(), pieces[2].clone()).await;
    one.commit(&context(), CommitOptions::default()).await.unwrap();
    let content = storage().get(&context(), &file, GetOptions::default()).await.unwrap().1;
    assert_eq!(content, [&pieces[0][..], &pieces[1][..]].concat());
    let refused = two.commit(&context(), CommitOptions::default()).await.unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Conflict, "{refused}");
    refused.writer.unwrap().cancel(&context()).await.unwrap();
    assert_eq!(storage().get(&context(), &file, GetOptions::default()).await.unwrap().1, content);
}

#[tokio::test]
async fn a_session_whose_blocks_were_discarded_has_ended() {
    let options = options();
    let storage = Storage::new(AzureDriver::new(&options).unwrap());
    let (large, small) = (path("/large"), path("/small"));
    write(&storage, &large, WriteOptions::default(), vec![1; 2 * BLOCK].into()).await.close(&context()).await.unwrap();
    write(&storage, &small, WriteOptions::default(), vec![2; 5].into()).await.close(&context()).await.unwrap();
    assert_eq!(sessions(&storage).await.len(), 2);
    discard_blocks(&options, &large).await;
    storage.put(&context(), &small, "", PutOptions::default()).await.unwrap();
    // What is in the marker alone stays.
    assert_eq!(sessions(&storage).await.into_iter().map(|session| session.path).collect::<Vec<_>>(), [small]);
    let again = write(&storage, &large, WriteOptions::append(), "new".into()).await;
    assert_eq!(again.commit(&context(), CommitOptions::default()).await.unwrap().size, 3);
    let error = storage.abandon(&context(), &large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn abandoning_what_has_ended_finds_nothing_and_sweeps() {
    let options = options();
    let storage = Storage::new(AzureDriver::new(&options).unwrap());
    let file = path("/file");
    write(&storage, &file, WriteOptions::default(), vec![1; 2 * BLOCK].into()).await.close(&context()).await.unwrap();
    discard_blocks(&options, &file).await;
    assert_eq!(storage.abandon(&context(), &file).await.unwrap_err().kind(), ErrorKind::NotFound);
    let marker = format!("{}/~/file", options.root.as_str().trim_start_matches('/'));
    assert!(!Azurite::get().bare().blob_client(marker).exists().await.unwrap());
}

#[tokio::test]
async fn blocks_that_nobody_committed_show_nowhere() {
    let storage = Storage::new(AzureDriver::new(&options()).unwrap());
    let file = path("/d/file");
    let writer = write(&storage, &file, WriteOptions::default(), vec![1; 5 * BLOCK].into()).await;
    assert_eq!(writer.close(&context()).await.unwrap(), 5 * BLOCK as u64);
    for missing in [&file, &path("/d")] {
        assert!(storage.stat(&context(), missing).await.unwrap_err().is_not_found());
        assert!(storage.get(&context(), missing, GetOptions::default()).await.unwrap_err().is_not_found());
    }
    let root = storage.list(&context(), &StoragePath::root(), Default::default()).await.unwrap();
    assert!(root.collect().await.unwrap().is_empty());
    let gone = storage.delete(&context(), &path("/d"), DeleteOptions::tree()).await;
    assert!(gone.is_ok() || gone.is_err_and(|error| error.is_not_found()));
    assert!(sessions(&storage).await.is_empty());
}

#[tokio::test]
async fn a_refused_commit_leaves_the_writer_whole() {
    let storage = Storage::new(AzureDriver::new(&options()).unwrap());
    let file = path("/file");
    for size in [5, 3 * BLOCK] {
        storage.put(&context(), &file, "there", PutOptions::default()).await.unwrap();
        let writer = write(&storage, &file, WriteOptions::default(), vec![1; size].into()).await;
        let if_absent = CommitOptions::default().with_condition(Condition::IfAbsent);
        let refused = writer.commit(&context(), if_absent).await.unwrap_err();
        assert_eq!(refused.error.kind(), ErrorKind::AlreadyExists);
        let info = refused.writer.unwrap().commit(&context(), CommitOptions::default()).await.unwrap();
        assert_eq!(info.size, size as u64);
    }
}

#[tokio::test]
async fn a_condition_on_the_own_path_holds_where_commits_elsewhere_are_not_declared() {
    let storage = Storage::new(AzureDriver::new(&options()).unwrap());
    let file = path("/file");
    for (expected, content) in [(None, "one"), (Some(ErrorKind::AlreadyExists), "two")] {
        let writer = write(&storage, &file, WriteOptions::default(), content.into()).await;
        let options = CommitOptions::default().with_to(file.clone()).with_condition(Condition::IfAbsent);
        assert_eq!(writer.commit(&context(), options).await.err().map(|refused| refused.error.kind()), expected);
    }
}
