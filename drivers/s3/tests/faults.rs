//! What is particular to the layer that repeats, and to bodies that break or stall. The drills of every request are beside this.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::time::Duration;

use driver_api::{DeleteOptions, ErrorKind, PutOptions, ReadOptions, Retry, layers};
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
