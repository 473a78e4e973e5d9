//! Writers whose calls fail half-way: one that goes on loses nothing and doubles nothing, one that is cancelled leaves nothing.

use driver_api::{CommitOptions, Context, Error, Retry, Storage, StoragePath, WriteOptions, Writer, WriterError};

use super::changes::fresh_directory;
use super::{Injected, KEPT, behind_retry};
use crate::case::Case;
use crate::check::{Failure, Stop, Verdict, describe};
use crate::drills::workload::Name;
use crate::expect::{same, same_bytes};
use crate::payload::{Content, payload_range};

/// Pieces that reach the driver at once, and one that is gathered.
const PIECES: [u64; 4] = [70_000, 10, 90_000, 70_000];
/// How often a caller goes on after an error.
const PATIENCE: u32 = 8;

/// Without the layer that repeats: the caller asks the writer for its size and goes on behind it, as WRITE-25 lets it.
pub(super) async fn going_on(case: &Case) -> Verdict {
    let content = Content { write: 1, size: PIECES.iter().sum() };
    for injected in [Injected::Refused, Injected::Lost, Injected::Slow] {
        for number in 1.. {
            let target = Name::A.within(&fresh_directory());
            let faults = injected.at(number);
            let storage = case.storage().layered(faults.clone());
            let told = |failure: Failure| {
                failure.with_evidence(format!("a writer at {target}, of which call {number} {injected}"))
            };
            match publish(&storage, &target, content).await.map_err(told)? {
                Published::Yes => {
                    let bytes = case.get(&target).await?;
                    let what = format_args!("a file of which call {number} of its writer {injected}");
                    same_bytes("WRITE-25", &bytes, content, what)?;
                }
                Published::Perhaps => match case.get(&target).await {
                    Ok(bytes) => same_bytes("WRITE-3", &bytes, content, "a file of which the commit lost its answer")?,
                    Err(_) => case.misses("WRITE-3", &target).await?,
                },
                Published::No => case.misses("WRITE-3", &target).await?,
            }
            if faults.calls() < number {
                break;
            }
        }
    }
    Ok(())
}

enum Published {
    Yes,
    /// The answer was lost.
    Perhaps,
    /// The writer was never there.
    No,
}

async fn publish(storage: &Storage, target: &StoragePath, content: Content) -> Result<Published, Failure> {
    let context = &Context::background();
    let Ok(mut writer) = storage.writer(context, target, WriteOptions::default()).await else {
        return Ok(Published::No);
    };
    for piece in PIECES {
        accept(&mut writer, content.write, piece).await?;
    }
    for _ in 0..PATIENCE {
        match writer.commit(context, CommitOptions::default()).await {
            Ok(_) => return Ok(Published::Yes),
            Err(WriterError { error, .. }) if error.retry() == Retry::MaybeApplied && error_is_of_commit(&error) => {
                return Ok(Published::Perhaps);
            }
            Err(WriterError { writer: Some(back), .. }) => writer = *back,
            Err(WriterError { error, writer: None }) => {
                return Err(Failure::new("WRITE-9", "the writer to be handed back", describe(&error)));
            }
        }
    }
    Err(Failure::new("LAYER-1", "one fault to fail one call", format!("{PATIENCE} commits that failed")))
}

/// Whether the commit itself was made, not the write of what was gathered before it.
fn error_is_of_commit(error: &Error) -> bool {
    error.operation() == Some(driver_api::Operation::Commit)
}

/// Writes until the size of the writer says that the piece was accepted, which it is whole or not at all.
async fn accept(writer: &mut Writer, write: u64, piece: u64) -> Result<(), Failure> {
    let before = writer.size();
    for _ in 0..PATIENCE {
        let written = writer.write(&Context::background(), payload_range(write, before..before + piece)).await;
        match (written, writer.size() - before) {
            (_, size) if size == piece => return Ok(()),
            (Err(_), 0) => {}
            (written, size) => {
                let how = written.map_or_else(|error| describe(&error), |()| "success".to_owned());
                let expected = format_args!("{piece} bytes to be accepted whole or not at all");
                return Err(Failure::new("WRITE-25", expected, format_args!("{size} accepted, and {how}")));
            }
        }
    }
    Err(Failure::new("LAYER-1", "one fault to fail one call", format!("{PATIENCE} writes that failed")))
}

/// Behind the layer that repeats: a cancel discards what earlier closes kept, too, and a writer that failed before it came to
/// that is dropped. Nothing is left in the backend but what a drop may leave.
pub(super) async fn cancelled(case: &Case) -> Verdict {
    for injected in Injected::ALL {
        for number in 1.. {
            let directory = fresh_directory();
            let target = Name::SessionA.within(&directory);
            case.keep(&target, WriteOptions::default(), KEPT.bytes()).await?;
            let faults = injected.at(number);
            let storage = behind_retry(&case.storage().layered(faults.clone()));
            let told = |stop: Stop| match stop {
                Stop::Failed(failure) => {
                    let evidence = failure.evidence.clone().unwrap_or_default();
                    let how = format!("a cancel at {target}, of which call {number} {injected}\n{evidence}");
                    Stop::from(failure.with_evidence(how))
                }
                other => other,
            };
            if write_and_cancel(&storage, &target).await.is_ok() {
                let kept = case.unfinished(&directory).await?;
                let paths: Vec<_> = kept.iter().map(|session| &session.path).collect();
                same("WRITE-4", paths.len(), 0, format_args!("sessions kept in {directory} after a cancel"))
                    .map_err(told)?;
            }
            case.misses("WRITE-4", &target).await.map_err(told)?;
            case.finish_store().await.map_err(told)?;
            if faults.calls() < number {
                break;
            }
        }
    }
    Ok(())
}

async fn write_and_cancel(storage: &Storage, target: &StoragePath) -> Result<(), Error> {
    let context = &Context::background();
    let mut writer = storage.writer(context, target, WriteOptions::append()).await?;
    writer.write(context, payload_range(KEPT.write, KEPT.size..KEPT.size + PIECES[0])).await?;
    writer.cancel(context).await?;
    Ok(())
}
