//! Writers and kept sessions, as the disk and other driver values see them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use driver_api::{CommitOptions, Condition, Context, ErrorKind, FileWriter, StorageDriver, WriteMode, WriteOptions};
use driver_filesystem::{FilesystemDriver, FilesystemOptions};
use support::{Store, kind, path};

#[tokio::test]
async fn a_kept_session_has_one_owner_among_all_drivers() {
    let store = Store::new();
    let other = store.another();
    store.keep("/a/session", "12345").await;
    let mut owner = store.writer("/a/session", WriteOptions::append()).await.unwrap();
    assert_eq!(owner.size(), 5);
    let at = path("/a/session");
    assert_eq!(kind(other.writer(&store.context, &at, WriteOptions::append()).await), ErrorKind::Conflict);
    assert_eq!(kind(other.abandon(&store.context, &at).await), ErrorKind::Conflict);
    owner.write(&store.context, "678".into()).await.unwrap();
    assert_eq!(owner.close(&store.context).await.unwrap(), 8);
    let mut next = other.writer(&store.context, &at, WriteOptions::append()).await.unwrap();
    next.commit(&store.context, CommitOptions::default()).await.unwrap();
    assert_eq!(store.get("/a/session").await.unwrap(), "12345678");
    assert_eq!(store.disk(), ["a", "a/session"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_kept_is_not_resumed_and_a_dropped_owner_owns_nothing() {
    let store = Store::new();
    store.keep("/s", "kept").await;
    let other = store.another();
    for round in 0..50 {
        // The next owner comes through the same driver value, or through another one.
        let driver = if round % 2 == 0 { &store.driver } else { &other };
        let mut writer = driver.writer(&store.context, &path("/s"), WriteOptions::append()).await.unwrap();
        assert_eq!(writer.size(), 4);
        // Large enough to be under way still when its writer is dropped.
        writer.write(&store.context, vec![b'x'; 1 << 20].into()).await.unwrap();
    }
    assert_eq!(store.unfinished("/").await[0].size, 4);
}

#[tokio::test]
async fn bytes_behind_what_was_kept_are_cut_off() {
    let store = Store::new();
    store.keep("/s", "kept").await;
    let file = kept_file(&store, "s");
    fs::write(&file, "kept and then the power went").unwrap();
    let mut writer = store.writer("/s", WriteOptions::append()).await.unwrap();
    assert_eq!(writer.size(), 4);
    store.commit(&mut writer).await.unwrap();
    assert_eq!(store.get("/s").await.unwrap(), "kept");
}

#[tokio::test]
async fn a_session_that_lost_bytes_is_corrupt() {
    let store = Store::new();
    store.keep("/s", "kept").await;
    fs::write(kept_file(&store, "s"), "ke").unwrap();
    assert_eq!(kind(store.writer("/s", WriteOptions::append()).await), ErrorKind::Corrupt);
    store.driver.abandon(&store.context, &path("/s")).await.unwrap();
    assert_eq!(store.disk(), [""; 0]);
}

#[tokio::test]
async fn a_session_that_was_published_by_a_link_is_not_written_on() {
    let store = Store::new();
    store.keep("/s", "published").await;
    fs::hard_link(kept_file(&store, "s"), store.root.join("s")).unwrap();
    assert_eq!(kind(store.writer("/s", WriteOptions::append()).await), ErrorKind::Conflict, "the file is committed");
    assert_eq!(store.get("/s").await.unwrap(), "published");
    assert!(store.unfinished("/").await.is_empty());
}

#[tokio::test]
async fn of_two_that_were_kept_the_last_is_resumed() {
    let store = Store::new();
    let mut one = store.writer("/s", WriteOptions::default()).await.unwrap();
    let mut two = store.writer("/s", WriteOptions::default()).await.unwrap();
    two.write(&store.context, "two".into()).await.unwrap();
    one.close(&store.context).await.unwrap();
    two.close(&store.context).await.unwrap();
    assert_eq!(store.unfinished("/").await.iter().map(|session| session.size).collect::<Vec<_>>(), [3]);
    assert_eq!(store.writer("/s", WriteOptions::append()).await.unwrap().size(), 3);
}

#[tokio::test]
async fn asking_for_the_size_changes_nothing() {
    let store = Store::new();
    store.keep("/s", "kept").await;
    let before = store.disk();
    for _ in 0..3 {
        let mut writer = store.writer("/s", WriteOptions::append()).await.unwrap();
        assert_eq!(writer.close(&store.context).await.unwrap(), 4);
    }
    assert_eq!(store.disk(), before);
    let mut writer = store.writer("/nothing", WriteOptions::append()).await.unwrap();
    assert_eq!(writer.close(&store.context).await.unwrap(), 0);
    assert_eq!(store.disk(), before);
}

#[tokio::test]
async fn a_session_that_another_writer_ended_is_a_conflict() {
    let store = Store::new();
    store.keep("/s", "first").await;
    let mut owner = store.writer("/s", WriteOptions::append()).await.unwrap();
    owner.write(&store.context, "more".into()).await.unwrap();
    store.keep("/s", "second").await;
    assert_eq!(kind(store.commit(&mut owner).await), ErrorKind::Conflict);
    assert_eq!(kind(owner.close(&store.context).await), ErrorKind::Conflict);
    owner.cancel(&store.context).await.unwrap();
    assert_eq!(store.unfinished("/").await[0].size, 6);
    assert_eq!(kind(store.get("/s").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_writer_outlives_the_removal_of_its_tree() {
    let store = Store::new();
    let mut writer = store.writer("/a/b/s", WriteOptions::default()).await.unwrap();
    store.put("/a/b/c", "1").await.unwrap();
    store.delete_tree("/a").await.unwrap();
    writer.write(&store.context, "still".into()).await.unwrap();
    store.commit(&mut writer).await.unwrap();
    assert_eq!(store.get("/a/b/s").await.unwrap(), "still");
}

#[tokio::test]
async fn a_file_is_published_elsewhere_in_one_step() {
    let store = Store::new();
    store.keep("/uploads/1", "blob").await;
    let mut writer = store.writer("/uploads/1", WriteOptions::append()).await.unwrap();
    let info = writer.commit(&store.context, CommitOptions::default().with_to(path("/blobs/b"))).await.unwrap();
    assert_eq!((info.path.as_str(), info.size), ("/blobs/b", 4));
    assert_eq!(store.disk(), ["blobs", "blobs/b"]);
}

#[tokio::test]
async fn the_expected_size_is_checked_before_anything_is_touched() {
    let store = Store::new();
    store.keep("/s", "kept").await;
    let before = store.disk();
    for (expected, works) in [(3, false), (4, true)] {
        let mode = WriteMode::Append { expected_size: Some(expected) };
        let writer = store.writer("/s", WriteOptions::default().with_mode(mode)).await;
        assert_eq!(writer.is_ok(), works);
    }
    assert_eq!(store.disk(), before);
}

#[tokio::test]
async fn a_writer_whose_commit_was_refused_may_go_on() {
    let store = Store::new();
    store.put("/a", "there").await.unwrap();
    let mut writer = store.writer("/a", WriteOptions::default()).await.unwrap();
    let options = CommitOptions::default().with_condition(Condition::IfAbsent);
    for size in 1..4 {
        assert_eq!(kind(writer.commit(&store.context, options.clone()).await), ErrorKind::AlreadyExists);
        writer.write(&store.context, "x".into()).await.unwrap();
        assert_eq!(writer.size(), size);
    }
    store.commit(&mut writer).await.unwrap();
    assert_eq!(store.get("/a").await.unwrap(), "xxx");
}

#[test]
fn a_writer_may_be_dropped_outside_of_a_runtime() {
    let store = Store::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let writer = runtime.block_on(async {
        let mut writer = store.writer("/s", WriteOptions::default()).await.unwrap();
        writer.write(&store.context, "gone".into()).await.unwrap();
        writer
    });
    drop(runtime);
    drop(writer);
    assert_eq!(support::all_below(&store.root.join("~/live")).len(), 2, "the driver's directory and its lock");
}

const CHILD_ROOT: &str = "DRIVER_FILESYSTEM_TEST_CHILD_ROOT";

/// Not a test of its own: what the child process of the tests below runs.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Ok(root) = std::env::var(CHILD_ROOT) else { return };
    let driver = FilesystemDriver::new(FilesystemOptions::new(root)).unwrap();
    let context = Context::background();
    let mut kept = driver.writer(&context, &path("/kept"), WriteOptions::default()).await.unwrap();
    kept.write(&context, "kept".into()).await.unwrap();
    kept.close(&context).await.unwrap();
    let mut owned = driver.writer(&context, &path("/kept"), WriteOptions::append()).await.unwrap();
    owned.write(&context, " and more".into()).await.unwrap();
    let mut fresh = driver.writer(&context, &path("/fresh"), WriteOptions::default()).await.unwrap();
    fresh.write(&context, "never published".into()).await.unwrap();
    println!("\nready");
    std::future::pending().await
}

fn writing_child(store: &Store) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD_ROOT, &store.root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap() == "ready"));
    child
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept_and_what_it_kept_is_not() {
    let store = Store::new();
    let mut child = writing_child(&store);
    assert_eq!(kind(store.writer("/kept", WriteOptions::append()).await), ErrorKind::Conflict, "the child owns it");
    assert_eq!(store.instances().len(), 1, "reading and asking begins no staging area");
    store.put("/a", "1").await.unwrap();
    assert_eq!(store.instances().len(), 2, "the child lives");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(store.driver.sweep().await.unwrap().drivers, 1);
    assert_eq!(store.instances().len(), 1);
    let writer: Box<dyn FileWriter> = store.writer("/kept", WriteOptions::append()).await.unwrap();
    assert_eq!(writer.size(), 4);
    drop(writer);
    assert_eq!(store.disk()[..3], ["a", "~/kept", "~/kept/kept"]);
    assert!(store.disk().len() == 4 && kept_file(&store, "kept").exists());
}

#[tokio::test]
async fn the_first_write_sweeps_what_the_dead_left() {
    let store = Store::new();
    let mut child = writing_child(&store);
    child.kill().unwrap();
    child.wait().unwrap();
    // Also without the lock, as a loss of power may leave it.
    fs::create_dir(store.root.join("~/live/half")).unwrap();
    fs::write(store.root.join("~/live/half/0"), "partial").unwrap();
    store.put("/a", "1").await.unwrap();
    assert_eq!(store.instances().len(), 1);
}

fn kept_file(store: &Store, at: &str) -> std::path::PathBuf {
    let name = store.disk().into_iter().find(|name| name.starts_with(&format!("~/kept/{at}/~"))).unwrap();
    store.root.join(name)
}
