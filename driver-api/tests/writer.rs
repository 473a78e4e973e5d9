//! What `Writer` promises on top of a driver's `FileWriter`, shown over a driver that does as it is told.
#![allow(clippy::unwrap_used, reason = "what a test prepares may panic")]

mod scripted;

use std::time::Duration;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, Error, ErrorKind, Retry, Storage, StoragePath, WriteOptions, Writer,
};
use scripted::{Script, Scripted};

const LARGE: usize = 64 * 1024;

async fn writer(script: &Script) -> Writer {
    let storage = Storage::new(Scripted::new(script.clone()));
    let path = StoragePath::parse("/a").unwrap();
    storage.writer(&Context::background(), &path, WriteOptions::default()).await.unwrap()
}

fn large(byte: u8) -> Bytes {
    vec![byte; LARGE].into()
}

#[tokio::test]
async fn gathers_small_chunks_and_passes_large_ones_on_as_they_are() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    for _ in 0..LARGE - 1 {
        writer.write(&context, Bytes::from_static(b"x")).await.unwrap();
    }
    assert_eq!((script.written().len(), writer.size()), (0, LARGE as u64 - 1));
    let chunk = large(b'y');
    writer.write(&context, chunk.clone()).await.unwrap();
    let written = script.written();
    assert_eq!(written.iter().map(Bytes::len).collect::<Vec<_>>(), [LARGE - 1, LARGE]);
    assert_eq!(written[1].as_ptr(), chunk.as_ptr(), "the large chunk was copied");
}

#[tokio::test]
async fn gives_the_driver_what_is_gathered_before_it_ends() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    writer.write(&context, "abc".into()).await.unwrap();
    assert_eq!(writer.commit(&context, CommitOptions::default()).await.unwrap().size, 3);
    assert_eq!(script.written(), ["abc"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_interrupted_before_the_driver_took_it_is_given_again() {
    let script = Script::default();
    let mut writer = writer(&script).await;
    script.hang_next_write();
    let impatient = Context::background().with_timeout(Duration::from_secs(1));
    let error = writer.write(&impatient, large(1)).await.unwrap_err();
    assert_eq!((error.kind(), writer.size()), (ErrorKind::DeadlineExceeded, LARGE as u64));
    let context = Context::background();
    writer.write(&context, large(2)).await.unwrap();
    writer.commit(&context, CommitOptions::default()).await.unwrap();
    assert_eq!(script.written(), [large(1), large(2)]);
}

#[tokio::test]
async fn a_dropped_write_loses_nothing_that_size_counts() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    script.hang_next_write();
    {
        let mut write = Box::pin(writer.write(&context, large(1)));
        assert!(futures_util::poll!(&mut write).is_pending());
    }
    assert_eq!(writer.size(), LARGE as u64);
    writer.close(&context).await.unwrap();
    assert_eq!(script.written(), [large(1)]);
}

#[tokio::test]
async fn a_write_the_driver_had_taken_is_not_given_twice() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    script.fail_next_write_after_taking_it();
    assert!(writer.write(&context, large(1)).await.is_err());
    assert_eq!(writer.size(), LARGE as u64);
    writer.close(&context).await.unwrap();
    assert_eq!(script.written(), [large(1)]);
}

#[tokio::test]
async fn after_lost_bytes_only_what_is_good_can_be_kept() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    writer.write(&context, large(1)).await.unwrap();
    script.lose_written_bytes_at_next_write();
    assert!(writer.write(&context, large(2)).await.is_err());
    assert_eq!(writer.write(&context, large(3)).await.unwrap_err().kind(), ErrorKind::Conflict);
    let refused = writer.commit(&context, CommitOptions::default()).await.unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Conflict);
    assert_eq!(refused.writer.unwrap().close(&context).await.unwrap(), 0);
}

#[tokio::test]
async fn a_close_that_finds_bytes_lost_tells_it_once() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    writer.write(&context, large(1)).await.unwrap();
    // Gathered, so that it is the close that brings it to the driver.
    writer.write(&context, "small".into()).await.unwrap();
    script.lose_written_bytes_at_next_write();
    let refused = writer.close(&context).await.unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Unavailable);
    assert_eq!(refused.writer.unwrap().close(&context).await.unwrap(), 0);
}

#[tokio::test]
async fn a_failed_commit_hands_the_writer_back() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    writer.write(&context, "abc".into()).await.unwrap();
    script.fail_next_commit();
    let failure = writer.commit(&context, CommitOptions::default()).await.unwrap_err();
    let again = failure.writer.unwrap();
    assert_eq!(again.size(), 3);
    assert_eq!(again.commit(&context, CommitOptions::default()).await.unwrap().size, 3);
}

#[tokio::test]
async fn a_commit_that_may_have_published_is_the_last_of_the_bytes() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    writer.write(&context, "abc".into()).await.unwrap();
    script.fail_next_commit();
    let mut writer = writer.commit(&context, CommitOptions::default()).await.unwrap_err().writer.unwrap();
    writer.write(&context, "def".into()).await.unwrap();
    script.lose_answer_of_next_commit();
    let mut writer = writer.commit(&context, CommitOptions::default()).await.unwrap_err().writer.unwrap();
    script.fail_next_commit();
    for _ in 0..2 {
        assert_eq!(writer.write(&context, "ghi".into()).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(writer.size(), 6);
        match writer.commit(&context, CommitOptions::default()).await {
            Err(failure) => writer = failure.writer.unwrap(),
            Ok(info) => return assert_eq!(info.size, 6),
        }
    }
    panic!("the second commit failed");
}

#[tokio::test(start_paused = true)]
async fn a_commit_interrupted_on_its_way_goes_on_without_its_caller() {
    let script = Script::default();
    let writer = writer(&script).await;
    script.hang_next_commit_until_released();
    let impatient = Context::background().with_timeout(Duration::from_secs(1));
    let failure = writer.commit(&impatient, CommitOptions::default()).await.unwrap_err();
    assert_eq!((failure.error.retry(), failure.writer.is_none()), (Retry::MaybeApplied, true));
    script.release();
    script.committed().await;
}

#[tokio::test]
async fn an_ended_context_leaves_the_writer_as_it_was() {
    let script = Script::default();
    let mut writer = writer(&script).await;
    let (ended, token) = Context::background().with_cancellation();
    writer.write(&ended, "abc".into()).await.unwrap();
    token.cancel();
    for end in 0..3 {
        let failure = match end {
            0 => writer.close(&ended).await.map(drop),
            1 => writer.commit(&ended, CommitOptions::default()).await.map(drop),
            _ => writer.cancel(&ended).await,
        }
        .unwrap_err();
        assert_eq!(failure.error.kind(), ErrorKind::Cancelled);
        writer = *failure.writer.unwrap();
    }
    assert_eq!(writer.close(&Context::background()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_condition_that_is_not_declared_is_refused_before_the_driver_is_asked() {
    let (script, context) = (Script::default(), Context::background());
    let writer = writer(&script).await;
    let options = CommitOptions::default().with_condition(Condition::IfAbsent);
    let failure = writer.commit(&context, options).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Unsupported);
    assert!(failure.error.to_string().contains("commit_if_absent"), "{}", failure.error);
    assert!(failure.writer.is_some());
}

#[tokio::test]
async fn commits_elsewhere_by_a_move_where_the_driver_cannot() {
    let (script, context) = (Script::default(), Context::background());
    let writer = writer(&script).await;
    let target = StoragePath::parse("/b/c").unwrap();
    let info = writer.commit(&context, CommitOptions::default().with_to(target.clone())).await.unwrap();
    assert_eq!(info.path, target);
    assert_eq!(script.moved(), [(StoragePath::parse("/a").unwrap(), target)]);
}

#[tokio::test]
async fn errors_name_driver_operation_and_path() {
    let (script, context) = (Script::default(), Context::background());
    let mut writer = writer(&script).await;
    script.fail_next_write_after_taking_it();
    let error: Error = writer.write(&context, large(1)).await.unwrap_err();
    assert!(error.to_string().starts_with("scripted: write /a: "), "{error}");
}
