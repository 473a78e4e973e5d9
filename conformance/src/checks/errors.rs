//! Errors: the right kind and class, with what a user needs to know, and nothing that nobody may know.

use std::time::Duration;

use driver_api::layers::{Fault, Faults, Retry as Retrying};
use driver_api::{
    Condition, DeleteOptions, Error, ErrorKind, GetOptions, ListOptions, Operation, PutOptions, ReadOptions, Retry,
    StoragePath, WriteMode, WriteOptions,
};

use crate::case::{Case, path};
use crate::check::{Failure, Stop, Verdict};
use crate::expect::{ensure, fails, same};

/// One call of each kind that must fail, with the operation and the path that its error must name.
async fn failing_calls(case: &Case) -> Verdict<Vec<(Error, ErrorKind, Operation, StoragePath)>> {
    let (storage, context, missing) = (case.storage(), case.context(), path("/nothing/here"));
    let full = path("/full");
    case.put_new(&full, 10).await?;
    let behind = driver_api::ByteRange::from(11);
    let not_found = ErrorKind::NotFound;
    let expecting = WriteOptions::default().with_mode(WriteMode::Append { expected_size: Some(9) });
    let mut calls = Vec::new();
    let mut add = |answer: Result<(), Error>, kind, operation, path: &StoragePath| match answer {
        Err(error) => {
            calls.push((error, kind, operation, path.clone()));
            Ok(())
        }
        Ok(()) => Err(Stop::from(Failure::new("ERR-9", format!("{operation} of {path} to be {kind}"), "success"))),
    };
    add(storage.get(context, &missing, GetOptions::default()).await.map(drop), not_found, Operation::Get, &missing)?;
    let ranged = storage.get(context, &full, GetOptions::default().with_range(behind)).await;
    add(ranged.map(drop), ErrorKind::InvalidRange, Operation::Get, &full)?;
    let limited = storage.get(context, &full, GetOptions::default().with_max_bytes(9_u64)).await;
    add(limited.map(drop), ErrorKind::TooLarge, Operation::Get, &full)?;
    let reader = storage.reader(context, &missing, ReadOptions::default()).await;
    add(reader.map(drop), not_found, Operation::Reader, &missing)?;
    let reader = storage.reader(context, &full, ReadOptions::default().with_range(behind)).await;
    add(reader.map(drop), ErrorKind::InvalidRange, Operation::Reader, &full)?;
    let append = storage.writer(context, &full, WriteOptions::append()).await;
    add(append.map(drop), ErrorKind::Conflict, Operation::Writer, &full)?;
    let resumed = storage.writer(context, &missing, expecting).await;
    add(resumed.map(drop), ErrorKind::Conflict, Operation::Writer, &missing)?;
    add(storage.abandon(context, &missing).await, not_found, Operation::Abandon, &missing)?;
    add(storage.stat(context, &missing).await.map(drop), not_found, Operation::Stat, &missing)?;
    let listed = storage.list(context, &missing, ListOptions::default()).await;
    add(listed.map(drop), not_found, Operation::List, &missing)?;
    let listed = storage.list(context, &full, ListOptions::default()).await;
    add(listed.map(drop), not_found, Operation::List, &full)?;
    add(storage.move_to(context, &missing, &path("/target")).await, not_found, Operation::Move, &missing)?;
    add(storage.delete(context, &missing, DeleteOptions::default()).await, not_found, Operation::Delete, &missing)?;
    add(storage.delete(context, &missing, DeleteOptions::tree()).await, not_found, Operation::Delete, &missing)?;
    Ok(calls)
}

pub(crate) async fn kinds_and_places(case: &Case) -> Verdict {
    for (error, kind, operation, path) in failing_calls(case).await? {
        let error = fails::<()>("ERR-9", Err(error), kind, format_args!("{operation} of {path}"))?;
        same("ERR-1", error.operation(), Some(operation), "the operation that the error names")?;
        same("ERR-1", error.path(), Some(&path), "the path that the error names")?;
        same("ERR-1", error.driver(), Some(case.storage().name()), "the driver that the error names")?;
        ensure(!error.message().is_empty(), "ERR-1", "a message", "none")?;
        let text = error.to_string();
        ensure(!text.contains('\n'), "ERR-1", "a message of one line", format!("{text:?}"))?;
    }
    Ok(())
}

/// The secrets of a configuration, and the bytes of files: they are somebody else's.
pub(crate) async fn no_secret_shows(case: &Case) -> Verdict {
    let (context, file, partial) = (case.context(), path("/secret/file"), path("/secret/partial"));
    let canary = format!("canary-{:016x}", case.seed());
    case.storage().put(context, &file, canary.clone(), PutOptions::default()).await?;
    let mut writer = case.driver().writer(context, &partial, WriteOptions::default()).await?;
    writer.write(context, canary.clone().into()).await?;
    let reader = case.storage().reader(context, &file, ReadOptions::default()).await?;

    let mut outputs = vec![format!("{:?} {writer:?} {reader:?}", case.driver())];
    for (error, ..) in failing_calls(case).await? {
        outputs.push(format!("{} {error:?}", crate::check::describe(&error)));
    }
    writer.cancel(context).await?;
    let mut secrets = case.instance().secrets().iter().chain([&canary]);
    let told = secrets.any(|secret| outputs.iter().any(|output| output.contains(secret)));
    // What was found is not repeated here, for this is output too.
    ensure(!told, "ERR-4", "no secret in errors and debug prints", "a secret of the configuration, or a file's bytes")
}

/// Changes whose answers get lost, behind a layer that repeats what is safe to repeat.
pub(crate) async fn lost_answers(case: &Case) -> Verdict {
    let (context, target, other) = (case.context(), path("/a/lost"), path("/a/other"));
    let losing =
        |operation| {
            let faults = Faults::new(move |point| {
                if point.operation == operation { Fault::After(ErrorKind::Unavailable) } else { Fault::None }
            });
            let pause = Duration::from_millis(1);
            case.storage().layered(faults).layered(Retrying::new(3, pause, pause))
        };
    let content = case.content(100);
    let condition = if case.capabilities().put.if_absent { Condition::IfAbsent } else { Condition::None };
    let options = PutOptions::default().with_condition(condition);
    let put = losing(Operation::Put).put(context, &target, content.bytes(), options).await;
    no_false_fact(put.map(drop), "put")?;
    case.holds("ERR-8", &target, content).await?;
    no_false_fact(losing(Operation::Move).move_to(context, &target, &other).await, "move")?;
    case.holds("ERR-8", &other, content).await?;
    no_false_fact(losing(Operation::Delete).delete(context, &other, DeleteOptions::default()).await, "delete")?;
    case.misses("ERR-8", &other).await?;
    let storage = losing(Operation::Commit);
    let mut writer = storage.writer(context, &target, WriteOptions::default()).await?;
    writer.write(context, content.bytes()).await?;
    let committed = writer.commit(context, Default::default()).await;
    no_false_fact(committed.map(drop).map_err(Error::from), "commit")?;
    case.holds("ERR-8", &target, content).await
}

fn no_false_fact(answer: Result<(), Error>, what: &str) -> Verdict {
    let expected = format!("Ok or maybe applied from a {what} that took effect and whose answer was lost");
    match answer {
        Err(error) if error.retry() != Retry::MaybeApplied => {
            Err(Failure::new("ERR-8", expected, crate::check::describe(&error)).into())
        }
        _ => Ok(()),
    }
}
