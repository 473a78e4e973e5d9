//! Every request of every writer goes wrong in every way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use driver_api::{CommitOptions, Condition, PutOptions, Retry, WriteOptions};
use s3_server::{Fault, Operation};

use crate::fixture::bench::S3Bench;
use crate::fixture::{Fixture, content, path};
use crate::object_store::drill::{Bench, drills};
use crate::object_store::writers::drill_writers;

drill_writers!(S3Bench);

drills! { S3Bench:
    small_commit_and_again => Writing::new(Size::Small, Ending::commit(), Then::Again);
    small_commit_or_cancel => Writing::new(Size::Small, Ending::commit(), Then::Cancel);
    close_over_a_session => Writing::new(Size::Small, Ending::Close, Then::Again).over_a_session();
    close_over_a_session_or_drop => Writing::new(Size::Large, Ending::Close, Then::Drop).over_a_session();
    cancel_of_parts => Writing::new(Size::Large, Ending::Cancel, Then::Again);
}

#[tokio::test]
async fn a_lost_answer_to_a_commit_if_absent_never_makes_it_meet_its_own_file() {
    // Neither the answer nor the look at what became of it comes through.
    for size in [S3Bench::SIZES.small, S3Bench::SIZES.large] {
        let fixture = Fixture::new().await;
        let (context, file) = (&fixture.context, path("/a"));
        let mut writer = fixture.storage.writer(context, &file, WriteOptions::default()).await.unwrap();
        writer.write(context, content(size)).await.unwrap();
        let publishing =
            if size == S3Bench::SIZES.small { Operation::PutObject } else { Operation::CompleteMultipartUpload };
        fixture.inject(publishing, Fault::LoseAnswer);
        fixture.inject(Operation::HeadObject, Fault::Break);
        fixture.inject(Operation::HeadObject, Fault::Break);
        let options = CommitOptions::default().with_condition(Condition::IfAbsent);
        let failure = writer.commit(context, options.clone()).await.unwrap_err();
        assert_eq!(failure.error.retry(), Retry::MaybeApplied, "{failure}");
        let writer = failure.writer.unwrap();
        let info = writer.commit(context, options.clone()).await.unwrap();
        assert_eq!(info.size, size as u64);
        // Another one's file is AlreadyExists only for who did not try before.
        let mut writer = fixture.storage.writer(context, &path("/b"), WriteOptions::default()).await.unwrap();
        writer.write(context, content(size)).await.unwrap();
        fixture.inject(publishing, Fault::Break);
        let failure = writer.commit(context, options.clone()).await.unwrap_err();
        fixture.storage.put(context, &path("/b"), content(1), PutOptions::default()).await.unwrap();
        let failure = failure.writer.unwrap().commit(context, options).await.unwrap_err();
        assert_eq!(failure.error.retry(), Retry::MaybeApplied, "{failure}");
    }
}
