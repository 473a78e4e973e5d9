//! Whose file it is that a commit finds when it has no answer, or finds its upload gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::time::Duration;

use driver_api::{
    CommitOptions, Condition, DeleteOptions, ErrorKind, GetOptions, PutOptions, Retry, StorageDriver, StoragePath,
    WriteOptions, WriterError, layers,
};
use futures_util::TryStreamExt;
use s3_server::{Fault, Injection, Operation};

use crate::fixture::{BUCKET, Fixture, MIB, content, path};

fn if_absent() -> CommitOptions {
    CommitOptions::default().with_condition(Condition::IfAbsent)
}

/// Keeps the first `size` bytes at `/a`.
async fn keep(fixture: &Fixture, size: usize) {
    let mut writer = fixture.storage.writer(&fixture.context, &path("/a"), WriteOptions::default()).await.unwrap();
    writer.write(&fixture.context, content(size)).await.unwrap();
    writer.close(&fixture.context).await.unwrap();
}

#[tokio::test]
async fn a_session_that_another_process_has_published_without_what_was_written_here_is_a_conflict() {
    // The other process has written as much, or nothing.
    for theirs in ["", "t"] {
        let fixture = Fixture::new().await;
        let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
        keep(&fixture, 6 * MIB).await;
        let mut one = storage.writer(context, &file, WriteOptions::append()).await.unwrap();
        let mut two = fixture.other_process().writer(context, &file, WriteOptions::append()).await.unwrap();
        two.write(context, "o".into()).await.unwrap();
        storage.put(context, &file, content(1), PutOptions::default()).await.unwrap();
        let failure = two.commit(context, if_absent()).await.unwrap_err();
        assert_eq!(failure.error.kind(), ErrorKind::AlreadyExists, "{failure}");
        one.write(context, theirs.into()).await.unwrap();
        one.commit(context, CommitOptions::default()).await.unwrap();
        let failure = failure.writer.unwrap().commit(context, CommitOptions::default()).await.unwrap_err();
        assert_eq!(failure.error.kind(), ErrorKind::Conflict, "{failure}");
    }
}

#[tokio::test]
async fn a_session_that_another_process_has_published_as_it_was_kept_is_published() {
    let fixture = Fixture::new().await;
    let (context, file) = (&fixture.context, path("/a"));
    keep(&fixture, 6 * MIB).await;
    let one = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    let two = fixture.other_process().writer(context, &file, WriteOptions::append()).await.unwrap();
    let info = one.commit(context, CommitOptions::default()).await.unwrap();
    assert_eq!(two.commit(context, CommitOptions::default()).await.unwrap(), info);
}

#[tokio::test]
async fn the_absence_of_an_upload_is_nothing_to_go_by_until_the_file_was_looked_at() {
    let fixture = Fixture::new().await;
    let (context, file) = (&fixture.context, path("/a"));
    keep(&fixture, 6 * MIB).await;
    let one = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    let two = fixture.other_process().writer(context, &file, WriteOptions::append()).await.unwrap();
    one.commit(context, CommitOptions::default()).await.unwrap();
    fixture.inject(Operation::HeadObject, Fault::Break);
    let failure = two.commit(context, CommitOptions::default()).await.unwrap_err();
    assert_eq!((failure.error.kind(), failure.error.retry()), (ErrorKind::Unavailable, Retry::Safe), "{failure}");
    failure.writer.unwrap().commit(context, CommitOptions::default()).await.unwrap();
}

#[tokio::test]
async fn what_another_process_has_published_of_the_same_short_session_is_not_ones_own() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    keep(&fixture, MIB).await;
    let mut one = storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    let mut two = fixture.other_process().writer(context, &file, WriteOptions::append()).await.unwrap();
    one.write(context, "o".into()).await.unwrap();
    two.write(context, "t".into()).await.unwrap();
    one.commit(context, CommitOptions::default()).await.unwrap();
    fixture.inject(Operation::PutObject, Fault::Refuse { status: 500, code: "InternalError" });
    let failure = two.commit(context, CommitOptions::default()).await.unwrap_err();
    failure.writer.unwrap().commit(context, CommitOptions::default()).await.unwrap();
    let (_, bytes) = storage.get(context, &file, GetOptions::default()).await.unwrap();
    assert_eq!(bytes.last(), Some(&b't'));
}

#[tokio::test]
async fn a_shorter_file_of_ones_own_is_not_what_was_written_since() {
    let fixture = Fixture::new().await;
    // The handle does not let anybody write on; a driver is not to rely on it.
    let mut writer = fixture.driver.writer(&fixture.context, &path("/a"), WriteOptions::default()).await.unwrap();
    writer.write(&fixture.context, content(4096)).await.unwrap();
    fixture.inject(Operation::PutObject, Fault::LoseAnswer);
    fixture.server.inject(Injection::new(Fault::Break).on(Operation::HeadObject).times(2));
    let error = writer.commit(&fixture.context, if_absent()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::MaybeApplied, "{error}");
    writer.write(&fixture.context, content(100)).await.unwrap();
    let error = writer.commit(&fixture.context, if_absent()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied), "{error}");
}

#[tokio::test]
async fn a_commit_in_parts_tells_of_its_own_file_though_another_one_has_come() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    // Nothing is kept, so that the look at what was published is the only one.
    let mut writer = storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    writer.write(context, content(6 * MIB)).await.unwrap();
    fixture.inject(Operation::HeadObject, Fault::Delay(Duration::from_millis(500)));
    let put = async {
        fixture.server.struck(1).await;
        storage.put(context, &file, content(5), PutOptions::default()).await.unwrap()
    };
    let (committed, other) = tokio::join!(writer.commit(context, CommitOptions::default()), put);
    let committed = committed.unwrap();
    assert_eq!(committed.size, 6 * MIB as u64);
    assert!(committed.version.is_some() && committed.version != other.version, "{committed:?}");
}

#[tokio::test]
async fn a_file_that_was_to_match_and_is_gone_may_have_been_matched_before() {
    for (size, publishing) in [(4096, Operation::PutObject), (6 * MIB, Operation::CompleteMultipartUpload)] {
        let fixture = Fixture::new().await;
        let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
        let old = storage.put(context, &file, content(5), PutOptions::default()).await.unwrap();
        let options = CommitOptions::default().with_condition(Condition::IfMatch(old.version.unwrap()));
        let mut writer = storage.writer(context, &file, WriteOptions::default()).await.unwrap();
        writer.write(context, content(size)).await.unwrap();
        fixture.inject(publishing, Fault::Break);
        let failure = writer.commit(context, options.clone()).await.unwrap_err();
        assert_eq!(failure.error.retry(), Retry::MaybeApplied, "{failure}");
        storage.delete(context, &file, DeleteOptions::default()).await.unwrap();
        let failure = failure.writer.unwrap().commit(context, options).await.unwrap_err();
        let error = failure.error;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied), "{error}");
    }
}

/// What Amazon answers to a write with a condition that another request came in between of.
const CONFLICTING: Fault = Fault::Refuse { status: 409, code: "ConditionalRequestConflict" };

#[tokio::test]
async fn a_write_that_a_conflicting_request_came_in_between_of_is_made_again() {
    let fixture = Fixture::new().await;
    let retry = layers::Retry::new(2, Duration::from_millis(1), Duration::from_millis(2));
    let (storage, context) = (fixture.storage.layered(retry), &fixture.context);
    fixture.inject(Operation::PutObject, CONFLICTING);
    let if_absent_put = PutOptions::default().with_condition(Condition::IfAbsent);
    storage.put(context, &path("/put"), content(10), if_absent_put).await.unwrap();
    for (size, publishing) in [(10, Operation::PutObject), (11 * MIB, Operation::CompleteMultipartUpload)] {
        let file = path(&format!("/{size}"));
        let mut writer = storage.writer(context, &file, WriteOptions::default()).await.unwrap();
        writer.write(context, content(size)).await.unwrap();
        fixture.inject(publishing, CONFLICTING);
        writer.commit(context, if_absent()).await.unwrap();
        assert!(storage.get(context, &file, GetOptions::default()).await.unwrap().1 == content(size));
    }
}

/// The commit of a file in parts that a conflicting request came in between of.
async fn in_conflict(fixture: &Fixture, file: &StoragePath) -> WriterError {
    let mut writer = fixture.storage.writer(&fixture.context, file, WriteOptions::default()).await.unwrap();
    writer.write(&fixture.context, content(11 * MIB)).await.unwrap();
    fixture.inject(Operation::CompleteMultipartUpload, CONFLICTING);
    writer.commit(&fixture.context, if_absent()).await.unwrap_err()
}

#[tokio::test]
async fn a_commit_whose_upload_ended_with_a_conflict_is_neither_published_nor_kept() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    let failure = in_conflict(&fixture, &file).await;
    let error = failure.error;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe), "{error}");
    fixture.server.end_uploads(BUCKET);
    // A close that succeeded would promise bytes that nobody has.
    let failure = failure.writer.unwrap().close(context).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict, "{failure}");
    let failure = failure.writer.unwrap().commit(context, if_absent()).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict, "{failure}");
    failure.writer.unwrap().cancel(context).await.unwrap();
    let kept: Vec<_> = storage.unfinished(context, &file).await.unwrap().try_concat().await.unwrap();
    assert_eq!((kept.len(), fixture.server.keys(BUCKET).len()), (0, 0));
}

#[tokio::test]
async fn a_commit_whose_upload_outlived_a_conflict_can_be_kept() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    let failure = in_conflict(&fixture, &file).await;
    assert_eq!(failure.writer.unwrap().close(context).await.unwrap(), 11 * MIB as u64);
    let writer = storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    writer.commit(context, if_absent()).await.unwrap();
    assert!(storage.get(context, &file, GetOptions::default()).await.unwrap().1 == content(11 * MIB));
}
