//! What calls cost, counted on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use driver_api::{
    ByteRange, CommitOptions, DeleteOptions, EntryKey, GetOptions, ListOptions, PutOptions, ReadOptions, UrlOptions,
    WriteOptions, Writer,
};
use futures_util::TryStreamExt;
use s3_server::Operation::{self, *};
use s3_server::Requests;

use crate::fixture::{BUCKET, Fixture, MIB, content, path};

fn counts<const N: usize>(counts: [(Operation, usize); N]) -> Requests {
    counts.into()
}

#[tokio::test]
async fn a_put_and_a_read_are_one_request_each() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    let file = path("/a/b");
    storage.put(&context, &file, content(4096), PutOptions::default()).await.unwrap();
    assert_eq!(server.requests(), counts([(PutObject, 1)]));
    storage.get(&context, &file, GetOptions::default()).await.unwrap();
    assert_eq!(server.requests(), counts([(GetObject, 1)]));
    storage.get(&context, &file, GetOptions::default().with_range(ByteRange::span(1, 9))).await.unwrap();
    assert_eq!(server.requests(), counts([(GetObject, 1)]));
    let reader = storage.reader(&context, &file, ReadOptions::default()).await.unwrap();
    reader.read_to_end(4096).await.unwrap();
    assert_eq!(server.requests(), counts([(GetObject, 1)]));
    storage.url_for(&context, &file, UrlOptions::default()).await.unwrap().unwrap();
    assert_eq!(server.requests(), counts([]));
    // No request of S3 answers a range without bytes.
    let ranged = async |range| storage.get(&context, &file, GetOptions::default().with_range(range)).await;
    assert!(ranged(ByteRange::span(3, 0)).await.unwrap().1.is_empty());
    assert_eq!(server.requests(), counts([(HeadObject, 1)]));
    assert!(ranged(ByteRange::from(4096)).await.unwrap().1.is_empty());
    assert_eq!(server.requests(), counts([(GetObject, 1), (HeadObject, 1)]));
    ranged(ByteRange::from(4097)).await.unwrap_err();
    assert_eq!(server.requests(), counts([(GetObject, 1), (HeadObject, 1)]));
}

#[tokio::test]
async fn stat_asks_once_for_a_file_and_twice_for_nothing() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    server.put_object(BUCKET, "d/file", "x");
    storage.stat(&context, &path("/d/file")).await.unwrap();
    assert_eq!(server.requests(), counts([(HeadObject, 1)]));
    storage.stat(&context, &path("/d")).await.unwrap();
    assert_eq!(server.requests(), counts([(HeadObject, 1), (ListObjects, 1)]));
    storage.stat(&context, &path("/nothing")).await.unwrap_err();
    assert_eq!(server.requests(), counts([(HeadObject, 1), (ListObjects, 1)]));
    // Siblings behind what would be below cost nothing, those before it a listing.
    server.put_object(BUCKET, "nothing0", "x");
    storage.stat(&context, &path("/nothing")).await.unwrap_err();
    assert_eq!(server.requests(), counts([(HeadObject, 1), (ListObjects, 1)]));
    server.put_object(BUCKET, "d-e", "x");
    storage.stat(&context, &path("/d")).await.unwrap();
    assert_eq!(server.requests(), counts([(HeadObject, 1), (ListObjects, 2)]));
}

#[tokio::test]
async fn a_listing_costs_its_pages() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    for (entries, pages) in [(1, 1), (1000, 1), (1001, 2), (2500, 3)] {
        server.create_bucket(BUCKET);
        (0..entries).for_each(|number| server.put_object(BUCKET, &format!("d/{number:05}/deeper/file"), "x"));
        let listing = storage.list(&context, &path("/d"), ListOptions::default()).await.unwrap();
        assert_eq!(listing.collect().await.unwrap().len(), entries);
        assert_eq!(server.requests(), counts([(ListObjects, pages)]), "{entries} entries");
    }
    storage.list(&context, &path("/nothing"), ListOptions::default()).await.unwrap_err();
    assert_eq!(server.requests(), counts([(ListObjects, 1)]));
    // Nothing is listed behind the last key: whether the directory exists shows before it.
    let behind_all = ListOptions::default().with_start_after(EntryKey::parse("/d/x").unwrap());
    assert_eq!(storage.list(&context, &path("/d"), behind_all).await.unwrap().collect().await.unwrap(), []);
    assert_eq!(server.requests(), counts([(ListObjects, 2)]));
    server.create_bucket(BUCKET);
    let empty = storage.list(&context, &path("/"), ListOptions::default()).await.unwrap();
    assert_eq!((empty.collect().await.unwrap(), server.requests()), (vec![], counts([(ListObjects, 1)])));
}

#[tokio::test]
async fn a_listing_reads_ahead_of_who_came_back_for_a_second_page() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    (0..4000).for_each(|number| server.put_object(BUCKET, &format!("d/{number:05}"), "x"));
    let mut listing = storage.list(&context, &path("/d"), ListOptions::default()).await.unwrap();
    listing.next_page().await.unwrap().unwrap();
    // Whatever was begun would have been by the time that another request is answered.
    storage.stat(&context, &path("/d/00000")).await.unwrap();
    assert_eq!(server.requests(), counts([(ListObjects, 1), (HeadObject, 1)]));
    listing.next_page().await.unwrap().unwrap();
    let mut pages = 0;
    while pages < 2 {
        pages += server.requests().of(ListObjects);
        tokio::task::yield_now().await;
    }
    listing.next_page().await.unwrap().unwrap();
    listing.next_page().await.unwrap().unwrap();
    assert!(listing.next_page().await.is_none());
    assert_eq!(server.requests(), counts([(ListObjects, 1)]));
}

#[tokio::test]
async fn a_listing_that_begins_late_costs_what_it_yields() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    (0..3000).for_each(|number| server.put_object(BUCKET, &format!("d/a/{number:05}"), "x"));
    server.put_object(BUCKET, "d/b", "x");
    let behind = EntryKey::parse("/d/a/").unwrap();
    let listing = storage.list(&context, &path("/d"), ListOptions::default().with_start_after(behind)).await.unwrap();
    assert_eq!(listing.collect().await.unwrap().len(), 1);
    assert_eq!(server.requests(), counts([(ListObjects, 1)]));
}

#[tokio::test]
async fn a_recursive_listing_of_everything_does_not_read_the_sessions() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    (0..1000).for_each(|number| server.put_object(BUCKET, &format!("f{number:05}"), "x"));
    (0..3000).for_each(|number| server.put_object(BUCKET, &format!("~/s{number:05}~"), "x"));
    let listing = storage.list(&context, &path("/"), ListOptions::recursive()).await.unwrap();
    assert_eq!(listing.collect().await.unwrap().len(), 1000);
    assert_eq!(server.requests(), counts([(ListObjects, 2)]));
}

#[tokio::test]
async fn a_small_move_is_a_look_a_copy_and_a_delete() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    server.put_object(BUCKET, "from", content(4096));
    storage.move_to(&context, &path("/from"), &path("/to")).await.unwrap();
    assert_eq!(server.requests(), counts([(HeadObject, 1), (CopyObject, 1), (DeleteObject, 1)]));
    server.put_object(BUCKET, "large", content(11 * MIB));
    storage.move_to(&context, &path("/large"), &path("/to")).await.unwrap();
    let expected = [
        (HeadObject, 2),
        (CreateMultipartUpload, 1),
        (UploadPartCopy, 3),
        (CompleteMultipartUpload, 1),
        (DeleteObject, 1),
    ];
    assert_eq!(server.requests(), counts(expected));
}

#[tokio::test]
async fn deletes_cost_their_batches() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    server.put_object(BUCKET, "file", "x");
    storage.delete(&context, &path("/file"), DeleteOptions::default()).await.unwrap();
    assert_eq!(server.requests(), counts([(HeadObject, 1), (DeleteObject, 1)]));
    storage.delete(&context, &path("/file"), DeleteOptions::default()).await.unwrap_err();
    assert_eq!(server.requests(), counts([(HeadObject, 1), (ListObjects, 1)]));
    let files: Vec<_> = (0..1500).map(|number| path(&format!("/d/{number}"))).collect();
    files.iter().for_each(|file| server.put_object(BUCKET, file.relative(), "x"));
    storage.delete_files(&context, files.clone()).await.unwrap();
    assert_eq!((server.requests(), server.keys(BUCKET).len()), (counts([(DeleteObjects, 2)]), 0));
    files.iter().for_each(|file| server.put_object(BUCKET, file.relative(), "x"));
    storage.delete(&context, &path("/d"), DeleteOptions::tree()).await.unwrap();
    // A head and a listing show that there is no file `/d`, and a head and a listing that no session is kept.
    let expected = [(HeadObject, 2), (ListObjects, 4), (DeleteObjects, 2)];
    assert_eq!((server.requests(), server.keys(BUCKET).len()), (counts(expected), 0));
}

#[tokio::test]
async fn a_small_writer_is_one_put_and_one_look_for_what_it_supersedes() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    let mut writer = storage.writer(&context, &path("/a"), WriteOptions::default()).await.unwrap();
    assert_eq!(server.requests(), counts([]));
    writer.write(&context, content(5 * MIB)).await.unwrap();
    assert_eq!(server.requests(), counts([]));
    writer.commit(&context, CommitOptions::default()).await.unwrap();
    assert_eq!(server.requests(), counts([(PutObject, 1), (HeadObject, 1)]));
}

#[tokio::test]
async fn a_large_writer_is_its_parts_and_four_more() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    let mut writer = storage.writer(&context, &path("/a"), WriteOptions::default()).await.unwrap();
    for chunk in content(16 * MIB).chunks(MIB) {
        writer.write(&context, bytes::Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.commit(&context, CommitOptions::default()).await.unwrap();
    let expected = [(CreateMultipartUpload, 1), (UploadPart, 4), (CompleteMultipartUpload, 1), (HeadObject, 2)];
    assert_eq!(server.requests(), counts(expected));
}

#[tokio::test]
async fn a_session_costs_one_request_to_keep_and_one_to_resume() {
    let Fixture { server, storage, context, .. } = Fixture::new().await;
    let file = path("/a");
    let mut writer = storage.writer(&context, &file, WriteOptions::append()).await.unwrap();
    // Nothing is kept, and no file is there.
    assert_eq!(server.requests(), counts([(GetObject, 1), (HeadObject, 1)]));
    writer.write(&context, content(100)).await.unwrap();
    writer.close(&context).await.unwrap();
    assert_eq!(server.requests(), counts([(PutObject, 1)]));
    let writer = storage.writer(&context, &file, WriteOptions::append()).await.unwrap();
    writer.close(&context).await.unwrap();
    assert_eq!(server.requests(), counts([(GetObject, 1)]));
    let sessions: Vec<_> = storage.unfinished(&context, &path("/")).await.unwrap().try_concat().await.unwrap();
    assert_eq!((sessions.len(), server.requests()), (1, counts([(ListObjects, 1), (HeadObject, 1)])));
    let writer = storage.writer(&context, &file, WriteOptions::append()).await.unwrap();
    writer.commit(&context, CommitOptions::default()).await.unwrap();
    assert_eq!(server.requests(), counts([(GetObject, 1), (PutObject, 1), (DeleteObject, 1)]));
}

/// A writer that has sent what it can of `size` bytes.
async fn writing(fixture: &Fixture, options: WriteOptions, size: usize) -> Writer {
    let mut writer = fixture.storage.writer(&fixture.context, &path("/s/a"), options).await.unwrap();
    let begin = writer.size() as usize;
    for chunk in content(size)[begin..].chunks(MIB) {
        writer.write(&fixture.context, bytes::Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer
}

#[tokio::test]
async fn a_close_over_what_may_be_kept_looks_for_it_first() {
    let fixture = Fixture::new().await;
    let requests = || fixture.requests();
    writing(&fixture, WriteOptions::default(), 100).await.close(&fixture.context).await.unwrap();
    assert_eq!(requests(), counts([(HeadObject, 1), (PutObject, 1)]));
    // Another one supersedes it, with one part and a tail.
    writing(&fixture, WriteOptions::default(), 6 * MIB).await.close(&fixture.context).await.unwrap();
    let expected = [(CreateMultipartUpload, 1), (UploadPart, 1), (HeadObject, 1), (PutObject, 1)];
    assert_eq!(requests(), counts(expected));
    let pages = fixture.storage.unfinished(&fixture.context, &path("/s")).await.unwrap();
    let sessions: Vec<_> = pages.try_concat().await.unwrap();
    assert_eq!((sessions.len(), requests()), (1, counts([(HeadObject, 2), (ListObjects, 1)])));
    let writer = writing(&fixture, WriteOptions::append(), 16 * MIB).await;
    writer.commit(&fixture.context, CommitOptions::default()).await.unwrap();
    // The part that was kept is not sent again.
    let expected = [(GetObject, 1), (UploadPart, 3), (CompleteMultipartUpload, 1), (HeadObject, 1), (DeleteObject, 1)];
    assert_eq!(requests(), counts(expected));
}

#[tokio::test]
async fn what_is_given_up_costs_what_there_is_to_discard() {
    let fixture = Fixture::new().await;
    let (context, requests) = (&fixture.context, || fixture.requests());
    let keep = async |size| {
        writing(&fixture, WriteOptions::default(), size).await.close(context).await.unwrap();
        requests();
    };
    writing(&fixture, WriteOptions::default(), 100).await.cancel(context).await.unwrap();
    assert_eq!(requests(), counts([(HeadObject, 1)]));
    writing(&fixture, WriteOptions::append(), 100).await.cancel(context).await.unwrap();
    assert_eq!(requests(), counts([(GetObject, 1), (HeadObject, 1)]), "of opening it");
    keep(6 * MIB).await;
    writing(&fixture, WriteOptions::append(), 6 * MIB).await.cancel(context).await.unwrap();
    assert_eq!(requests(), counts([(GetObject, 1), (AbortMultipartUpload, 1), (DeleteObject, 1)]));
    for (size, expected) in [
        (100, counts([(HeadObject, 1), (DeleteObject, 1)])),
        (6 * MIB, counts([(HeadObject, 1), (AbortMultipartUpload, 1), (DeleteObject, 1)])),
    ] {
        keep(size).await;
        fixture.storage.abandon(context, &path("/s/a")).await.unwrap();
        assert_eq!(requests(), expected);
    }
    fixture.storage.abandon(context, &path("/s/a")).await.unwrap_err();
    assert_eq!(requests(), counts([(HeadObject, 1), (ListObjects, 1)]));
    // A tree that is nothing but a session with parts.
    keep(6 * MIB).await;
    fixture.storage.delete(context, &path("/s"), DeleteOptions::tree()).await.unwrap();
    let expected = [(HeadObject, 3), (ListObjects, 3), (AbortMultipartUpload, 1), (DeleteObject, 1)];
    assert_eq!(requests(), counts(expected));
}
