//! What is particular to the layer that repeats, and to bodies that break or stall. The drills of every request are beside this.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::time::Duration;

use driver_api::{
    CommitOptions, DeleteOptions, ErrorKind, GetOptions, PutOptions, ReadOptions, Retry, WriteOptions, layers,
};
use driver_s3::{S3Options, Timeouts};
use s3_server::{Fault, Injection, Operation, ServerOptions};

use crate::fixture::{BUCKET, Fixture, MIB, content, path};

#[tokio::test]
async fn behind_retries_a_throttled_request_is_not_seen() {
    let fixture = Fixture::new().await;
    let retry = layers::Retry::new(5, Duration::from_millis(1), Duration::from_millis(5));
    let (storage, context) = (fixture.storage.layered(retry), &fixture.context);
    let throttle = |operation| {
        fixture.server.inject(Injection::new(Fault::Refuse { status: 503, code: "SlowDown" }).on(operation).times(3));
    };
    throttle(Operation::PutObject);
    storage.put(context, &path("/a"), content(10), PutOptions::default()).await.unwrap();
    throttle(Operation::HeadObject);
    storage.stat(context, &path("/a")).await.unwrap();
    throttle(Operation::CopyObject);
    storage.move_to(context, &path("/a"), &path("/b")).await.unwrap();
    throttle(Operation::DeleteObject);
    storage.delete(context, &path("/b"), DeleteOptions::default()).await.unwrap();
    assert!(fixture.server.keys(BUCKET).is_empty());
}

#[tokio::test]
async fn behind_retries_a_broken_stream_goes_on_with_the_same_version() {
    let fixture = Fixture::new().await;
    let retry = layers::Retry::new(5, Duration::from_millis(1), Duration::from_millis(5));
    let (storage, context) = (fixture.storage.layered(retry), &fixture.context);
    fixture.server.put_object(BUCKET, "a", content(MIB));
    fixture.server.inject(Injection::new(Fault::CutBody(100_000)).on(Operation::GetObject).times(3));
    let reader = storage.reader(context, &path("/a"), ReadOptions::default()).await.unwrap();
    assert_eq!(reader.read_to_end(MIB as u64).await.unwrap(), content(MIB));
    assert_eq!(fixture.requests().of(Operation::GetObject), 4);
    fixture.inject(Operation::GetObject, Fault::CutBody(100_000));
    let mut reader = storage.reader(context, &path("/a"), ReadOptions::default()).await.unwrap();
    reader.next_chunk().await.unwrap().unwrap();
    fixture.server.put_object(BUCKET, "a", content(MIB / 2));
    let error = loop {
        match reader.next_chunk().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the old and the new file were mixed"),
        }
    };
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_stalled_body_ends_and_a_slow_reader_does_not_end_it() {
    let fixture = Fixture::with(ServerOptions::default(), |options| S3Options {
        timeouts: Timeouts { stall: Duration::from_millis(300), ..Timeouts::default() },
        ..options
    })
    .await;
    fixture.server.put_object(BUCKET, "a", content(4 * MIB));
    let mut reader = fixture.storage.reader(&fixture.context, &path("/a"), ReadOptions::default()).await.unwrap();
    reader.next_chunk().await.unwrap().unwrap();
    // A consumer that is busy for longer than a stall may last.
    tokio::time::sleep(Duration::from_millis(700)).await;
    reader.read_to_end(4 * MIB as u64).await.unwrap();
    fixture.inject(Operation::GetObject, Fault::StallBody(1000));
    let reader = fixture.storage.reader(&fixture.context, &path("/a"), ReadOptions::default()).await.unwrap();
    let error = reader.read_to_end(4 * MIB as u64).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
}

#[tokio::test]
async fn a_burst_that_refuses_all_parts_on_their_way_costs_one_attempt() {
    let fixture = Fixture::new().await;
    let retry = layers::Retry::new(2, Duration::from_millis(1), Duration::from_millis(2));
    let (storage, context) = (fixture.storage.layered(retry), &fixture.context);
    for is_written_on in [false, true] {
        let mut writer = storage.writer(context, &path("/a"), WriteOptions::default()).await.unwrap();
        let refused = Fault::Refuse { status: 503, code: "SlowDown" };
        fixture.server.inject(Injection::new(refused).on(Operation::UploadPart).times(4));
        writer.write(context, content(21 * MIB)).await.unwrap();
        // The parts go on their way when the upload has begun.
        writer.write(context, content(MIB)).await.unwrap();
        fixture.server.struck(4).await;
        if is_written_on {
            writer.write(context, content(MIB)).await.unwrap();
        }
        let size = writer.size();
        assert_eq!(writer.commit(context, CommitOptions::default()).await.unwrap().size, size);
        let (_, bytes) = storage.get(context, &path("/a"), GetOptions::default()).await.unwrap();
        assert!(bytes.len() as u64 == size && bytes.starts_with(&content(21 * MIB)));
        fixture.server.clear_injections();
    }
}

#[tokio::test]
async fn a_delete_without_an_answer_that_finds_another_version_may_have_deleted_its_own() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    let old = storage.put(context, &file, content(5), PutOptions::default()).await.unwrap().version.unwrap();
    fixture.inject(Operation::DeleteObject, Fault::DoAndRefuse { status: 500, code: "InternalError" });
    // The look at what became of it, behind the one before the delete.
    fixture
        .server
        .inject(Injection::new(Fault::Delay(Duration::from_millis(500))).on(Operation::HeadObject).after(1).once());
    let put = async {
        fixture.server.struck(2).await;
        storage.put(context, &file, content(6), PutOptions::default()).await.unwrap()
    };
    let options = DeleteOptions::default().with_if_match(old);
    let (deleted, _) = tokio::join!(storage.delete(context, &file, options), put);
    let error = deleted.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied), "{error}");
}

#[tokio::test]
async fn a_sweep_outlives_what_is_refused_for_now() {
    let fixture = Fixture::new().await;
    let context = &fixture.context;
    let mut lost = fixture.storage.writer(context, &path("/lost"), WriteOptions::default()).await.unwrap();
    lost.write(context, content(6 * MIB)).await.unwrap();
    lost.write(context, content(MIB)).await.unwrap();
    std::mem::forget(lost);
    fixture.orphan().await;
    let refuse = |operation, times| {
        let refused = Fault::Refuse { status: 503, code: "SlowDown" };
        fixture.server.inject(Injection::new(refused).on(operation).times(times));
    };
    refuse(Operation::ListMultipartUploads, 2);
    refuse(Operation::GetObject, 2);
    let orphans = fixture.driver.orphaned_uploads(Duration::ZERO).await.unwrap();
    refuse(Operation::GetObject, 1);
    refuse(Operation::AbortMultipartUpload, 2);
    fixture.driver.abort_orphaned_upload(&orphans[0]).await.unwrap();
    assert_eq!(fixture.server.uploads(BUCKET), []);
    // It comes to an end where the service does not recover.
    refuse(Operation::ListMultipartUploads, u64::MAX);
    fixture.requests();
    let error = fixture.driver.orphaned_uploads(Duration::ZERO).await.unwrap_err();
    assert_eq!((error.kind(), fixture.requests().total()), (ErrorKind::Unavailable, 3), "{error}");
}
