//! What the bridges make of calls: kinds of errors, ranges and paths, on the stores themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use compatibility::backends::Backend;
use driver_api::{
    ByteRange, Context, DeleteOptions, ErrorKind, GetOptions, ListOptions, PutOptions, ReadOptions, Storage,
    StoragePath, WriteOptions,
};

const BRIDGED: [Backend; 5] = [
    Backend::OpendalFs,
    Backend::OpendalFsAtomic,
    Backend::OpendalMemory,
    Backend::ObjectStoreLocal,
    Backend::ObjectStoreMemory,
];
const CONTEXT: Context = Context::background();

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

/// Runs `test` on an empty store of each bridge.
async fn each(test: impl AsyncFn(Backend, &Storage)) {
    for backend in BRIDGED {
        let opened = backend.open().await.unwrap();
        let instance = opened.target.fresh().await.unwrap();
        test(backend, instance.storage()).await;
    }
}

async fn put(storage: &Storage, name: &str, content: &'static str) {
    storage.put(&CONTEXT, &path(name), content, PutOptions::default()).await.unwrap();
}

#[tokio::test]
async fn ranges_at_and_behind_the_end() {
    each(async |backend, storage| {
        put(storage, "/a/file", "0123456789").await;
        for (range, expected) in [
            (ByteRange::FULL, Ok("0123456789")),
            (ByteRange::from(7), Ok("789")),
            (ByteRange::span(2, 3), Ok("234")),
            (ByteRange::span(8, u64::MAX), Ok("89")),
            (ByteRange::span(3, 0), Ok("")),
            (ByteRange::from(10), Ok("")),
            (ByteRange::from(11), Err(ErrorKind::InvalidRange)),
        ] {
            let got = storage.get(&CONTEXT, &path("/a/file"), GetOptions::default().with_range(range)).await;
            let got = got.map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()).map_err(|error| error.kind());
            assert_eq!(got.as_deref().map_err(|kind| *kind), expected, "{} {range:?}", backend.name());
            let reader = storage.reader(&CONTEXT, &path("/a/file"), ReadOptions::default().with_range(range)).await;
            assert_eq!(reader.map(|reader| reader.len()).is_ok(), expected.is_ok(), "{} {range:?}", backend.name());
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_not_found() {
    each(async |backend, storage| {
        put(storage, "/a/file", "content").await;
        let name = backend.name();
        for missing in ["/missing", "/a", "/a/fil", "/a/file/below"].map(path) {
            let get = storage.get(&CONTEXT, &missing, GetOptions::default()).await.map(drop);
            let delete = storage.delete(&CONTEXT, &missing, DeleteOptions::default()).await;
            let moved = storage.move_to(&CONTEXT, &missing, &path("/other")).await;
            for answer in [get, delete, moved] {
                assert_eq!(answer.unwrap_err().kind(), ErrorKind::NotFound, "{name} {missing}");
            }
        }
        assert!(storage.stat(&CONTEXT, &path("/a")).await.unwrap().is_directory(), "{name}");
        let listed = storage.list(&CONTEXT, &path("/a/file"), ListOptions::default()).await;
        assert_eq!(listed.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
    })
    .await;
}

#[tokio::test]
async fn listings_are_in_the_order_of_keys() {
    each(async |backend, storage| {
        for name in ["/d/a0", "/d/a/x", "/d/a.b", "/d/a-b", "/e"] {
            put(storage, name, "content").await;
        }
        for (options, expected) in [
            (ListOptions::default(), vec!["/d/a-b", "/d/a.b", "/d/a/", "/d/a0"]),
            (ListOptions::recursive(), vec!["/d/a-b", "/d/a.b", "/d/a/x", "/d/a0"]),
        ] {
            let listing = storage.list(&CONTEXT, &path("/d"), options).await.unwrap();
            let keys: Vec<_> = listing.collect().await.unwrap().iter().map(|entry| entry.key().to_string()).collect();
            assert_eq!(keys, expected, "{}", backend.name());
        }
    })
    .await;
}

#[tokio::test]
async fn a_write_that_was_put_aside_is_continued() {
    // In place, as OpenDAL's fs writes without a directory for temporary files, there is no such thing.
    for backend in BRIDGED.into_iter().filter(|backend| *backend != Backend::OpendalFs) {
        let opened = backend.open().await.unwrap();
        let instance = opened.target.fresh().await.unwrap();
        let (storage, file) = (instance.storage(), path("/a/file"));
        let mut writer = storage.writer(&CONTEXT, &file, WriteOptions::default()).await.unwrap();
        writer.write(&CONTEXT, "kept ".into()).await.unwrap();
        writer.close(&CONTEXT).await.unwrap();
        // What a dropped owner wrote is gone, and what was kept is not.
        let mut dropped = storage.writer(&CONTEXT, &file, WriteOptions::append()).await.unwrap();
        dropped.write(&CONTEXT, "lost".into()).await.unwrap();
        drop(dropped);
        let mut writer = storage.writer(&CONTEXT, &file, WriteOptions::append()).await.unwrap();
        assert_eq!(writer.size(), 5, "{}", backend.name());
        writer.write(&CONTEXT, "and continued".into()).await.unwrap();
        writer.commit(&CONTEXT, Default::default()).await.unwrap();
        let (_, bytes) = storage.get(&CONTEXT, &file, GetOptions::default()).await.unwrap();
        assert_eq!(bytes, "kept and continued", "{}", backend.name());
    }
}
