//! Every request of every call goes wrong in every way: what was acknowledged is there, what failed says so in the right words,
//! nothing hangs, and a cancel leaves nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;

use std::time::Duration;

use driver_api::{
    CommitOptions, Condition, DeleteOptions, Error, ErrorKind, GetOptions, ListOptions, PutOptions, ReadOptions,
    Result, Retry, Storage, WriteOptions, layers,
};
use driver_s3::{S3Options, Timeouts};
use futures_util::TryStreamExt;
use s3_server::{Fault, Injection, Operation, ServerOptions};

use crate::fixture::{BUCKET, Fixture, MIB, content, path};

/// Longer than any of these calls takes with its timeouts.
const TOO_LONG: Duration = Duration::from_secs(20);

fn faults() -> Vec<Fault> {
    vec![
        Fault::Refuse { status: 503, code: "SlowDown" },
        Fault::Refuse { status: 429, code: "TooManyRequests" },
        Fault::Refuse { status: 500, code: "InternalError" },
        Fault::Refuse { status: 502, code: "BadGateway" },
        Fault::Refuse { status: 200, code: "InternalError" },
        Fault::DoAndRefuse { status: 500, code: "InternalError" },
        Fault::Break,
        Fault::LoseAnswer,
        Fault::CutBody(10),
        Fault::Garbage,
        Fault::Hang,
        Fault::DoAndHang,
    ]
}

fn hangs(fault: &Fault) -> bool {
    matches!(fault, Fault::Hang | Fault::DoAndHang)
}

/// Nobody waits for a server that hangs, and everybody for one that is merely slow because others use the machine.
fn waiting_for(fault: &Fault) -> impl FnOnce(S3Options) -> S3Options {
    let hangs = hangs(fault);
    move |options| {
        if !hangs {
            return options;
        }
        let (answer, assembly) = (Duration::from_millis(500), Duration::from_millis(500));
        S3Options { timeouts: Timeouts { answer, assembly, upload_rate: u64::MAX, ..Timeouts::default() }, ..options }
    }
}

/// Runs a call again and again, each time with another of its requests going wrong, until none is left.
async fn drill(
    prepare: impl AsyncFn(&Fixture),
    call: impl AsyncFn(&Fixture) -> Result<()>,
    judge: impl AsyncFn(&Fixture, &Result<()>, &Fault),
) {
    for fault in faults() {
        for nth in 0.. {
            println!("request {nth}: {fault:?}");
            let fixture = Fixture::with(ServerOptions::default(), waiting_for(&fault)).await;
            prepare(&fixture).await;
            fixture.requests();
            fixture.server.inject(Injection::new(fault.clone()).after(nth).once());
            let result = tokio::time::timeout(TOO_LONG, call(&fixture)).await.expect("the call hangs");
            let was_struck = fixture.requests().total() as u64 > nth;
            fixture.server.clear_injections();
            println!("{result:?}");
            if let Err(error) = &result {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                assert_ne!(error.retry(), Retry::Never);
            }
            judge(&fixture, &result, &fault).await;
            if !was_struck {
                // Where the timeouts are short a machine that is busy can miss them; the other faults show that all is well.
                assert!(result.is_ok() || hangs(&fault));
                break;
            }
        }
    }
}

async fn read(storage: &Storage, at: &str) -> Option<bytes::Bytes> {
    match storage.get(&driver_api::Context::background(), &path(at), GetOptions::default()).await {
        Ok((_, bytes)) => Some(bytes),
        Err(error) if error.is_not_found() => None,
        Err(error) => panic!("{error}"),
    }
}

/// Compares contents without printing them.
fn same(found: &Option<bytes::Bytes>, expected: &Option<bytes::Bytes>) {
    let size = |content: &Option<bytes::Bytes>| content.as_ref().map(bytes::Bytes::len);
    assert!(found == expected, "found {:?} bytes, expected {:?}", size(found), size(expected));
}

/// Whether a failed change may have happened all the same.
fn is_unsure(error: &Error) -> bool {
    error.retry() == Retry::MaybeApplied
}

#[tokio::test]
async fn puts() {
    for condition in [Condition::None, Condition::IfAbsent] {
        let old = (condition == Condition::None).then(|| content(5));
        drill(
            async |fixture| {
                if let Some(old) = &old {
                    fixture.server.put_object(BUCKET, "a", old.clone());
                }
            },
            async |fixture| {
                let options = PutOptions::default().with_condition(condition.clone());
                fixture.storage.put(&fixture.context, &path("/a"), content(4096), options).await.map(drop)
            },
            async |fixture, result, _| {
                let found = read(&fixture.storage, "/a").await;
                match result {
                    Ok(()) => same(&found, &Some(content(4096))),
                    Err(error) if is_unsure(error) => assert!(found == old || found == Some(content(4096))),
                    Err(_) => same(&found, &old),
                }
            },
        )
        .await;
    }
}

#[tokio::test]
async fn reads() {
    drill(
        async |fixture| fixture.server.put_object(BUCKET, "d/a", content(4096)),
        async |fixture| {
            let (storage, context, file) = (&fixture.storage, &fixture.context, path("/d/a"));
            let (_, bytes) = storage.get(context, &file, GetOptions::default()).await?;
            assert_eq!(bytes, content(4096));
            let reader = storage.reader(context, &file, ReadOptions::default()).await?;
            assert_eq!(reader.read_to_end(4096).await?, content(4096));
            assert!(storage.stat(context, &path("/d")).await?.is_directory());
            let entries = storage.list(context, &path("/d"), ListOptions::default()).await?.collect().await?;
            assert_eq!(entries.len(), 1);
            let sessions: Vec<_> = storage.unfinished(context, &path("/d")).await?.try_concat().await?;
            assert!(sessions.is_empty());
            Ok(())
        },
        async |_, result, _| {
            if let Err(error) = result {
                assert!(!is_unsure(error), "{error}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn moves() {
    for size in [4096, 11 * MIB] {
        drill(
            async |fixture| {
                fixture.server.put_object(BUCKET, "from", content(size));
                fixture.server.put_object(BUCKET, "to", content(5));
            },
            async |fixture| fixture.storage.move_to(&fixture.context, &path("/from"), &path("/to")).await,
            async |fixture, result, fault| {
                let (from, to) = (read(&fixture.storage, "/from").await, read(&fixture.storage, "/to").await);
                match result {
                    Ok(()) => assert!(from.is_none() && to == Some(content(size))),
                    Err(_) => {
                        let is_moved = to == Some(content(size));
                        assert!(is_moved || (from == Some(content(size)) && to == Some(content(5))));
                        assert!(is_moved || from.is_some());
                    }
                }
                expect_no_uploads(fixture, fault).await;
            },
        )
        .await;
    }
}

/// No upload is left, unless it began without an answer: then nobody has its id, and the sweep finds it.
async fn expect_no_uploads(fixture: &Fixture, fault: &Fault) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let answers = !matches!(fault, Fault::Break | Fault::Refuse { .. } | Fault::Hang);
    loop {
        let left = fixture.server.uploads(BUCKET);
        let nobodys = left.iter().all(|upload| upload.parts.is_empty());
        if left.is_empty() || (answers && left.len() == 1 && nobodys) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{left:?} after {fault:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn deletes() {
    drill(
        async |fixture| fixture.server.put_object(BUCKET, "a", "x"),
        async |fixture| fixture.storage.delete(&fixture.context, &path("/a"), DeleteOptions::default()).await,
        async |fixture, result, _| {
            let is_there = read(&fixture.storage, "/a").await.is_some();
            match result {
                Ok(()) => assert!(!is_there),
                Err(error) => assert!(is_there || is_unsure(error)),
            }
        },
    )
    .await;
}

#[tokio::test]
async fn deletes_of_trees_and_batches() {
    drill(
        async |fixture| {
            for key in ["d", "d/a", "d/b/c", "dx"] {
                fixture.server.put_object(BUCKET, key, "x");
            }
            let mut writer =
                fixture.storage.writer(&fixture.context, &path("/d/s"), WriteOptions::default()).await.unwrap();
            for _ in 0..6 {
                writer.write(&fixture.context, content(MIB)).await.unwrap();
            }
            writer.close(&fixture.context).await.unwrap();
        },
        async |fixture| {
            fixture.storage.delete(&fixture.context, &path("/d"), DeleteOptions::tree()).await?;
            let left = fixture.storage.delete_files(&fixture.context, [path("/dx"), path("/none")]).await?;
            assert!(left.is_empty());
            Ok(())
        },
        async |fixture, result, fault| {
            if result.is_ok() {
                assert_eq!(fixture.server.keys(BUCKET), [""; 0]);
                expect_no_uploads(fixture, fault).await;
            }
        },
    )
    .await;
}

/// Writes `size` bytes and commits; where that fails, cancels.
async fn write_and_commit(fixture: &Fixture, size: usize, options: WriteOptions, skip: usize) -> Result<()> {
    let (storage, context) = (&fixture.storage, &fixture.context);
    let mut writer = storage.writer(context, &path("/a"), options).await?;
    assert_eq!(writer.size(), skip as u64);
    for chunk in content(size)[skip..].chunks(MIB) {
        // What fails is still accepted or still not; trying again goes on where it was.
        let accepted = writer.size();
        let chunk = bytes::Bytes::copy_from_slice(chunk);
        if writer.write(context, chunk.clone()).await.is_err() && writer.size() == accepted {
            writer.write(context, chunk).await?;
        }
    }
    match writer.commit(context, CommitOptions::default()).await {
        Ok(_) => Ok(()),
        Err(failure) => {
            fixture.server.clear_injections();
            let writer = failure.writer.expect("nothing ended the context");
            writer.cancel(context).await.map_err(Error::from)?;
            Err(failure.error)
        }
    }
}

#[tokio::test]
async fn small_and_large_writers() {
    for size in [4096, 12 * MIB] {
        drill(
            async |_| {},
            async |fixture| write_and_commit(fixture, size, WriteOptions::default(), 0).await,
            async |fixture, result, fault| {
                let found = read(&fixture.storage, "/a").await;
                match result {
                    Ok(()) => same(&found, &Some(content(size))),
                    Err(error) if is_unsure(error) => assert!(found.is_none() || found == Some(content(size))),
                    Err(_) => same(&found, &None),
                }
                assert!(fixture.server.keys(BUCKET).iter().all(|key| key == "a"));
                expect_no_uploads(fixture, fault).await;
            },
        )
        .await;
    }
}

#[tokio::test]
async fn sessions() {
    const KEPT: usize = 6 * MIB;
    drill(
        async |fixture| {
            let mut writer =
                fixture.storage.writer(&fixture.context, &path("/a"), WriteOptions::default()).await.unwrap();
            writer.write(&fixture.context, content(KEPT)).await.unwrap();
            writer.close(&fixture.context).await.unwrap();
        },
        async |fixture| write_and_commit(fixture, 12 * MIB, WriteOptions::append(), KEPT).await,
        async |fixture, result, fault| {
            let found = read(&fixture.storage, "/a").await;
            if result.is_ok() {
                same(&found, &Some(content(12 * MIB)));
                assert_eq!(fixture.server.keys(BUCKET), ["a"]);
                expect_no_uploads(fixture, fault).await;
            } else {
                assert!(found.is_none() || found == Some(content(12 * MIB)));
            }
        },
    )
    .await;
}

#[tokio::test]
async fn closes() {
    const SIZE: usize = 6 * MIB;
    drill(
        async |_| {},
        async |fixture| {
            let (storage, context) = (&fixture.storage, &fixture.context);
            let mut writer = storage.writer(context, &path("/a"), WriteOptions::default()).await?;
            writer.write(context, content(SIZE)).await?;
            let Err(failure) = writer.close(context).await else { return Ok(()) };
            let again = failure.writer.expect("nothing ended the context").close(context).await?;
            assert_eq!(again, SIZE as u64);
            Err(failure.error)
        },
        async |fixture, _, fault| {
            // Kept in the first or in the second attempt: what is resumed is whole.
            let other = fixture.other_process();
            let writer = other.writer(&fixture.context, &path("/a"), WriteOptions::append()).await.unwrap();
            assert_eq!(writer.size(), SIZE as u64);
            writer.commit(&fixture.context, CommitOptions::default()).await.unwrap();
            same(&read(&other, "/a").await, &Some(content(SIZE)));
            expect_no_uploads(fixture, fault).await;
        },
    )
    .await;
}

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
