//! What becomes of a call when the operating system refuses one of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use driver_api::{CommitOptions, Condition, ErrorKind, ListOptions, PutOptions, Retry, StorageDriver, WriteOptions};
use rustix::io::Errno;
use support::refusing::{Call, Refusing};
use support::{Store, kind, path};

/// A store on which the calls that `refused` names fail with `errno` while the switch is on.
fn switched(errno: Errno, refused: &'static [Call]) -> (Store<Refusing>, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let on = Arc::clone(&switch);
    let calls = Refusing::new(move |call, _| {
        (on.load(Ordering::Relaxed) && refused.contains(&call)).then_some(errno.raw_os_error())
    });
    (Store::over(calls), switch)
}

/// Refuses every second write, so that half of a chunk is written.
fn half_full(errno: Errno) -> (Store<Refusing>, Arc<AtomicBool>) {
    let full = Arc::new(AtomicBool::new(false));
    let (on, writes) = (Arc::clone(&full), AtomicUsize::new(0));
    let calls = Refusing::new(move |call, _| {
        let refused =
            call == Call::WriteAt && on.load(Ordering::Relaxed) && writes.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        refused.then_some(errno.raw_os_error())
    });
    (Store::over(calls), full)
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_content_and_gives_the_room_back() {
    for errno in [Errno::NOSPC, Errno::DQUOT] {
        let (store, full) = half_full(errno);
        store.put("/a", "old").await.unwrap();
        full.store(true, Ordering::Relaxed);
        let error = store.put("/a", "new").await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::NoSpace, Retry::Never));
        assert_eq!(kind(store.put("/b/c", "new").await), ErrorKind::NoSpace);
        full.store(false, Ordering::Relaxed);
        assert_eq!(store.get("/a").await.unwrap(), "old");
        assert_eq!(store.disk(), ["a"]);
        assert_eq!(support::all_below(&store.root.join("~/live")).len(), 2, "the driver's directory and its lock");
    }
}

#[tokio::test]
async fn a_writer_on_a_full_disk_keeps_what_is_good() {
    let (store, full) = half_full(Errno::NOSPC);
    let mut writer = store.writer("/w", WriteOptions::default()).await.unwrap();
    writer.write(&store.context, "good".into()).await.unwrap();
    assert_eq!(writer.size(), 4);
    // Settles the first chunk, which the switch must not meet.
    writer.write(&store.context, " too".into()).await.unwrap();
    let settled = writer.close(&store.context).await.unwrap();
    assert_eq!(settled, 8);
    let mut writer = store.writer("/w", WriteOptions::append()).await.unwrap();
    full.store(true, Ordering::Relaxed);
    writer.write(&store.context, "refused".into()).await.unwrap();
    assert_eq!(kind(writer.write(&store.context, "next".into()).await), ErrorKind::NoSpace);
    assert_eq!(writer.size(), 8, "the chunk that was accepted is given back");
    assert_eq!(kind(writer.write(&store.context, "next".into()).await), ErrorKind::NoSpace);
    assert_eq!(kind(store.commit(&mut writer).await), ErrorKind::NoSpace, "a part is never published");
    full.store(false, Ordering::Relaxed);
    assert_eq!(writer.close(&store.context).await.unwrap(), 8);
    let mut writer = store.writer("/w", WriteOptions::append()).await.unwrap();
    store.commit(&mut writer).await.unwrap();
    assert_eq!(store.get("/w").await.unwrap(), "good too");
}

#[tokio::test]
async fn a_failed_write_is_told_by_close_too() {
    let (store, full) = half_full(Errno::NOSPC);
    let mut writer = store.writer("/w", WriteOptions::default()).await.unwrap();
    full.store(true, Ordering::Relaxed);
    writer.write(&store.context, "refused".into()).await.unwrap();
    assert_eq!(kind(writer.close(&store.context).await), ErrorKind::NoSpace);
    assert_eq!(writer.size(), 0);
    writer.cancel(&store.context).await.unwrap();
    assert_eq!(store.disk(), [""; 0]);
}

#[tokio::test]
async fn a_failed_sync_publishes_nothing_and_is_not_tried_again() {
    let (store, broken) = switched(Errno::IO, &[Call::SyncFile]);
    store.put("/a", "old").await.unwrap();
    let mut writer = store.writer("/a", WriteOptions::default()).await.unwrap();
    writer.write(&store.context, "new".into()).await.unwrap();
    broken.store(true, Ordering::Relaxed);
    let error = store.put("/a", "new").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Never));
    assert_eq!(store.commit(&mut writer).await.unwrap_err().retry(), Retry::Never);
    broken.store(false, Ordering::Relaxed);
    // The kernel calls the pages clean now; a sync that succeeds proves nothing.
    store.commit(&mut writer).await.unwrap_err();
    writer.close(&store.context).await.unwrap_err();
    writer.cancel(&store.context).await.unwrap();
    assert_eq!(store.get("/a").await.unwrap(), "old");
    assert_eq!(store.disk(), ["a"]);
}

#[tokio::test]
async fn a_directory_that_can_not_be_synced_makes_the_outcome_uncertain() {
    let (store, broken) = switched(Errno::IO, &[Call::SyncDirectory]);
    store.put("/a", "old").await.unwrap();
    store.put("/gone", "old").await.unwrap();
    broken.store(true, Ordering::Relaxed);
    assert_eq!(store.put("/a", "new").await.unwrap_err().retry(), Retry::MaybeApplied);
    assert_eq!(store.delete("/gone").await.unwrap_err().retry(), Retry::MaybeApplied);
    assert_eq!(store.move_to("/a", "/b").await.unwrap_err().retry(), Retry::MaybeApplied);
    let failures = store.driver.delete_files(&store.context, &[path("/b")]).await.unwrap();
    assert_eq!((failures.len(), failures[0].path(), failures[0].retry()), (1, Some(&path("/b")), Retry::MaybeApplied));
}

#[tokio::test]
async fn what_comes_to_light_at_closing_stops_the_publication() {
    let (store, broken) = switched(Errno::DQUOT, &[Call::Close]);
    store.put("/a", "old").await.unwrap();
    broken.store(true, Ordering::Relaxed);
    assert_eq!(kind(store.put("/a", "new").await), ErrorKind::NoSpace);
    let mut writer = store.writer("/a", WriteOptions::default()).await.unwrap();
    assert_eq!(kind(store.commit(&mut writer).await), ErrorKind::NoSpace);
    broken.store(false, Ordering::Relaxed);
    assert_eq!(store.get("/a").await.unwrap(), "old");
}

#[tokio::test]
async fn a_commit_that_failed_may_be_tried_again() {
    let (store, broken) = switched(Errno::NOSPC, &[Call::Rename, Call::MakeDirectory]);
    let mut fresh = store.writer("/f", WriteOptions::default()).await.unwrap();
    fresh.write(&store.context, "fresh".into()).await.unwrap();
    store.keep("/k", "kept").await;
    let mut resumed = store.writer("/k", WriteOptions::append()).await.unwrap();
    broken.store(true, Ordering::Relaxed);
    assert_eq!(kind(store.commit(&mut fresh).await), ErrorKind::NoSpace);
    assert_eq!(kind(fresh.close(&store.context).await), ErrorKind::NoSpace);
    assert_eq!(kind(store.commit(&mut resumed).await), ErrorKind::NoSpace);
    broken.store(false, Ordering::Relaxed);
    store.commit(&mut fresh).await.unwrap();
    store.commit(&mut resumed).await.unwrap();
    assert_eq!(
        (store.get("/f").await.unwrap().as_ref(), store.get("/k").await.unwrap().as_ref()),
        (&b"fresh"[..], &b"kept"[..])
    );
}

#[tokio::test]
async fn access_that_is_refused_is_never_taken_for_absence() {
    for (errno, expected) in [
        (Errno::ACCESS, ErrorKind::PermissionDenied),
        (Errno::PERM, ErrorKind::PermissionDenied),
        (Errno::IO, ErrorKind::Unavailable),
        (Errno::MFILE, ErrorKind::Unavailable),
        (Errno::STALE, ErrorKind::Unavailable),
    ] {
        let (store, broken) = switched(errno, &[Call::OpenFile, Call::StatusAt, Call::CreateFile]);
        store.put("/a", "1").await.unwrap();
        broken.store(true, Ordering::Relaxed);
        assert_eq!(kind(store.get("/a").await), expected);
        assert_eq!(kind(store.stat("/a").await), expected);
        assert_eq!(kind(store.put("/a", "2").await), expected);
        assert_eq!(kind(store.delete("/a").await), expected);
        assert_eq!(kind(store.move_to("/a", "/b").await), expected);
    }
}

#[tokio::test]
async fn a_file_system_that_folds_cases_is_refused_at_the_first_write() {
    let mut calls = Refusing::new(|_, _| None);
    calls.folds_case = true;
    let store = Store::over(calls);
    assert_eq!(kind(store.get("/a").await), ErrorKind::NotFound);
    assert_eq!(kind(store.put("/a", "1").await), ErrorKind::Misconfigured);
    assert_eq!(kind(store.writer("/a", WriteOptions::default()).await), ErrorKind::Misconfigured);
    assert!(store.instances().is_empty());
}

/// Says EXDEV to each rename out of the staging area, as where another file system is mounted below the root.
fn mounted() -> Store<Refusing> {
    let across = AtomicBool::new(false);
    Store::over(Refusing::new(move |call, name| {
        let publishes =
            matches!(call, Call::Rename | Call::RenameNoreplace) && !name.as_encoded_bytes().starts_with(b"~");
        (publishes && !across.fetch_xor(true, Ordering::Relaxed)).then_some(Errno::XDEV.raw_os_error())
    }))
}

#[tokio::test]
async fn a_mount_below_the_root_is_written_to() {
    let store = mounted();
    let put = store.put("/mount/a", "put").await.unwrap();
    assert_eq!(store.stat("/mount/a").await.unwrap().into_file().unwrap(), put);
    let mut writer = store.writer("/mount/b", WriteOptions::default()).await.unwrap();
    writer.write(&store.context, "written".into()).await.unwrap();
    let options = CommitOptions::default().with_condition(Condition::IfAbsent);
    let committed = writer.commit(&store.context, options).await.unwrap();
    assert_eq!(store.stat("/mount/b").await.unwrap().into_file().unwrap(), committed);
    store.move_to("/mount/a", "/c").await.unwrap();
    assert_eq!(store.get("/c").await.unwrap(), "put");
    assert_eq!(store.get("/mount/b").await.unwrap(), "written");
    assert_eq!(store.disk(), ["c", "mount", "mount/b"]);
}

#[tokio::test]
async fn a_copy_that_nobody_publishes_is_swept() {
    let store = mounted();
    store.put("/mount/a", "1").await.unwrap();
    let own = store.instances().remove(0);
    for name in ["~copy-1-2-3.0".to_owned(), format!("~copy-{own}.f")] {
        fs::write(store.root.join("mount").join(name), "copy").unwrap();
    }
    assert_eq!(store.driver.sweep().await.unwrap().copies, 1);
    assert!(store.root.join(format!("mount/~copy-{own}.f")).exists(), "its driver lives");
}

/// A sweep looked for the lock of a driver that had just made its staging directory, and came back when it was at work.
#[tokio::test]
async fn a_driver_that_just_begins_is_not_swept_by_another() {
    let unlocked = Arc::new(AtomicUsize::new(0));
    let looks = Arc::clone(&unlocked);
    let store = Store::over(Refusing::new(move |call, name| {
        let looks_for_lock = call == Call::OpenFile && name.as_encoded_bytes().ends_with(b"/lock");
        (looks_for_lock && looks.fetch_add(1, Ordering::Relaxed) == 0).then_some(Errno::NOENT.raw_os_error())
    }));
    let other = store.another();
    let mut writer = other.writer(&store.context, &path("/begun"), WriteOptions::default()).await.unwrap();
    writer.write(&store.context, "bytes".into()).await.unwrap();
    store.put("/swept", "").await.unwrap();
    assert_eq!(unlocked.load(Ordering::Relaxed), 1, "the sweep met one other driver");
    writer.commit(&store.context, CommitOptions::default()).await.unwrap();
    assert_eq!(store.get("/begun").await.unwrap(), "bytes");
}

async fn one_of_sixteen_wins(store: Store<Refusing>) {
    let store = Arc::new(store);
    for round in 0..20 {
        let at = path(&format!("/race/{round}"));
        let attempts: Vec<_> = (0..16_u8)
            .map(|number| {
                let (store, at) = (Arc::clone(&store), at.clone());
                tokio::spawn(async move {
                    let options = PutOptions::default().with_condition(Condition::IfAbsent);
                    let answer = store.driver.put(&store.context, &at, vec![number].into(), options).await;
                    answer.map(|_| number).map_err(|error| error.kind())
                })
            })
            .collect();
        let mut winners = Vec::new();
        for attempt in attempts {
            match attempt.await.unwrap() {
                Ok(number) => winners.push(number),
                Err(kind) => assert_eq!(kind, ErrorKind::AlreadyExists),
            }
        }
        assert_eq!(store.get(at.as_str()).await.unwrap().as_ref(), winners, "exactly one");
    }
    assert_eq!(support::all_below(&store.root.join("~/live")).len(), 2, "the driver's directory and its lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_puts_if_absent_one_wins() {
    one_of_sixteen_wins(Store::over(Refusing::new(|_, _| None))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_puts_if_absent_one_wins_where_only_links_are_exclusive() {
    let calls = Refusing::new(|call, _| (call == Call::RenameNoreplace).then_some(Errno::INVAL.raw_os_error()));
    one_of_sixteen_wins(Store::over(calls)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_and_deletes_in_one_directory_do_not_fail_each_other() {
    let store = Arc::new(Store::new());
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let at = format!("/x/y/z/{task}");
                for _ in 0..50 {
                    store.put(&at, "1").await.unwrap();
                    assert_eq!(store.get(&at).await.unwrap(), "1");
                    store.delete(&at).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.disk(), [""; 0]);
}

#[tokio::test]
async fn a_put_into_a_known_directory_syncs_that_one_alone() {
    let syncs = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counted = Arc::clone(&syncs);
    let store = Store::over(Refusing::new(move |call, _| {
        match call {
            Call::SyncFile => drop(counted.0.fetch_add(1, Ordering::Relaxed)),
            Call::SyncDirectory => drop(counted.1.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        None
    }));
    let taken = || (syncs.0.swap(0, Ordering::Relaxed), syncs.1.swap(0, Ordering::Relaxed));
    store.put("/first", "1").await.unwrap();
    taken();
    store.put("/a/b/c", "1").await.unwrap();
    assert_eq!(taken(), (1, 3), "b, a, and the root");
    store.put("/a/b/d", "1").await.unwrap();
    assert_eq!(taken(), (1, 1));
    fs::create_dir_all(store.root.join("a/made/by-others")).unwrap();
    store.put("/a/made/by-others/e", "1").await.unwrap();
    assert_eq!(taken(), (1, 3), "by-others, made, and a, which has the new name");
    store.delete("/a/b/c").await.unwrap();
    assert_eq!(taken(), (0, 1));
    store.delete("/a/b/d").await.unwrap();
    assert_eq!(taken(), (0, 1), "a alone: b is gone");
    store.put("/a/b/d", "1").await.unwrap();
    assert_eq!(taken(), (1, 2), "b is another directory than before");
}

#[tokio::test]
async fn a_directory_that_stands_still_is_scanned_once() {
    let scans = Arc::new(AtomicUsize::new(0));
    for (ahead, expected) in [(Duration::from_secs(1), 1), (Duration::ZERO, 4)] {
        let counted = Arc::clone(&scans);
        let mut calls = Refusing::new(move |call, _| {
            if call == Call::ReadDirectory {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            None
        });
        calls.ahead = ahead;
        let store = Store::over(calls);
        store.put("/d/a", "1").await.unwrap();
        scans.store(0, Ordering::Relaxed);
        // A put right before the listing has to look as one during the listing does.
        store.put("/d/b", "1").await.unwrap();
        assert_eq!(store.list("/d", ListOptions::default()).await.unwrap(), ["/d/a", "/d/b"]);
        assert!((1..=expected).contains(&scans.load(Ordering::Relaxed)));
    }
}
