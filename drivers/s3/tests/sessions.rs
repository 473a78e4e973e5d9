//! What was kept stays: whatever becomes of a later close, of another writer at the path, of a crash, or of a sweep.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::time::Duration;

use driver_api::{
    CommitOptions, DeleteOptions, ErrorKind, GetOptions, PutOptions, Retry, Storage, StorageDriver, WriteOptions,
    Writer,
};
use futures_util::TryStreamExt;
use s3_server::{Fault, Injection, Operation};

use crate::fixture::{BUCKET, Fixture, MIB, content, path};

/// The key of the session of `/a`.
const SESSION: &str = "~/a~";

const REFUSED: Fault = Fault::Refuse { status: 503, code: "SlowDown" };

/// A writer to `/a` that was given the first `size` bytes, those resumed included.
async fn writing(fixture: &Fixture, options: WriteOptions, size: usize) -> Writer {
    let mut writer = fixture.storage.writer(&fixture.context, &path("/a"), options).await.unwrap();
    let begin = writer.size() as usize;
    for at in (begin..size).step_by(MIB) {
        writer.write(&fixture.context, content(size).slice(at..(at + MIB).min(size))).await.unwrap();
    }
    writer
}

async fn keep(fixture: &Fixture, size: usize) {
    writing(fixture, WriteOptions::default(), size).await.close(&fixture.context).await.unwrap();
}

/// What is kept at `/a` has this size, and is published whole.
async fn expect_kept(fixture: &Fixture, by: &Storage, size: usize) {
    let writer = by.writer(&fixture.context, &path("/a"), WriteOptions::append()).await.unwrap();
    assert_eq!(writer.size(), size as u64);
    writer.commit(&fixture.context, CommitOptions::default()).await.unwrap();
    let (_, bytes) = by.get(&fixture.context, &path("/a"), GetOptions::default()).await.unwrap();
    assert!(bytes == content(size));
}

#[tokio::test]
async fn a_close_without_an_answer_leaves_the_upload_that_its_session_may_name() {
    let fixture = Fixture::new().await;
    let context = &fixture.context;
    keep(&fixture, MIB).await;
    let writer = writing(&fixture, WriteOptions::append(), 12 * MIB).await;
    fixture.inject(Operation::PutObject, Fault::LoseAnswer);
    fixture.inject(Operation::HeadObject, Fault::Break);
    let failure = writer.close(context).await.unwrap_err();
    assert_eq!(failure.error.retry(), Retry::MaybeApplied, "{failure}");
    drop(failure);
    expect_kept(&fixture, &fixture.other_process(), 12 * MIB).await;
}

#[tokio::test]
async fn a_close_that_is_dropped_leaves_the_upload_that_its_session_may_name() {
    let fixture = Fixture::new().await;
    keep(&fixture, MIB).await;
    // Below the handle, which would go on with what its caller has dropped.
    let mut writer = fixture.driver.writer(&fixture.context, &path("/a"), WriteOptions::append()).await.unwrap();
    writer.write(&fixture.context, content(12 * MIB).slice(MIB..)).await.unwrap();
    fixture.inject(Operation::PutObject, Fault::DoAndHang);
    let replaced = async {
        while fixture.server.object(BUCKET, SESSION).unwrap().metadata["size"] != (12 * MIB).to_string() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        closed = writer.close(&fixture.context) => panic!("{closed:?}"),
        () = replaced => {}
    }
    drop(writer);
    expect_kept(&fixture, &fixture.other_process(), 12 * MIB).await;
}

#[tokio::test]
async fn a_close_that_was_refused_leaves_no_upload_behind_a_dropped_writer() {
    let fixture = Fixture::new().await;
    keep(&fixture, MIB).await;
    let writer = writing(&fixture, WriteOptions::append(), 12 * MIB).await;
    fixture.inject(Operation::PutObject, REFUSED);
    drop(writer.close(&fixture.context).await.unwrap_err());
    while !fixture.server.uploads(BUCKET).is_empty() {
        tokio::task::yield_now().await;
    }
    expect_kept(&fixture, &fixture.other_process(), MIB).await;
}

#[tokio::test]
async fn what_a_commit_may_have_published_is_not_kept() {
    for (size, publishing) in [(4096, Operation::PutObject), (11 * MIB, Operation::CompleteMultipartUpload)] {
        let fixture = Fixture::new().await;
        let writer = writing(&fixture, WriteOptions::default(), size).await;
        fixture.inject(publishing, Fault::LoseAnswer);
        fixture.server.inject(Injection::new(Fault::Break).on(Operation::HeadObject).times(3));
        let failure = writer.commit(&fixture.context, CommitOptions::default()).await.unwrap_err();
        assert_eq!(failure.error.retry(), Retry::MaybeApplied, "{failure}");
        // Nobody can know yet.
        let failure = failure.writer.unwrap().close(&fixture.context).await.unwrap_err();
        assert_eq!((failure.error.kind(), failure.error.retry()), (ErrorKind::Unavailable, Retry::Safe), "{failure}");
        let failure = failure.writer.unwrap().close(&fixture.context).await.unwrap_err();
        assert_eq!((failure.error.kind(), failure.error.retry()), (ErrorKind::Conflict, Retry::MaybeApplied));
        assert_eq!(fixture.server.keys(BUCKET), ["a"]);
        failure.writer.unwrap().commit(&fixture.context, CommitOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_commit_has_published_and_another_one_replaced_is_not_kept() {
    let fixture = Fixture::new().await;
    let writer = writing(&fixture, WriteOptions::default(), 11 * MIB).await;
    fixture.inject(Operation::CompleteMultipartUpload, Fault::LoseAnswer);
    fixture.server.inject(Injection::new(Fault::Break).on(Operation::HeadObject).times(2));
    let failure = writer.commit(&fixture.context, CommitOptions::default()).await.unwrap_err();
    assert_eq!(failure.error.retry(), Retry::MaybeApplied, "{failure}");
    fixture.storage.put(&fixture.context, &path("/a"), content(5), PutOptions::default()).await.unwrap();
    let failure = failure.writer.unwrap().close(&fixture.context).await.unwrap_err();
    assert_eq!((failure.error.kind(), failure.error.retry()), (ErrorKind::Conflict, Retry::MaybeApplied));
    assert_eq!(fixture.server.keys(BUCKET), ["a"]);
}

#[tokio::test]
async fn what_a_commit_has_not_published_is_kept() {
    for (size, publishing) in [(4096, Operation::PutObject), (11 * MIB, Operation::CompleteMultipartUpload)] {
        let fixture = Fixture::new().await;
        let writer = writing(&fixture, WriteOptions::default(), size).await;
        fixture.inject(publishing, Fault::Break);
        let failure = writer.commit(&fixture.context, CommitOptions::default()).await.unwrap_err();
        assert_eq!(failure.error.retry(), Retry::MaybeApplied, "{failure}");
        failure.writer.unwrap().close(&fixture.context).await.unwrap();
        expect_kept(&fixture, &fixture.storage, size).await;
    }
}

#[tokio::test]
async fn what_a_commit_has_published_and_not_cleaned_up_after_is_not_kept() {
    let fixture = Fixture::new().await;
    keep(&fixture, 6 * MIB).await;
    for size in [6 * MIB, 7 * MIB] {
        let writer = writing(&fixture, WriteOptions::append(), size).await;
        fixture.inject(Operation::DeleteObject, REFUSED);
        let failure = writer.commit(&fixture.context, CommitOptions::default()).await.unwrap_err();
        let failure = failure.writer.unwrap().close(&fixture.context).await.unwrap_err();
        assert_eq!((failure.error.kind(), failure.error.retry()), (ErrorKind::Conflict, Retry::MaybeApplied));
        failure.writer.unwrap().commit(&fixture.context, CommitOptions::default()).await.unwrap();
        keep(&fixture, 6 * MIB).await;
    }
}

#[tokio::test]
async fn what_another_writer_has_resumed_is_not_aborted() {
    for ending in ["close", "commit", "cancel"] {
        for size in [6 * MIB, 12 * MIB] {
            let fixture = Fixture::new().await;
            let context = &fixture.context;
            keep(&fixture, 6 * MIB).await;
            let owner = writing(&fixture, WriteOptions::append(), size).await;
            let other = writing(&fixture, WriteOptions::default(), 10).await;
            match ending {
                "close" => drop(other.close(context).await.unwrap()),
                "commit" => drop(other.commit(context, CommitOptions::default()).await.unwrap()),
                _ => other.cancel(context).await.unwrap(),
            }
            assert_eq!(owner.close(context).await.unwrap(), size as u64);
            expect_kept(&fixture, &fixture.storage, size).await;
        }
    }
}

#[tokio::test]
async fn a_session_is_gone_before_its_upload_is() {
    for ending in ["abandon", "cancel", "supersede", "delete"] {
        let fixture = Fixture::new().await;
        let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
        keep(&fixture, 6 * MIB).await;
        fixture.inject(Operation::AbortMultipartUpload, Fault::Hang);
        // A process that is killed here does no more.
        tokio::select! {
            () = async {
                match ending {
                    "abandon" => storage.abandon(context, &file).await.unwrap(),
                    "cancel" => {
                        writing(&fixture, WriteOptions::append(), 6 * MIB).await.cancel(context).await.unwrap();
                    }
                    "supersede" => {
                        let writer = writing(&fixture, WriteOptions::default(), 10).await;
                        writer.commit(context, CommitOptions::default()).await.unwrap();
                    }
                    _ => storage.delete(context, &file, DeleteOptions::tree()).await.unwrap(),
                }
            } => panic!("{ending}: nothing was aborted"),
            () = fixture.server.struck(1) => {}
        }
        let kept: Vec<_> =
            fixture.other_process().unfinished(context, &path("/")).await.unwrap().try_concat().await.unwrap();
        assert_eq!(kept.len(), 0, "{ending}");
    }
}

#[tokio::test]
async fn an_upload_that_was_not_aborted_is_aborted_behind_the_answer() {
    let fixture = Fixture::new().await;
    for ending in ["abandon", "close", "commit"] {
        keep(&fixture, 6 * MIB).await;
        fixture.inject(Operation::AbortMultipartUpload, REFUSED);
        match ending {
            "abandon" => fixture.storage.abandon(&fixture.context, &path("/a")).await.unwrap(),
            "close" => keep(&fixture, 10).await,
            _ => {
                let writer = writing(&fixture, WriteOptions::default(), 10).await;
                writer.commit(&fixture.context, CommitOptions::default()).await.unwrap();
            }
        }
        while !fixture.server.uploads(BUCKET).is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_a_cancel_has_begun_to_discard_is_not_kept() {
    let fixture = Fixture::new().await;
    keep(&fixture, 6 * MIB).await;
    let writer = writing(&fixture, WriteOptions::append(), 6 * MIB).await;
    fixture.inject(Operation::AbortMultipartUpload, Fault::LoseAnswer);
    let failure = writer.cancel(&fixture.context).await.unwrap_err();
    let failure = failure.writer.unwrap().close(&fixture.context).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict, "{failure}");
    failure.writer.unwrap().cancel(&fixture.context).await.unwrap();
    assert_eq!((fixture.server.keys(BUCKET).len(), fixture.server.uploads(BUCKET).len()), (0, 0));
}

#[tokio::test]
async fn a_sweep_takes_no_answer_of_a_gateway_for_the_absence_of_a_session() {
    let fixture = Fixture::new().await;
    let context = &fixture.context;
    keep(&fixture, 6 * MIB).await;
    let mut lost = fixture.storage.writer(context, &path("/lost"), WriteOptions::default()).await.unwrap();
    lost.write(context, content(6 * MIB)).await.unwrap();
    lost.write(context, content(MIB)).await.unwrap();
    std::mem::forget(lost);
    fixture.server.inject(Injection::new(Fault::Refuse { status: 404, code: "NotFound" }).on(Operation::HeadObject));
    assert_eq!(fixture.orphan().await.path.as_str(), "/lost");
    fixture.server.clear_injections();
    expect_kept(&fixture, &fixture.storage, 6 * MIB).await;
}

#[tokio::test]
async fn what_is_kept_after_the_sweep_has_looked_is_not_aborted() {
    let fixture = Fixture::new().await;
    let writer = writing(&fixture, WriteOptions::default(), 7 * MIB).await;
    let upload = fixture.orphan().await;
    writer.close(&fixture.context).await.unwrap();
    fixture.driver.abort_orphaned_upload(&upload).await.unwrap();
    expect_kept(&fixture, &fixture.storage, 7 * MIB).await;
}

#[tokio::test]
async fn what_is_kept_after_an_abort_was_refused_is_not_aborted() {
    let fixture = Fixture::new().await;
    let writer = writing(&fixture, WriteOptions::default(), 7 * MIB).await;
    let upload = fixture.orphan().await;
    fixture.server.inject(Injection::new(REFUSED).on(Operation::AbortMultipartUpload).once());
    // The look behind the refusal.
    fixture
        .server
        .inject(Injection::new(Fault::Delay(Duration::from_secs(2))).on(Operation::GetObject).after(1).once());
    let close = async {
        fixture.server.struck(2).await;
        writer.close(&fixture.context).await.unwrap();
    };
    let (aborted, ()) = tokio::join!(fixture.driver.abort_orphaned_upload(&upload), close);
    aborted.unwrap();
    expect_kept(&fixture, &fixture.storage, 7 * MIB).await;
}

#[tokio::test]
async fn a_writer_whose_cancel_has_failed_is_committed_whole() {
    let fixture = Fixture::new().await;
    let mut writer = fixture.storage.writer(&fixture.context, &path("/a"), WriteOptions::default()).await.unwrap();
    fixture.server.inject(Injection::new(Fault::Hang).on(Operation::UploadPart));
    fixture.server.inject(Injection::new(REFUSED).on(Operation::AbortMultipartUpload));
    writer.write(&fixture.context, content(25 * MIB)).await.unwrap();
    // The parts go on their way when the upload has begun.
    writer.write(&fixture.context, content(MIB)).await.unwrap();
    fixture.server.struck(4).await;
    let failure = writer.cancel(&fixture.context).await.unwrap_err();
    fixture.server.clear_injections();
    let info = failure.writer.unwrap().commit(&fixture.context, CommitOptions::default()).await.unwrap();
    assert_eq!(info.size, 26 * MIB as u64);
    let (_, bytes) = fixture.storage.get(&fixture.context, &path("/a"), GetOptions::default()).await.unwrap();
    assert!(bytes == [content(25 * MIB), content(MIB)].concat());
}

#[tokio::test]
async fn a_session_that_is_being_abandoned_is_resumed_by_nobody() {
    // Whatever request of the abandon is on its way when somebody comes to resume.
    for held in [Operation::HeadObject, Operation::DeleteObject, Operation::AbortMultipartUpload] {
        let fixture = Fixture::new().await;
        let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
        keep(&fixture, 6 * MIB).await;
        fixture.inject(held, Fault::Delay(Duration::from_millis(500)));
        let resume = async {
            fixture.server.struck(1).await;
            storage.writer(context, &file, WriteOptions::append()).await
        };
        let (abandoned, resumed) = tokio::join!(storage.abandon(context, &file), resume);
        abandoned.unwrap();
        match resumed {
            // What was acknowledged to whom has resumed it would be lost.
            Ok(writer) => assert_eq!(writer.size(), 0, "{held:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{held:?}: {error}"),
        }
        assert_eq!((fixture.server.keys(BUCKET).len(), fixture.server.uploads(BUCKET).len()), (0, 0), "{held:?}");
        let writer = storage.writer(context, &file, WriteOptions::append()).await.unwrap();
        assert_eq!(writer.size(), 0, "{held:?}");
    }
}

#[tokio::test]
async fn a_session_with_an_owner_is_not_abandoned() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    keep(&fixture, 6 * MIB).await;
    let writer = writing(&fixture, WriteOptions::append(), 6 * MIB).await;
    assert_eq!(storage.abandon(context, &file).await.unwrap_err().kind(), ErrorKind::Conflict);
    writer.close(context).await.unwrap();
    storage.abandon(context, &file).await.unwrap();
}

#[tokio::test]
async fn what_is_written_to_while_its_tree_is_deleted_is_kept_again() {
    let fixture = Fixture::new().await;
    let (storage, context) = (&fixture.storage, &fixture.context);
    keep(&fixture, 6 * MIB).await;
    let writer = writing(&fixture, WriteOptions::append(), 6 * MIB).await;
    storage.delete(context, &path("/a"), DeleteOptions::tree()).await.ok();
    assert_eq!(fixture.server.keys(BUCKET), [""; 0]);
    assert_eq!(writer.close(context).await.unwrap(), 6 * MIB as u64);
    expect_kept(&fixture, &fixture.storage, 6 * MIB).await;
}

#[tokio::test]
async fn an_upload_that_a_cancel_did_not_abort_is_aborted_by_the_drop() {
    let fixture = Fixture::new().await;
    keep(&fixture, 6 * MIB).await;
    let writer = writing(&fixture, WriteOptions::append(), 6 * MIB).await;
    fixture.inject(Operation::AbortMultipartUpload, REFUSED);
    let failure = writer.cancel(&fixture.context).await.unwrap_err();
    assert_eq!((fixture.server.keys(BUCKET).len(), fixture.server.uploads(BUCKET).len()), (0, 1));
    drop(failure);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while !fixture.server.uploads(BUCKET).is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the upload is nobody's");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
