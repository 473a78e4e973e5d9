//! Two defects of object_store's LocalFileSystem that take a move which was interrupted and is made again: its `copy` makes a
//! hard link, and renaming one link of a file over another does nothing. No check of the suite repeats an interrupted move, so
//! these tests do, through the bridge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use std::path::Path;
use std::sync::Arc;

use compatibility::bridge::{Bridge, Moves, ObjectStoreCrate, Promises};
use driver_api::{
    Conditions, Context, DeleteOptions, Durability, MoveLevel, Namespace, PutOptions, Storage, StoragePath,
};
use object_store::ObjectStoreExt;
use object_store::local::LocalFileSystem;

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

/// A file at `/a`, of which a move to `/b` was interrupted behind its copy.
async fn interrupted(root: &Path, moves: Moves) -> Storage {
    let store = Arc::new(LocalFileSystem::new_with_prefix(root).unwrap());
    let promises = Promises {
        namespace: Namespace::Tree,
        durability: Durability::Process,
        shared: true,
        put: Conditions { if_absent: true, if_match: false },
        moves: MoveLevel::CopyThenDelete,
    };
    let storage = Storage::new(Bridge::new(ObjectStoreCrate::new(store.clone(), promises).moving_by(moves)));
    storage.put(&Context::background(), &path("/a"), "content", PutOptions::default()).await.unwrap();
    store.copy(&"a".into(), &"b".into()).await.unwrap();
    storage
}

fn names(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// MOVE-1: the source is gone.
#[tokio::test]
async fn a_move_by_rename_leaves_the_source() {
    let root = tempfile::tempdir().unwrap();
    let storage = interrupted(root.path(), Moves::Rename).await;
    storage.move_to(&Context::background(), &path("/a"), &path("/b")).await.unwrap();
    assert_eq!(names(root.path()), ["a", "b"]);
}

/// WRITE-4: nothing is left in the backend after every file was deleted.
#[tokio::test]
async fn a_move_by_copy_and_delete_leaks_a_staging_file() {
    let root = tempfile::tempdir().unwrap();
    let storage = interrupted(root.path(), Moves::CopyThenDelete).await;
    storage.move_to(&Context::background(), &path("/a"), &path("/b")).await.unwrap();
    storage.delete(&Context::background(), &path("/b"), DeleteOptions::default()).await.unwrap();
    assert_eq!(names(root.path()), ["b#0"]);
}
