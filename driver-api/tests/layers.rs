//! What each layer does, over the in-memory driver.
#![allow(clippy::unwrap_used, reason = "what a test prepares may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use driver_api::layers::{ConcurrencyLimit, Count, Fault, Faults, Metrics, Prefix, ReadOnly, Retry, Timeout, Trace};
use driver_api::{
    CommitOptions, Context, DeleteOptions, Entry, EntryKey, ErrorKind, GetOptions, ListOptions, Operation, PutOptions,
    ReadOptions, Storage, StoragePath, WriteOptions,
};
use driver_inmemory::{MemoryDriver, MemoryOptions};
use futures_util::TryStreamExt;
use tokio::time::Instant;

fn memory() -> Storage {
    Storage::new(MemoryDriver::new(MemoryOptions::default()))
}

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

fn patient() -> Retry {
    Retry::new(3, Duration::from_millis(10), Duration::from_secs(1))
}

async fn put(storage: &Storage, name: &str, content: &'static str) {
    storage.put(&Context::background(), &path(name), content, PutOptions::default()).await.unwrap();
}

async fn get(storage: &Storage, name: &str) -> Bytes {
    storage.get(&Context::background(), &path(name), GetOptions::default()).await.unwrap().1
}

#[tokio::test(start_paused = true)]
async fn retry_repeats_what_is_safe_up_to_its_number_of_attempts() {
    for (failures, succeeds) in [(2, true), (3, false)] {
        let count = Count::default();
        let faulty = Faults::new(move |point| match point.number <= failures {
            true => Fault::Before(ErrorKind::Unavailable),
            false => Fault::None,
        });
        let storage = memory().layered(faulty).layered(count.clone()).layered(patient());
        let answer = storage.put(&Context::background(), &path("/a"), "x", PutOptions::default()).await;
        assert_eq!((answer.is_ok(), count.take()), (succeeds, [(Operation::Put, 3)].into()));
    }
}

#[tokio::test(start_paused = true)]
async fn retry_never_repeats_what_may_have_been_applied() {
    let count = Count::default();
    let faulty = Faults::at(1, Fault::After(ErrorKind::Unavailable));
    let storage = memory().layered(faulty).layered(count.clone()).layered(patient());
    let answer = storage.put(&Context::background(), &path("/a"), "x", PutOptions::default()).await;
    assert_eq!(answer.unwrap_err().retry(), driver_api::Retry::MaybeApplied);
    assert_eq!(count.take(), [(Operation::Put, 1)].into());
}

#[tokio::test(start_paused = true)]
async fn retry_stops_when_the_caller_does() {
    let storage = memory().layered(Faults::from(1, Fault::Before(ErrorKind::Unavailable))).layered(Retry::new(
        u32::MAX,
        Duration::from_secs(1),
        Duration::from_secs(1),
    ));
    let context = Context::background().with_timeout(Duration::from_secs(10));
    let begun = Instant::now();
    assert!(storage.stat(&context, &path("/a")).await.is_err());
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn retry_gives_a_write_to_the_driver_once() {
    let faulty = Faults::new(|point| match point.operation {
        Operation::Write | Operation::Close | Operation::Commit if point.number % 2 == 0 => {
            Fault::Before(ErrorKind::Unavailable)
        }
        _ => Fault::None,
    });
    let (storage, context, file) = (memory().layered(faulty).layered(patient()), Context::background(), path("/a"));
    let mut writer = storage.writer(&context, &file, WriteOptions::default()).await.unwrap();
    writer.write(&context, vec![1; 100_000].into()).await.unwrap();
    writer.close(&context).await.unwrap();
    let mut writer = storage.writer(&context, &file, WriteOptions::append()).await.unwrap();
    writer.write(&context, vec![2; 100_000].into()).await.unwrap();
    assert_eq!(writer.commit(&context, CommitOptions::default()).await.unwrap().size, 200_000);
    assert_eq!(get(&storage, "/a").await, [vec![1; 100_000], vec![2; 100_000]].concat());
}

#[tokio::test(start_paused = true)]
async fn retry_opens_a_broken_stream_again_where_it_broke() {
    let (bare, context, file) = (memory(), Context::background(), path("/a"));
    let mut writer = bare.writer(&context, &file, WriteOptions::default()).await.unwrap();
    for byte in 0..4 {
        writer.write(&context, vec![byte; 100_000].into()).await.unwrap();
    }
    writer.commit(&context, CommitOptions::default()).await.unwrap();
    let expected = get(&bare, "/a").await;

    let broken = Faults::new(|point| match point.operation {
        Operation::Read if point.number % 3 == 0 => Fault::Before(ErrorKind::Unavailable),
        _ => Fault::None,
    });
    let count = Count::default();
    let storage = bare.layered(broken).layered(count.clone()).layered(patient());
    let reader = storage.reader(&context, &file, ReadOptions::default()).await.unwrap();
    assert_eq!(reader.read_to_end(1 << 20).await.unwrap(), expected);
    assert!(count.take()[&Operation::Reader] > 1, "the stream never broke");
}

#[tokio::test(start_paused = true)]
async fn retry_does_not_mix_versions_when_it_opens_a_stream_again() {
    let (bare, context, file) = (memory(), Context::background(), path("/a"));
    put(&bare, "/a", "old content").await;
    let storage = bare
        .layered(Faults::new(|point| match point.operation {
            Operation::Read => Fault::Before(ErrorKind::Unavailable),
            _ => Fault::None,
        }))
        .layered(patient());
    let reader = storage.reader(&context, &file, ReadOptions::default()).await.unwrap();
    put(&bare, "/a", "new content").await;
    assert_eq!(reader.read_to_end(100).await.unwrap_err().kind(), ErrorKind::Conflict);
}

/// A store of seven files in `/d` and seven kept sessions in `/s`, in pages of two; of its pages every third gets lost.
async fn lossy_pages() -> (Storage, Storage, Count) {
    let bare = memory();
    for number in 0..7 {
        put(&bare, &format!("/d/{number}"), "x").await;
        let session = path(&format!("/s/{number}"));
        let mut writer = bare.writer(&Context::background(), &session, WriteOptions::default()).await.unwrap();
        writer.write(&Context::background(), "kept".into()).await.unwrap();
        writer.close(&Context::background()).await.unwrap();
    }
    let lossy = Faults::new(|point| match point.operation {
        Operation::List if point.number % 3 == 0 => Fault::Before(ErrorKind::Unavailable),
        // The sessions come in one page.
        Operation::Unfinished if point.number == 2 => Fault::Before(ErrorKind::Unavailable),
        _ => Fault::None,
    });
    let count = Count::default();
    let storage = bare.clone().layered(lossy).layered(count.clone()).layered(patient());
    (bare, storage, count)
}

fn pages_of_two() -> ListOptions {
    ListOptions::default().with_page_size(2.try_into().unwrap())
}

#[tokio::test(start_paused = true)]
async fn retry_goes_on_with_a_listing_behind_its_last_entry() {
    let (_, storage, count) = lossy_pages().await;
    let behind = pages_of_two().with_start_after(EntryKey::file(&path("/d/0")));
    for (options, first) in [(pages_of_two(), 0), (behind, 1)] {
        let listing = storage.list(&Context::background(), &path("/d"), options).await.unwrap();
        let names: Vec<_> = listing.collect().await.unwrap().iter().map(|entry| entry.path().to_string()).collect();
        assert_eq!(names, (first..7).map(|number| format!("/d/{number}")).collect::<Vec<_>>());
        assert!(count.take()[&Operation::List] > 1, "no page was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_lists_each_kept_session_once_although_pages_get_lost() {
    let (_, storage, count) = lossy_pages().await;
    let pages = storage.unfinished(&Context::background(), &path("/s")).await.unwrap();
    let mut names: Vec<_> = pages.try_concat().await.unwrap().iter().map(|kept| kept.path.to_string()).collect();
    names.sort();
    assert_eq!(names, (0..7).map(|number| format!("/s/{number}")).collect::<Vec<_>>());
    assert!(count.take()[&Operation::Unfinished] > 1, "no page was lost");
}

#[tokio::test(start_paused = true)]
async fn retry_ends_a_listing_whose_directory_went_while_a_page_was_lost() {
    let (bare, storage, _) = lossy_pages().await;
    let mut listing = storage.list(&Context::background(), &path("/d"), pages_of_two()).await.unwrap();
    assert_eq!(listing.next_page().await.unwrap().unwrap().len(), 2);
    bare.delete(&Context::background(), &path("/d"), DeleteOptions::tree()).await.unwrap();
    assert!(listing.next_page().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn retry_gives_up_on_a_page_that_never_comes() {
    let (bare, ..) = lossy_pages().await;
    let storage = bare.layered(Faults::from(3, Fault::Before(ErrorKind::Unavailable))).layered(patient());
    let mut listing = storage.list(&Context::background(), &path("/d"), pages_of_two()).await.unwrap();
    assert_eq!(listing.next_page().await.unwrap().unwrap().len(), 2);
    assert_eq!(listing.next_page().await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(listing.next_page().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn timeout_ends_what_hangs_and_says_whether_it_may_be_repeated() {
    let limits = Timeout::new(Duration::from_secs(2), Duration::from_secs(1));
    let storage = memory().layered(Faults::from(1, Fault::Hang)).layered(limits);
    let (context, begun) = (Context::background(), Instant::now());
    let stat = storage.stat(&context, &path("/a")).await.unwrap_err();
    assert_eq!((stat.kind(), stat.retry()), (ErrorKind::Unavailable, driver_api::Retry::Safe));
    let put = storage.put(&context, &path("/a"), "x", PutOptions::default()).await.unwrap_err();
    assert_eq!((put.kind(), put.retry()), (ErrorKind::Unavailable, driver_api::Retry::MaybeApplied));
    assert_eq!(begun.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn timeout_leaves_the_callers_deadline_to_the_caller() {
    let limits = Timeout::new(Duration::from_secs(9), Duration::from_secs(9));
    let storage = memory().layered(Faults::from(1, Fault::Hang)).layered(limits);
    let context = Context::background().with_timeout(Duration::from_secs(1));
    assert_eq!(storage.stat(&context, &path("/a")).await.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit_bounds_the_calls_under_way() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let watch = {
        let (running, most) = (running.clone(), most.clone());
        Faults::new(move |_| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Fault::Delay(Duration::from_millis(5))
        })
    };
    let storage = memory().layered(watch).layered(ConcurrencyLimit::new(3));
    let calls = (0..20).map(|_| {
        let (storage, running) = (storage.clone(), running.clone());
        tokio::spawn(async move {
            let answer = storage.stat(&Context::background(), &StoragePath::root()).await;
            running.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    });
    for call in futures_util::future::join_all(calls).await {
        call.unwrap().unwrap();
    }
    // A place is free before its former holder has counted itself out.
    assert!((3..=6).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

#[tokio::test]
async fn concurrency_limit_waits_no_longer_than_the_caller() {
    let storage = memory().layered(Faults::from(1, Fault::Hang)).layered(ConcurrencyLimit::new(1));
    let hanging = storage.clone();
    let first = tokio::spawn(async move { hanging.stat(&Context::background(), &path("/a")).await });
    tokio::task::yield_now().await;
    let context = Context::background().with_timeout(Duration::from_millis(20));
    assert_eq!(storage.stat(&context, &path("/b")).await.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    first.abort();
}

#[tokio::test]
async fn read_only_refuses_every_change_and_no_reading() {
    let (bare, context) = (memory(), Context::background());
    put(&bare, "/a", "x").await;
    let storage = bare.layered(ReadOnly);
    assert_eq!(get(&storage, "/a").await, "x");
    let refused = [
        storage.put(&context, &path("/b"), "y", PutOptions::default()).await.map(drop),
        storage.writer(&context, &path("/b"), WriteOptions::default()).await.map(drop),
        storage.move_to(&context, &path("/a"), &path("/b")).await,
        storage.delete(&context, &path("/a"), DeleteOptions::default()).await,
        storage.delete_files(&context, [path("/a")]).await.map(drop),
        storage.abandon(&context, &path("/a")).await,
    ];
    for answer in refused {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    assert_eq!(get(&bare, "/a").await, "x");
}

#[tokio::test]
async fn prefix_shows_one_directory_as_the_root() {
    let (bare, context) = (memory(), Context::background());
    put(&bare, "/p", "the prefix as a file").await;
    put(&bare, "/p-q", "a sibling").await;
    let storage = bare.layered(Prefix::new(path("/p")));
    assert_eq!(storage.stat(&context, &StoragePath::root()).await.unwrap(), Entry::Directory(StoragePath::root()));
    put(&storage, "/a/b", "x").await;
    assert_eq!(get(&bare, "/p/a/b").await, "x");
    let listed = storage.list(&context, &StoragePath::root(), ListOptions::recursive()).await.unwrap();
    let listed = listed.collect().await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.path().as_str()).collect::<Vec<_>>(), ["/a/b"]);
    let missing = storage.get(&context, &path("/none"), GetOptions::default()).await.unwrap_err();
    assert_eq!(missing.path(), Some(&path("/none")));
    storage.delete(&context, &path("/a"), DeleteOptions::tree()).await.unwrap();
    assert_eq!(get(&bare, "/p-q").await, "a sibling");
}

#[tokio::test]
async fn prefix_of_an_empty_store_is_an_empty_root() {
    let (storage, context) = (memory().layered(Prefix::new(path("/p/q"))), Context::background());
    let listed = storage.list(&context, &StoragePath::root(), ListOptions::default()).await.unwrap();
    assert!(listed.collect().await.unwrap().is_empty());
}

#[tokio::test]
async fn prefix_leaves_less_room_for_paths_and_says_so() {
    let (bare, context) = (memory(), Context::background());
    let storage = bare.layered(Prefix::new(path("/p/q")));
    let room = storage.capabilities().limits.path_bytes;
    assert_eq!(room, bare.capabilities().limits.path_bytes - 4);
    let long = |bytes: usize| path(&"/12345678".repeat(100)[..bytes]);
    storage.put(&context, &long(room), "x", PutOptions::default()).await.unwrap();
    let error = storage.put(&context, &long(room + 1), "x", PutOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPath);
}

#[tokio::test]
async fn faults_meet_every_call_of_an_operation_one_after_another() {
    let mut survived = 0;
    for number in 1.. {
        let faults = Faults::at(number, Fault::Before(ErrorKind::Unavailable));
        let (storage, context) = (memory().layered(faults.clone()), Context::background());
        let written = async {
            let mut writer = storage.writer(&context, &path("/a"), WriteOptions::default()).await?;
            writer.write(&context, vec![7; 100_000].into()).await?;
            writer.commit(&context, CommitOptions::default()).await.map_err(driver_api::Error::from)
        };
        if written.await.is_ok() {
            assert!(faults.calls() < number);
            break;
        }
        survived += 1;
    }
    assert_eq!(survived, 3, "writer, write, commit");
}

#[tokio::test]
async fn a_stack_of_layers_answers_as_the_bare_driver_does() {
    let bare = memory();
    let stacked = bare
        .layered(ConcurrencyLimit::new(4))
        .layered(Timeout::new(Duration::from_secs(30), Duration::from_secs(30)))
        .layered(patient())
        .layered(Metrics)
        .layered(Trace);
    assert_eq!(stacked.capabilities(), bare.capabilities());
    put(&stacked, "/a/b", "x").await;
    assert_eq!(get(&bare, "/a/b").await, get(&stacked, "/a/b").await);
    let missing = stacked.stat(&Context::background(), &path("/none")).await.unwrap_err();
    assert_eq!((missing.kind(), missing.driver()), (ErrorKind::NotFound, Some(bare.name())));
}

/// A call with a context that has ended does nothing, and takes the writer nowhere.
#[tokio::test]
async fn a_layered_writer_outlives_a_call_with_a_context_that_has_ended() {
    let storage = memory().layered(patient());
    let (context, file) = (Context::background(), path("/a"));
    let mut writer = storage.driver().writer(&context, &file, WriteOptions::default()).await.unwrap();
    writer.write(&context, "content".into()).await.unwrap();
    let (cancelled, token) = context.with_cancellation();
    token.cancel();
    for ended in [cancelled, context.with_timeout(Duration::ZERO)] {
        assert!(writer.close(&ended).await.is_err());
        assert!(writer.cancel(&ended).await.is_err());
        let error = writer.commit(&ended, CommitOptions::default()).await.unwrap_err();
        assert_eq!(error.retry(), driver_api::Retry::Safe, "{error}");
    }
    writer.commit(&context, CommitOptions::default()).await.unwrap();
    assert_eq!(get(&storage, "/a").await, "content");
}
