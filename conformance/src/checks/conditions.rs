//! Conditions: kept exactly, by whoever comes first, and without a trace where they do not hold.

use driver_api::{
    CommitOptions, Condition, DeleteOptions, Error, ErrorKind, FileInfo, GetOptions, PutOptions, ReadOptions,
    StoragePath, Version, WriteOptions, WriterError,
};
use futures_util::future::try_join_all;

use crate::case::{Case, path};
use crate::check::{Failure, Verdict, describe};
use crate::expect::{ensure, fails, file, refused, same, same_bytes, succeeds};
use crate::payload::Content;

/// How many try to be the first.
const RACERS: usize = 16;

async fn put_if(case: &Case, path: &StoragePath, content: Content, condition: Condition) -> Result<FileInfo, Error> {
    let options = PutOptions::default().with_condition(condition);
    case.storage().put(case.context(), path, content.bytes(), options).await
}

/// Writes `content` by a session and commits it under `condition`.
async fn commit_if(
    case: &Case,
    path: &StoragePath,
    content: Content,
    condition: Condition,
) -> Verdict<Result<FileInfo, WriterError>> {
    let mut writer = case.writer(path, WriteOptions::default()).await?;
    writer.write(case.context(), content.bytes()).await?;
    Ok(writer.commit(case.context(), CommitOptions::default().with_condition(condition)).await)
}

/// The version of the file at `path`, which a driver that takes versions tells.
async fn version(case: &Case, clause: &'static str, path: &StoragePath) -> Verdict<Version> {
    let (info, _) = case.storage().get(case.context(), path, GetOptions::default()).await?;
    let stat = file(clause, case.stat(path).await?)?;
    info.version.or(stat.version).ok_or_else(|| {
        Failure::new(clause, "a version from get or stat of a driver that takes versions", "none").into()
    })
}

/// The version of a content that was there before.
async fn stale_version(case: &Case, clause: &'static str, path: &StoragePath) -> Verdict<Version> {
    case.put_new(path, 33).await?;
    let stale = version(case, clause, path).await?;
    case.put_new(path, 33).await?;
    ensure(version(case, clause, path).await? != stale, clause, "another version for another content", "the same")?;
    Ok(stale)
}

pub(crate) async fn put_if_absent(case: &Case) -> Verdict {
    let target = path("/a/absent");
    for round in 0..3 {
        let content = case.content(100 + round);
        succeeds("PUT-4", put_if(case, &target, content, Condition::IfAbsent).await, "put if-absent where nothing is")?;
        case.holds("PUT-4", &target, content).await?;
        let again = put_if(case, &target, case.content(200_000), Condition::IfAbsent).await;
        fails("PUT-4", again, ErrorKind::AlreadyExists, "put if-absent over a file")?;
        let same_bytes = put_if(case, &target, content, Condition::IfAbsent).await;
        fails("PUT-4", same_bytes, ErrorKind::AlreadyExists, "put if-absent of the very bytes that are there")?;
        case.holds("PUT-4", &target, content).await?;
        case.delete(&target).await?;
    }
    case.put_new(&target, 0).await?;
    let over_empty = put_if(case, &target, case.content(10), Condition::IfAbsent).await;
    fails("PUT-4", over_empty, ErrorKind::AlreadyExists, "put if-absent over an empty file")?;
    case.delete(&target).await?;
    case.keep(&target, WriteOptions::default(), case.content(10).bytes()).await?;
    let beside = put_if(case, &target, case.content(10), Condition::IfAbsent).await;
    succeeds("PUT-4", beside, "put if-absent where only a session is kept").map(drop)
}

/// Many put or commit at once under one condition.
async fn race(case: &Case, clause: &'static str, by_session: bool, condition: &Condition, lost: ErrorKind) -> Verdict {
    let target = path("/raced/file");
    let racers = (0..RACERS).map(|number| {
        let (target, condition) = (target.clone(), condition.clone());
        async move {
            let content = case.content(1000 * (number as u64 % 3) + 20);
            let answer = if by_session {
                commit_if(case, &target, content, condition).await?.map_err(Error::from)
            } else {
                put_if(case, &target, content, condition).await
            };
            Verdict::Ok((content, answer))
        }
    });
    let answers = try_join_all(racers).await?;
    let how = if by_session { "commit" } else { "put" };
    let script = || told(&answers, &format!("{how} at {target} under {condition:?}"));
    decide_race(case, clause, &target, &answers, lost).await.map_err(|stop| stop.led_to_by(script))
}

type Racer = (Content, Result<FileInfo, Error>);

/// Exactly one has won, and its content stands.
async fn decide_race(
    case: &Case,
    clause: &'static str,
    target: &StoragePath,
    answers: &[Racer],
    lost: ErrorKind,
) -> Verdict {
    let mut winners = Vec::new();
    for (content, answer) in answers {
        match answer {
            Ok(_) => winners.push(*content),
            Err(error) => refused(clause, error, lost, "a conditional write that came second")?,
        }
    }
    same(clause, winners.len(), 1, format_args!("the number of winners of {RACERS}"))?;
    case.holds(clause, target, winners[0]).await
}

/// What each racer wrote, and what it was told.
fn told(answers: &[Racer], what: &str) -> String {
    let lines = answers.iter().map(|(content, answer)| {
        let answer = answer.as_ref().map_or_else(describe, |_| "ok".to_owned());
        format!("\n  {content}  ->  {answer}")
    });
    format!("{RACERS} at once, each a {what}:{}", lines.collect::<String>())
}

pub(crate) async fn races_of_put_if_absent(case: &Case) -> Verdict {
    for _ in case.rounds(case.budget().rounds) {
        race(case, "PUT-4", false, &Condition::IfAbsent, ErrorKind::AlreadyExists).await?;
        case.delete(&path("/raced/file")).await?;
    }
    Ok(())
}

pub(crate) async fn races_of_commit_if_absent(case: &Case) -> Verdict {
    for _ in case.rounds(case.budget().rounds) {
        race(case, "WRITE-17", true, &Condition::IfAbsent, ErrorKind::AlreadyExists).await?;
        case.delete(&path("/raced/file")).await?;
    }
    Ok(())
}

pub(crate) async fn races_of_put_if_match(case: &Case) -> Verdict {
    let target = path("/raced/file");
    for _ in case.rounds(case.budget().rounds) {
        case.put_new(&target, 30).await?;
        let known = Condition::IfMatch(version(case, "PUT-6", &target).await?);
        race(case, "PUT-6", false, &known, ErrorKind::Conflict).await?;
    }
    Ok(())
}

pub(crate) async fn put_if_match(case: &Case) -> Verdict {
    let (target, missing) = (path("/a/matched"), path("/a/missing"));
    let stale = Condition::IfMatch(stale_version(case, "PUT-6", &target).await?);
    let before = case.get(&target).await?;
    fails(
        "PUT-6",
        put_if(case, &target, case.content(10), stale.clone()).await,
        ErrorKind::Conflict,
        "put over a stale version",
    )?;
    same("PUT-6", case.get(&target).await?, before, "the file after a refusal")?;
    fails(
        "PUT-6",
        put_if(case, &missing, case.content(10), stale).await,
        ErrorKind::Conflict,
        "put if-match where no file is",
    )?;
    case.misses("PUT-6", &missing).await?;
    for round in 0..3 {
        let current = Condition::IfMatch(version(case, "PUT-6", &target).await?);
        let content = case.content(50_000 * round);
        succeeds("PUT-6", put_if(case, &target, content, current.clone()).await, "put over the current version")?;
        case.holds("PUT-6", &target, content).await?;
        let again = put_if(case, &target, case.content(10), current).await;
        fails("PUT-6", again, ErrorKind::Conflict, "a second put over the same version")?;
        case.holds("PUT-6", &target, content).await?;
    }
    Ok(())
}

pub(crate) async fn read_if_match(case: &Case) -> Verdict {
    let (storage, context, target) = (case.storage(), case.context(), path("/a/read"));
    let stale = stale_version(case, "READ-7", &target).await?;
    let content = case.put_new(&target, 70_000).await?;
    let current = version(case, "READ-7", &target).await?;
    let get = |version: &Version| storage.get(context, &target, GetOptions::default().with_if_match(version.clone()));
    let reader =
        |version: &Version| storage.reader(context, &target, ReadOptions::default().with_if_match(version.clone()));
    let (_, bytes) = succeeds("READ-7", get(&current).await, "get of the current version")?;
    same_bytes("READ-7", &bytes, content, "get of the current version")?;
    let stream = succeeds("READ-7", reader(&current).await, "reader of the current version")?;
    same_bytes("READ-7", &stream.read_to_end(u64::MAX).await?, content, "the stream of the current version")?;
    fails("READ-7", get(&stale).await, ErrorKind::Conflict, "get of a stale version")?;
    fails("READ-7", reader(&stale).await, ErrorKind::Conflict, "reader of a stale version")?;
    case.delete(&target).await?;
    for answer in [get(&current).await.map(drop), reader(&current).await.map(drop)] {
        match answer {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {}
            other => drop(fails("READ-7", other, ErrorKind::NotFound, "a read if-match where no file is")?),
        }
    }
    Ok(())
}

/// The writer that a failed commit handed back.
fn handed_back(
    clause: &'static str,
    answer: Result<FileInfo, WriterError>,
    kind: ErrorKind,
) -> Verdict<driver_api::Writer> {
    let what = "commit whose condition does not hold";
    match answer {
        Err(WriterError { error, writer: Some(writer) }) => {
            fails::<()>(clause, Err(error), kind, what)?;
            Ok(*writer)
        }
        Err(WriterError { writer: None, .. }) => {
            Err(Failure::new(clause, "the writer back from a failed commit", "none").into())
        }
        Ok(info) => Err(Failure::new(clause, format!("{what} to be {kind}"), format!("{info:?}")).into()),
    }
}

/// A commit whose condition does not hold leaves the file, and a writer for which each end is open.
async fn refused_commits(case: &Case, clause: &'static str, condition: Condition, kind: ErrorKind) -> Verdict {
    let target = path("/a/conditional");
    let standing = case.put_new(&target, 40).await?;
    for end in ["cancel", "close", "drop", "commit"] {
        let content = case.content(100_000);
        let writer = handed_back(clause, commit_if(case, &target, content, condition.clone()).await?, kind)?;
        same("WRITE-9", writer.size(), content.size, "the size of a writer whose commit failed")?;
        case.holds(clause, &target, standing).await?;
        match end {
            "cancel" => succeeds(clause, writer.cancel(case.context()).await, "cancel after a refused commit")?,
            "close" => {
                succeeds(clause, writer.close(case.context()).await, "close after a refused commit")?;
                let resumed = WriteOptions::default();
                let append = driver_api::WriteMode::Append { expected_size: Some(content.size) };
                let resumed = case.writer(&target, resumed.with_mode(append)).await;
                succeeds(clause, resumed, "resuming after a refused commit and a close")?
                    .cancel(case.context())
                    .await?;
            }
            "drop" => drop(writer),
            _ => {
                succeeds(clause, case.commit(writer).await, "a plain commit after a refused one")?;
                case.holds(clause, &target, content).await?;
                continue;
            }
        }
        case.holds(clause, &target, standing).await?;
        same(clause, case.unfinished(&StoragePath::root()).await?.len(), 0, "the number of sessions that are left")?;
    }
    Ok(())
}

pub(crate) async fn commit_if_absent(case: &Case) -> Verdict {
    let target = path("/new/file");
    let content = case.content(70_000);
    let answer = commit_if(case, &target, content, Condition::IfAbsent).await?;
    succeeds("WRITE-17", answer, "commit if-absent where nothing is")?;
    case.holds("WRITE-17", &target, content).await?;
    refused_commits(case, "WRITE-17", Condition::IfAbsent, ErrorKind::AlreadyExists).await
}

pub(crate) async fn commit_if_match(case: &Case) -> Verdict {
    let (target, missing) = (path("/a/matched"), path("/a/missing"));
    let stale = Condition::IfMatch(stale_version(case, "WRITE-18", &target).await?);
    let current = Condition::IfMatch(version(case, "WRITE-18", &target).await?);
    let content = case.content(70_000);
    let answer = commit_if(case, &target, content, current).await?;
    succeeds("WRITE-18", answer, "commit over the current version")?;
    case.holds("WRITE-18", &target, content).await?;
    let nowhere = commit_if(case, &missing, content, stale.clone()).await?;
    handed_back("WRITE-18", nowhere, ErrorKind::Conflict)?.cancel(case.context()).await?;
    case.misses("WRITE-18", &missing).await?;
    refused_commits(case, "WRITE-18", stale, ErrorKind::Conflict).await
}

/// With a target elsewhere, the condition is about that.
pub(crate) async fn commit_elsewhere_if_absent(case: &Case) -> Verdict {
    let (own, other) = (path("/uploads/one"), path("/blobs/other"));
    let standing = case.put_new(&own, 30).await?;
    for round in 0..2 {
        let content = case.content(1000);
        let mut writer = case.writer(&own, WriteOptions::default()).await?;
        writer.write(case.context(), content.bytes()).await?;
        let options = CommitOptions::default().with_to(other.clone()).with_condition(Condition::IfAbsent);
        let answer = writer.commit(case.context(), options).await;
        if round == 0 {
            succeeds("WRITE-20", answer, "commit if-absent elsewhere, with a file at the writer's own path")?;
            case.holds("WRITE-20", &other, content).await?;
        } else {
            let writer = handed_back("WRITE-20", answer, ErrorKind::AlreadyExists)?;
            writer.cancel(case.context()).await?;
        }
        case.holds("WRITE-20", &own, standing).await?;
    }
    Ok(())
}

pub(crate) async fn delete_if_match(case: &Case) -> Verdict {
    let target = path("/a/deleted");
    let delete = |version: Version| {
        case.storage().delete(case.context(), &target, DeleteOptions::default().with_if_match(version))
    };
    let stale = stale_version(case, "DEL-9", &target).await?;
    let content = case.put_new(&target, 44).await?;
    let current = version(case, "DEL-9", &target).await?;
    fails("DEL-9", delete(stale).await, ErrorKind::Conflict, "delete of a stale version")?;
    case.holds("DEL-9", &target, content).await?;
    succeeds("DEL-9", delete(current.clone()).await, "delete of the current version")?;
    case.misses("DEL-9", &target).await?;
    match delete(current).await {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => Ok(()),
        other => fails("DEL-9", other, ErrorKind::NotFound, "delete if-match where no file is").map(drop),
    }
}

#[cfg(test)]
mod tests {
    use driver_api::Storage;
    use driver_api::layers::{Fault, Faults};
    use driver_inmemory::MemoryDriver;

    use super::*;
    use crate::check::Stop;
    use crate::profile::Profile;
    use crate::target::{Instance, Target};

    #[tokio::test]
    async fn a_race_that_went_wrong_is_told_racer_by_racer() {
        let target = Target::new("memory", || async {
            // The first put is the one that wins, and says that it lost.
            let lying = Faults::at(1, Fault::After(ErrorKind::AlreadyExists));
            Instance::over(Storage::new(MemoryDriver::default()).layered(lying))
        });
        let instance = target.fresh().await.unwrap();
        let case = Case::new(target, instance, Profile::Quick.budget(), 1);
        let Err(Stop::Failed(failure)) = races_of_put_if_absent(&case).await else {
            panic!("nobody won, and it passed")
        };
        let evidence = failure.evidence.unwrap();
        assert!(evidence.starts_with("16 at once, each a put at /raced/file under IfAbsent:"), "{evidence}");
        assert_eq!(evidence.matches("  ->  ").count(), RACERS, "{evidence}");
    }
}
