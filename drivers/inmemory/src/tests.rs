//! What the driver keeps beyond the contract: its limit, and bytes that are shared and not copied.

use driver_api::{
    ByteRange, CommitOptions, Condition, Context, DeleteOptions, ErrorKind, GetOptions, ListOptions, PutOptions,
    ReadOptions, Storage, StoragePath, WriteOptions, Writer,
};
use futures_util::StreamExt;

use super::*;

const CONTEXT: Context = Context::background();

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

fn limited(max_bytes: u64) -> (MemoryDriver, Storage) {
    let driver = MemoryDriver::new(MemoryOptions { max_bytes: Some(max_bytes) });
    (driver.clone(), Storage::new(driver))
}

fn bytes(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

async fn put(storage: &Storage, text: &str, content: impl Into<Payload>) -> Result<FileInfo> {
    storage.put(&CONTEXT, &path(text), content, PutOptions::default()).await
}

async fn get(storage: &Storage, text: &str) -> Bytes {
    storage.get(&CONTEXT, &path(text), GetOptions::default()).await.unwrap().1
}

#[tokio::test]
async fn a_driver_shows_its_name_and_what_it_holds() {
    let (driver, storage) = limited(10);
    for (text, shown) in [("/a", "files: 1, held_bytes: 2"), ("/b", "files: 2, held_bytes: 4")] {
        put(&storage, text, bytes(2)).await.unwrap();
        assert!(format!("{driver:?}").contains(shown), "{driver:?}");
    }
    assert_eq!(driver.name(), "inmemory");
    let writer = driver.writer(&CONTEXT, &path("/c"), WriteOptions::default()).await.unwrap();
    assert!(format!("{writer:?}").contains("/c") && format!("{writer:?}").contains("size: 0"), "{writer:?}");
}

#[tokio::test]
async fn a_put_that_is_too_large_leaves_the_old_file() {
    let (driver, storage) = limited(10);
    put(&storage, "/a", bytes(6)).await.unwrap();
    assert_eq!(put(&storage, "/a", bytes(11)).await.unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(put(&storage, "/b", bytes(5)).await.unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!((get(&storage, "/a").await, driver.held_bytes()), (bytes(6), 6));
}

#[tokio::test]
async fn an_overwrite_counts_only_the_difference() {
    let (driver, storage) = limited(10);
    for length in [6, 10, 3, 10] {
        put(&storage, "/a", bytes(length)).await.unwrap();
        assert_eq!(driver.held_bytes(), length as u64);
    }
}

#[tokio::test]
async fn what_is_taken_away_gives_its_bytes_back() {
    let (driver, storage) = limited(100);
    for text in ["/a", "/b", "/c", "/t/1", "/t/2"] {
        put(&storage, text, bytes(10)).await.unwrap();
    }
    storage.move_to(&CONTEXT, &path("/a"), &path("/b")).await.unwrap();
    assert_eq!(driver.held_bytes(), 40);
    storage.delete(&CONTEXT, &path("/b"), DeleteOptions::default()).await.unwrap();
    assert_eq!(driver.held_bytes(), 30);
    storage.delete_files(&CONTEXT, [path("/c"), path("/missing")]).await.unwrap();
    assert_eq!(driver.held_bytes(), 20);
    storage.delete(&CONTEXT, &path("/t"), DeleteOptions::tree()).await.unwrap();
    assert_eq!(driver.held_bytes(), 0);
}

/// A writer that has accepted 6 bytes of the 10 that the store may hold.
async fn written(storage: &Storage, options: WriteOptions) -> Writer {
    let mut writer = storage.writer(&CONTEXT, &path("/w"), options).await.unwrap();
    writer.write(&CONTEXT, bytes(6)).await.unwrap();
    writer
}

#[tokio::test]
async fn a_writer_gives_back_what_it_does_not_publish() {
    let (driver, storage) = limited(10);
    drop(written(&storage, WriteOptions::default()).await);
    assert_eq!(driver.held_bytes(), 0);
    written(&storage, WriteOptions::default()).await.cancel(&CONTEXT).await.unwrap();
    assert_eq!(driver.held_bytes(), 0);

    let mut too_long = written(&storage, WriteOptions::default()).await;
    too_long.write(&CONTEXT, bytes(5)).await.unwrap();
    let failure = too_long.commit(&CONTEXT, CommitOptions::default()).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::NoSpace);
    drop(failure);
    assert_eq!(driver.held_bytes(), 0);
}

#[tokio::test]
async fn a_kept_session_counts_until_it_ends() {
    let (driver, storage) = limited(10);
    let close = async || written(&storage, WriteOptions::default()).await.close(&CONTEXT).await.unwrap();
    close().await;
    assert_eq!(driver.held_bytes(), 6);
    assert_eq!(put(&storage, "/a", bytes(5)).await.unwrap_err().kind(), ErrorKind::NoSpace);
    storage.abandon(&CONTEXT, &path("/w")).await.unwrap();
    assert_eq!(driver.held_bytes(), 0);

    close().await;
    storage.delete(&CONTEXT, &path("/w"), DeleteOptions::tree()).await.unwrap();
    assert_eq!(driver.held_bytes(), 0);

    close().await;
    let fresh = storage.writer(&CONTEXT, &path("/w"), WriteOptions::default()).await.unwrap();
    assert_eq!(driver.held_bytes(), 0);
    drop(fresh);
}

#[tokio::test]
async fn a_commit_counts_its_bytes_once_and_gives_back_what_it_replaces() {
    let (driver, storage) = limited(10);
    put(&storage, "/w", bytes(4)).await.unwrap();
    let taken = CommitOptions::default().with_condition(Condition::IfAbsent);
    let failure = written(&storage, WriteOptions::default()).await.commit(&CONTEXT, taken).await.unwrap_err();
    assert_eq!((failure.error.kind(), driver.held_bytes()), (ErrorKind::AlreadyExists, 10));
    failure.writer.unwrap().commit(&CONTEXT, CommitOptions::default()).await.unwrap();
    assert_eq!((get(&storage, "/w").await, driver.held_bytes()), (bytes(6), 6));
}

#[tokio::test]
async fn a_dropped_owner_leaves_what_was_kept_before_it() {
    let (driver, storage) = limited(20);
    written(&storage, WriteOptions::default()).await.close(&CONTEXT).await.unwrap();
    let large = 64 * 1024;
    let owner = written(&storage, WriteOptions::append()).await;
    assert_eq!(owner.size(), 12);
    drop(owner);
    assert_eq!(driver.held_bytes(), 6);
    let mut again = storage.writer(&CONTEXT, &path("/w"), WriteOptions::append()).await.unwrap();
    assert_eq!(again.size(), 6);
    assert_eq!(again.write(&CONTEXT, bytes(large)).await.unwrap_err().kind(), ErrorKind::NoSpace);
}

#[tokio::test]
async fn an_owner_whose_session_was_given_up_takes_nothing_from_its_successor() {
    let (driver, storage) = limited(100);
    written(&storage, WriteOptions::default()).await.close(&CONTEXT).await.unwrap();
    let owner = written(&storage, WriteOptions::append()).await;
    written(&storage, WriteOptions::default()).await.close(&CONTEXT).await.unwrap();
    owner.cancel(&CONTEXT).await.unwrap();
    let successor = storage.writer(&CONTEXT, &path("/w"), WriteOptions::append()).await.unwrap();
    assert_eq!((successor.size(), driver.held_bytes()), (6, 6));
}

#[tokio::test]
async fn asking_for_the_size_of_a_session_keeps_its_time_and_makes_none() {
    let storage = Storage::new(MemoryDriver::default());
    let list = async || {
        let mut pages = storage.unfinished(&CONTEXT, &StoragePath::root()).await.unwrap();
        pages.next().await.transpose().unwrap()
    };
    let ask = async || {
        let asked = storage.writer(&CONTEXT, &path("/w"), WriteOptions::append()).await.unwrap();
        asked.close(&CONTEXT).await.unwrap()
    };
    assert_eq!((ask().await, list().await), (0, None));
    written(&storage, WriteOptions::default()).await.close(&CONTEXT).await.unwrap();
    let kept = list().await;
    assert_eq!((ask().await, list().await), (6, kept));
}

#[tokio::test]
async fn a_put_a_reader_and_a_writer_share_the_bytes_they_are_given() {
    let storage = Storage::new(MemoryDriver::default());
    let content = bytes(256 * 1024);
    put(&storage, "/put", content.clone()).await.unwrap();
    assert_eq!(get(&storage, "/put").await.as_ptr(), content.as_ptr());

    let mut writer = storage.writer(&CONTEXT, &path("/written"), WriteOptions::default()).await.unwrap();
    writer.write(&CONTEXT, content.clone()).await.unwrap();
    writer.write(&CONTEXT, content.clone()).await.unwrap();
    writer.commit(&CONTEXT, CommitOptions::default()).await.unwrap();
    let half = ReadOptions::default().with_range(ByteRange::from(content.len() as u64 + 1));
    let mut reader = storage.reader(&CONTEXT, &path("/written"), half).await.unwrap();
    assert_eq!(reader.next_chunk().await.unwrap().unwrap().as_ptr(), content[1..].as_ptr());
    assert!(reader.next_chunk().await.is_none());
}

#[tokio::test]
async fn a_file_written_in_pieces_is_read_whole() {
    let storage = Storage::new(MemoryDriver::default());
    put(&storage, "/pieces", vec![Bytes::from("ab"), Bytes::new(), Bytes::from("cd")]).await.unwrap();
    assert_eq!(get(&storage, "/pieces").await, "abcd");
    let middle = GetOptions::default().with_range(ByteRange::span(1, 2));
    assert_eq!(storage.get(&CONTEXT, &path("/pieces"), middle).await.unwrap().1, "bc");
}

#[tokio::test]
async fn a_reader_goes_on_with_the_version_it_began_with() {
    let storage = Storage::new(MemoryDriver::default());
    put(&storage, "/a", vec![Bytes::from("old "), Bytes::from("bytes")]).await.unwrap();
    let mut reader = storage.reader(&CONTEXT, &path("/a"), ReadOptions::default()).await.unwrap();
    assert_eq!(reader.next_chunk().await.unwrap().unwrap(), "old ");
    put(&storage, "/a", "new").await.unwrap();
    storage.delete(&CONTEXT, &path("/a"), DeleteOptions::default()).await.unwrap();
    assert_eq!(reader.read_to_end(100).await.unwrap(), "bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_if_absent_puts_wins() {
    let storage = Storage::new(MemoryDriver::default());
    for round in 0..100 {
        let place = path(&format!("/round{round}"));
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let (storage, place) = (storage.clone(), place.clone());
                let options = PutOptions::default().with_condition(Condition::IfAbsent);
                tokio::spawn(async move { storage.put(&CONTEXT, &place, format!("{racer}"), options).await })
            })
            .collect();
        let mut winners = Vec::new();
        for (number, racer) in racers.into_iter().enumerate() {
            match racer.await.unwrap() {
                Ok(_) => winners.push(number.to_string()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
            }
        }
        assert_eq!(winners, [String::from_utf8(get(&storage, place.as_str()).await.to_vec()).unwrap()]);
    }
}

#[tokio::test]
async fn a_listing_goes_on_behind_what_was_deleted() {
    let storage = Storage::new(MemoryDriver::default());
    for text in ["/d/a", "/d/b/x", "/d/c", "/d/e"] {
        put(&storage, text, "").await.unwrap();
    }
    let options = ListOptions::default().with_page_size(NonZeroUsize::new(2).unwrap());
    let mut listing = storage.list(&CONTEXT, &path("/d"), options).await.unwrap();
    assert_eq!(listing.next_page().await.unwrap().unwrap().len(), 2);
    storage.delete(&CONTEXT, &path("/d/b"), DeleteOptions::tree()).await.unwrap();
    storage.delete(&CONTEXT, &path("/d/c"), DeleteOptions::default()).await.unwrap();
    let rest = listing.collect().await.unwrap();
    assert_eq!(rest.iter().map(|entry| entry.path().as_str()).collect::<Vec<_>>(), ["/d/e"]);
}

#[tokio::test]
async fn a_tree_of_several_batches_goes_whole() {
    let storage = Storage::new(MemoryDriver::default());
    for number in 0..2 * PAGE {
        put(&storage, &format!("/t/{number}"), "").await.unwrap();
    }
    put(&storage, "/t", "the file at the path itself").await.unwrap();
    put(&storage, "/t-sibling", "").await.unwrap();
    storage.delete(&CONTEXT, &path("/t"), DeleteOptions::tree()).await.unwrap();
    let left = storage.list(&CONTEXT, &StoragePath::root(), ListOptions::recursive()).await.unwrap();
    assert_eq!(left.collect().await.unwrap().len(), 1);
    let again = storage.delete(&CONTEXT, &path("/t"), DeleteOptions::tree()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
}
