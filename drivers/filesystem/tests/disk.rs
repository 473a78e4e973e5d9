//! What the driver leaves on the disk, and what it makes of what others left there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use driver_api::{
    CommitOptions, DeleteOptions, Entry, ErrorKind, GetOptions, ListOptions, StorageDriver, WriteOptions,
};
use driver_filesystem::{FilesystemDriver, FilesystemOptions, Posix};
use support::{Store, kind, mode, path};

#[tokio::test]
async fn reading_makes_nothing_and_writing_makes_the_root() {
    let store = Store::new();
    assert_eq!(kind(store.get("/a").await), ErrorKind::NotFound);
    assert_eq!(kind(store.stat("/a").await), ErrorKind::NotFound);
    assert!(store.stat("/").await.unwrap().is_directory());
    assert_eq!(store.list("/", ListOptions::default()).await.unwrap(), [""; 0]);
    assert_eq!(kind(store.delete("/a").await), ErrorKind::NotFound);
    assert_eq!(kind(store.move_to("/a", "/b").await), ErrorKind::NotFound);
    assert!(store.unfinished("/").await.is_empty());
    assert!(!store.root.exists());
    store.put("/a", "1").await.unwrap();
    assert_eq!(fs::read(store.root.join("a")).unwrap(), b"1");
}

#[tokio::test]
async fn an_empty_root_path_is_refused() {
    assert_eq!(kind(FilesystemDriver::new(FilesystemOptions::new(""))), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn modes_are_what_the_umask_leaves() {
    let store = Store::new();
    store.put("/a/b", "1").await.unwrap();
    let mut writer = store.writer("/a/c", WriteOptions::default()).await.unwrap();
    store.commit(&mut writer).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let (file, directory) = (other.path().join("file"), other.path().join("directory"));
    fs::write(&file, "").unwrap();
    fs::create_dir(&directory).unwrap();
    assert_eq!(mode(&store.on_disk("/a/b")), mode(&file));
    assert_eq!(mode(&store.on_disk("/a/c")), mode(&file));
    assert_eq!(mode(&store.on_disk("/a")), mode(&directory));
    assert_eq!(mode(&store.root), mode(&directory));
}

#[tokio::test]
async fn only_published_files_are_outside_the_staging_area() {
    let store = Store::new();
    let mut writer = store.writer("/x/y/z", WriteOptions::default()).await.unwrap();
    writer.write(&store.context, "bytes".into()).await.unwrap();
    let disk = store.disk();
    assert!(
        disk.len() == 1 && disk[0].starts_with("~/live/"),
        "a writer makes no directories before it publishes: {disk:?}"
    );
    writer.cancel(&store.context).await.unwrap();
    store.put("/a/b", "1").await.unwrap();
    store.put("/a/b", "2").await.unwrap();
    store.move_to("/a/b", "/c/d").await.unwrap();
    assert_eq!(store.disk(), ["c", "c/d"]);
    store.delete("/c/d").await.unwrap();
    assert_eq!(store.disk(), [""; 0]);
}

#[tokio::test]
async fn a_refused_write_leaves_no_directories() {
    let store = Store::new();
    store.put("/a", "1").await.unwrap();
    assert_eq!(kind(store.put("/a/b/c", "2").await), ErrorKind::Conflict);
    assert_eq!(kind(store.put_if_absent("/a", "2").await), ErrorKind::AlreadyExists);
    assert_eq!(kind(store.move_to("/missing", "/x/y").await), ErrorKind::NotFound);
    assert_eq!(kind(store.move_to("/a", "/a/b").await), ErrorKind::Conflict);
    assert_eq!(store.disk(), ["a"]);
}

#[tokio::test]
async fn longest_names_work_everywhere() {
    let store = Store::new();
    let name = "n".repeat(255);
    let at = format!("/{name}/{name}/{name}");
    store.put(&at, "put").await.unwrap();
    store.keep(&at, "kept").await;
    let mut writer = store.writer(&at, WriteOptions::append()).await.unwrap();
    writer.write(&store.context, " on".into()).await.unwrap();
    store.commit(&mut writer).await.unwrap();
    assert_eq!(store.get(&at).await.unwrap(), "kept on");
    store.move_to(&at, &format!("/{name}")).await.unwrap_err();
    store.move_to(&at, "/short").await.unwrap();
    assert_eq!(store.disk(), ["short"]);
}

async fn stays_inside<S: driver_filesystem::SystemCalls>(store: Store<S>) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    store.put("/inside/file", "1").await.unwrap();
    symlink(outside.path(), store.root.join("out")).unwrap();
    symlink(outside.path().join("secret"), store.root.join("secret")).unwrap();
    symlink("inside", store.root.join("within")).unwrap();
    for at in ["/out", "/out/secret", "/secret", "/within", "/within/file"] {
        assert_eq!(kind(store.get(at).await), ErrorKind::NotFound, "{at}");
        assert_eq!(kind(store.stat(at).await), ErrorKind::NotFound, "{at}");
        assert_eq!(kind(store.list(at, ListOptions::default()).await), ErrorKind::NotFound, "{at}");
        assert_eq!(kind(store.delete(at).await), ErrorKind::NotFound, "{at}");
        assert_eq!(kind(store.move_to(at, "/stolen").await), ErrorKind::NotFound, "{at}");
    }
    for at in ["/out/new", "/out/deep/new", "/within/new"] {
        assert_eq!(kind(store.put(at, "2").await), ErrorKind::Conflict, "{at}");
        assert_eq!(kind(store.move_to("/inside/file", at).await), ErrorKind::Conflict, "{at}");
    }
    assert_eq!(store.list("/", ListOptions::default()).await.unwrap(), ["/inside/"]);
    store.put("/secret", "mine").await.unwrap();
    assert_eq!(store.get("/secret").await.unwrap(), "mine");
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret", "a link is replaced, not followed");
    store.put("/tree/file", "1").await.unwrap();
    symlink(outside.path(), store.root.join("tree/out")).unwrap();
    store.delete_tree("/tree").await.unwrap();
    assert!(!store.root.join("tree").exists() && outside.path().join("secret").exists());
}

#[tokio::test]
async fn no_symbolic_link_is_followed() {
    stays_inside(Store::new()).await;
}

#[tokio::test]
async fn no_symbolic_link_is_followed_without_openat2() {
    stays_inside(Store::over(Posix::without_openat2())).await;
}

#[tokio::test]
async fn works_without_openat2() {
    let store = Store::over(Posix::without_openat2());
    store.put("/a/b/c", "1").await.unwrap();
    store.keep("/a/b/d", "2").await;
    store.move_to("/a/b/c", "/e/f").await.unwrap();
    assert_eq!(store.get("/e/f").await.unwrap(), "1");
    assert!(store.stat("/e").await.unwrap().is_directory());
    assert_eq!(store.list("/", ListOptions::recursive()).await.unwrap(), ["/e/f"]);
    let mut writer = store.writer("/a/b/d", WriteOptions::append()).await.unwrap();
    store.commit(&mut writer).await.unwrap();
    store.delete_tree("/a").await.unwrap();
    store.delete("/e/f").await.unwrap();
    assert_eq!(store.disk(), [""; 0]);
}

#[tokio::test]
async fn the_root_may_be_a_symbolic_link() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("real")).unwrap();
    symlink("real", directory.path().join("link")).unwrap();
    let driver = FilesystemDriver::new(FilesystemOptions::new(directory.path().join("link"))).unwrap();
    let context = driver_api::Context::background();
    driver.put(&context, &path("/a"), "1".into(), Default::default()).await.unwrap();
    assert_eq!(fs::read(directory.path().join("real/a")).unwrap(), b"1");
}

#[tokio::test]
async fn foreign_entries_are_no_part_of_the_store() {
    let store = Store::new();
    store.put("/d/file", "1").await.unwrap();
    for name in ["with space", "~partial", ".nfs0001~", "naïve"] {
        fs::write(store.root.join("d").join(name), "foreign").unwrap();
    }
    let pipe = store.root.join("d/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(store.list("/d", ListOptions::default()).await.unwrap(), ["/d/file"]);
    assert_eq!(kind(store.get("/d/pipe").await), ErrorKind::NotFound);
    assert_eq!(kind(store.stat("/d/pipe").await), ErrorKind::NotFound);
    assert_eq!(kind(store.delete("/d/pipe").await), ErrorKind::NotFound);
    assert_eq!(kind(store.put_if_absent("/d/pipe", "1").await), ErrorKind::Conflict);
    store.delete("/d/file").await.unwrap();
    assert_eq!(kind(store.stat("/d").await), ErrorKind::NotFound, "there is nothing of the store in it");
    assert_eq!(kind(store.list("/d", ListOptions::default()).await), ErrorKind::NotFound);
    store.delete_tree("/d").await.unwrap();
    assert_eq!(store.disk(), [""; 0]);
}

#[tokio::test]
async fn a_move_onto_another_name_of_the_same_file_leaves_one() {
    let store = Store::new();
    store.put("/a", "1").await.unwrap();
    fs::hard_link(store.on_disk("/a"), store.on_disk("/b")).unwrap();
    store.move_to("/a", "/b").await.unwrap();
    assert_eq!(store.disk(), ["b"]);
}

#[tokio::test]
async fn a_move_dates_the_file_and_one_that_fails_does_not() {
    let store = Store::new();
    let put = store.put("/a", "1").await.unwrap();
    store.move_to("/a", "/a/below").await.unwrap_err();
    assert_eq!(store.stat("/a").await.unwrap().into_file().unwrap(), put);
    store.move_to("/a", "/b").await.unwrap();
    assert!(store.stat("/b").await.unwrap().into_file().unwrap().modified > put.modified);
}

#[tokio::test]
async fn a_socket_is_no_file() {
    let store = Store::new();
    store.put("/a", "1").await.unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(store.on_disk("/socket")).unwrap();
    assert_eq!(kind(store.get("/socket").await), ErrorKind::NotFound);
    assert_eq!(kind(store.move_to("/socket", "/b").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_root_that_is_a_file_is_told_as_such() {
    let store = Store::new();
    fs::write(&store.root, "a file").unwrap();
    assert_eq!(kind(store.get("/a").await), ErrorKind::Misconfigured);
    assert_eq!(kind(store.put("/a", "1").await), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn empty_directories_of_others_are_nothing() {
    let store = Store::new();
    store.put("/x", "1").await.unwrap();
    fs::create_dir_all(store.root.join("a/b/c")).unwrap();
    assert_eq!(kind(store.stat("/a/b/c").await), ErrorKind::NotFound);
    assert_eq!(kind(store.list("/a/b/c", ListOptions::default()).await), ErrorKind::NotFound);
    assert_eq!(store.list("/", ListOptions::recursive()).await.unwrap(), ["/x"]);
    store.put("/a", "in their place").await.unwrap();
    assert_eq!(store.get("/a").await.unwrap(), "in their place");
    fs::create_dir_all(store.root.join("b/c")).unwrap();
    assert_eq!(kind(store.delete_tree("/b").await), ErrorKind::NotFound);
    assert_eq!(store.disk(), ["a", "x"], "nothing was there, and the directories are gone all the same");
}

#[tokio::test]
async fn a_sweep_removes_directories_without_files() {
    let store = Store::new();
    store.put("/a/file", "1").await.unwrap();
    store.keep("/s/session", "1").await;
    fs::create_dir_all(store.root.join("a/b/c")).unwrap();
    fs::create_dir_all(store.root.join("~/kept/old/one")).unwrap();
    fs::create_dir_all(store.root.join("not ours/b")).unwrap();
    let swept = store.driver.sweep().await.unwrap();
    assert_eq!((swept.directories, swept.copies), (4, 0));
    let disk = store.disk();
    assert!(store.root.join("a/file").exists() && store.root.join("not ours/b").exists(), "{disk:?}");
    assert!(!store.root.join("a/b").exists() && !store.root.join("~/kept/old").exists(), "{disk:?}");
    assert_eq!(store.unfinished("/").await.len(), 1);
}

#[tokio::test]
async fn a_root_that_is_removed_under_the_driver_is_made_again() {
    let store = Store::new();
    store.put("/a", "1").await.unwrap();
    fs::remove_dir_all(&store.root).unwrap();
    assert_eq!(kind(store.get("/a").await), ErrorKind::NotFound);
    store.put("/a", "2").await.unwrap();
    assert_eq!(store.get("/a").await.unwrap(), "2");
    fs::remove_dir_all(store.root.join("~")).unwrap();
    let mut writer = store.writer("/b", WriteOptions::default()).await.unwrap();
    store.commit(&mut writer).await.unwrap();
    assert_eq!(store.list("/", ListOptions::default()).await.unwrap(), ["/a", "/b"]);
}

#[tokio::test]
async fn a_file_that_others_cut_off_is_never_short_without_an_error() {
    let store = Store::new();
    let content = vec![7; 300_000];
    let at = path("/file");
    store.driver.put(&store.context, &at, content.clone().into(), Default::default()).await.unwrap();
    let mut reader = store.driver.reader(&store.context, &at, Default::default()).await.unwrap();
    let file = fs::OpenOptions::new().write(true).open(store.on_disk("/file")).unwrap();
    file.set_len(100_000).unwrap();
    let mut read = 0;
    let error = loop {
        match reader.next_chunk().await.expect("the stream ends with an error") {
            Ok(chunk) => read += chunk.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(read < content.len() && reader.next_chunk().await.is_none());
}

#[tokio::test]
async fn a_version_changes_with_every_content_and_outlives_the_driver() {
    let store = Store::new();
    let mut versions = std::collections::HashSet::new();
    for _ in 0..100 {
        assert!(versions.insert(store.put("/a", "same").await.unwrap().version.unwrap()));
    }
    let Entry::File(now) = store.stat("/a").await.unwrap() else { panic!("a file") };
    let version = now.version.unwrap();
    assert!(versions.contains(&version));
    let options = GetOptions::default().with_if_match(version);
    let (info, _) = store.another().get(&store.context, &path("/a"), options.clone()).await.unwrap();
    assert_eq!(info, now_again(&store).await);
    store.put("/a", "same").await.unwrap();
    assert_eq!(kind(store.driver.get(&store.context, &path("/a"), options).await), ErrorKind::Conflict);
}

async fn now_again(store: &Store) -> driver_api::FileInfo {
    store.stat("/a").await.unwrap().into_file().unwrap()
}

#[tokio::test]
async fn a_tree_delete_takes_what_is_kept_in_it() {
    let store = Store::new();
    store.keep("/a/b/one", "1").await;
    store.keep("/a", "2").await;
    store.keep("/ab", "3").await;
    store.delete_tree("/a").await.unwrap();
    assert_eq!(store.unfinished("/").await.iter().map(|session| session.path.to_string()).collect::<Vec<_>>(), ["/ab"]);
    assert_eq!(kind(store.delete_tree("/a").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn many_files_go_in_one_batch() {
    let store = Store::new();
    for at in ["/a/1", "/a/2", "/b/1", "/keep/1"] {
        store.put(at, "1").await.unwrap();
    }
    let paths = ["/a/1", "/b/1", "/a/missing", "/none/at/all", "/keep", "/a/2"].map(path);
    assert!(store.driver.delete_files(&store.context, &paths).await.unwrap().is_empty());
    assert_eq!(store.disk(), ["keep", "keep/1"]);
}

#[tokio::test]
async fn an_ended_context_changes_nothing() {
    let store = Store::new();
    store.put("/a", "1").await.unwrap();
    let (ended, token) = store.context.with_cancellation();
    let mut writer = store.writer("/w", WriteOptions::default()).await.unwrap();
    token.cancel();
    let at = path("/a");
    assert_eq!(kind(store.driver.put(&ended, &at, "2".into(), Default::default()).await), ErrorKind::Cancelled);
    assert_eq!(kind(store.driver.delete(&ended, &at, DeleteOptions::tree()).await), ErrorKind::Cancelled);
    assert_eq!(kind(store.driver.delete(&ended, &at, Default::default()).await), ErrorKind::Cancelled);
    assert_eq!(kind(store.driver.move_to(&ended, &at, &path("/b"), Default::default()).await), ErrorKind::Cancelled);
    assert_eq!(kind(store.driver.delete_files(&ended, &[at]).await), ErrorKind::Cancelled);
    assert_eq!(kind(writer.commit(&ended, CommitOptions::default()).await), ErrorKind::Cancelled);
    assert_eq!(kind(writer.close(&ended).await), ErrorKind::Cancelled);
    store.commit(&mut writer).await.unwrap();
    assert_eq!(store.disk(), ["a", "w"]);
    assert_eq!(store.get("/a").await.unwrap(), "1");
}
