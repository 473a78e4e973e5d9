//! Cancellation and deadlines: on time, and without harm.

use std::future::Future;
use std::time::{Duration, Instant};

use driver_api::layers::{Fault, Faults};
use driver_api::{
    CommitOptions, Context, DeleteOptions, Error, ErrorKind, GetOptions, ListOptions, MoveOptions, Operation,
    PutOptions, ReadOptions, Retry, Storage, StoragePath, UrlOptions, WriteOptions,
};
use futures_util::TryStreamExt;

use crate::case::{Case, path};
use crate::check::{Failure, Stop, Verdict, describe};
use crate::expect::{ensure, fails, same, succeeds};
use crate::payload::{Content, explain};

/// Every call that needs a file at `file` to do something; each is told apart by its name in a failure.
const CALLS: &[Operation] = &[
    Operation::Get,
    Operation::Put,
    Operation::Reader,
    Operation::Writer,
    Operation::Close,
    Operation::Commit,
    Operation::Cancel,
    Operation::Unfinished,
    Operation::Abandon,
    Operation::Stat,
    Operation::List,
    Operation::Move,
    Operation::Delete,
    Operation::DeleteFiles,
];

/// Makes one call with `context`; the writers that some need were opened with another.
async fn call(case: &Case, storage: &Storage, operation: Operation, context: &Context) -> Verdict<Result<(), Error>> {
    let (file, session, other) = (path("/a/file"), path("/a/session"), path("/a/other"));
    let writer = async || storage.writer(case.context(), &other, WriteOptions::default()).await;
    Ok(match operation {
        Operation::Get => storage.get(context, &file, GetOptions::default()).await.map(drop),
        Operation::Put => storage.put(context, &file, "new", PutOptions::default()).await.map(drop),
        Operation::Reader => storage.reader(context, &file, ReadOptions::default()).await.map(drop),
        Operation::Writer => storage.writer(context, &other, WriteOptions::default()).await.map(drop),
        Operation::Close => writer().await?.close(context).await.map(drop).map_err(Error::from),
        Operation::Commit => {
            writer().await?.commit(context, CommitOptions::default()).await.map(drop).map_err(Error::from)
        }
        Operation::Cancel => writer().await?.cancel(context).await.map_err(Error::from),
        Operation::Unfinished => match storage.unfinished(context, &StoragePath::root()).await {
            Ok(pages) => pages.try_collect::<Vec<_>>().await.map(drop),
            Err(error) => Err(error),
        },
        Operation::Abandon => storage.abandon(context, &session).await,
        Operation::Stat => storage.stat(context, &file).await.map(drop),
        Operation::List => storage.list(context, &path("/a"), ListOptions::default()).await.map(drop),
        Operation::Move => storage.move_to(context, &file, &other).await,
        Operation::Delete => storage.delete(context, &file, DeleteOptions::default()).await,
        Operation::DeleteFiles => storage.delete_files(context, [file]).await.map(drop),
        _ => storage.url_for(context, &file, UrlOptions::default()).await.map(drop),
    })
}

/// A file and a session for [`call`] to be about.
struct Standing {
    content: Content,
    kept: Content,
}

impl Standing {
    async fn new(case: &Case) -> Result<Self, Error> {
        let (content, kept) = (case.put_new(&path("/a/file"), 1000).await?, case.content(1000));
        case.keep(&path("/a/session"), WriteOptions::default(), kept.bytes()).await?;
        Ok(Self { content, kept })
    }

    async fn unharmed(&self, case: &Case, clause: &'static str) -> Verdict {
        case.holds(clause, &path("/a/file"), self.content).await?;
        case.misses(clause, &path("/a/other")).await?;
        let sessions: Vec<_> = case.unfinished(&path("/a/session")).await?.iter().map(|session| session.size).collect();
        same(clause, sessions, vec![self.kept.size], "what is kept at /a/session")
    }
}

pub(crate) async fn ended_before_the_call(case: &Case) -> Verdict {
    let standing = Standing::new(case).await?;
    let (cancelled, token) = case.context().with_cancellation();
    token.cancel();
    let late = case.context().with_timeout(Duration::ZERO);
    for (context, kind) in [(&cancelled, ErrorKind::Cancelled), (&late, ErrorKind::DeadlineExceeded)] {
        for operation in CALLS {
            let answer = call(case, case.storage(), *operation, context).await?;
            fails("CTX-1", answer, kind, format_args!("{operation} with a context that has ended"))?;
            standing.unharmed(case, "CTX-1").await?;
        }
    }
    Ok(())
}

/// The driver itself, called with a context that has ended, which can happen between its caller's look and its own.
pub(crate) async fn drivers_look_before_they_publish(case: &Case) -> Verdict {
    let standing = Standing::new(case).await?;
    let (driver, file, other) = (case.driver(), path("/a/file"), path("/a/other"));
    let (cancelled, token) = case.context().with_cancellation();
    token.cancel();
    let late = case.context().with_timeout(Duration::ZERO);
    for (context, kind) in [(&cancelled, ErrorKind::Cancelled), (&late, ErrorKind::DeadlineExceeded)] {
        for size in [10, 2 << 20] {
            let put = driver.put(context, &file, case.content(size).bytes().into(), PutOptions::default()).await;
            fails("CTX-5", put, kind, "the driver's own put")?;
            standing.unharmed(case, "CTX-5").await?;

            let mut writer = driver.writer(case.context(), &other, WriteOptions::default()).await?;
            writer.write(case.context(), case.content(size).bytes()).await?;
            fails("CTX-5", writer.commit(context, CommitOptions::default()).await, kind, "the driver's own commit")?;
            standing.unharmed(case, "CTX-5").await?;
            succeeds("CTX-5", writer.cancel(case.context()).await, "cancel after a commit that did not happen")?;
        }
        let moved = driver.move_to(context, &file, &other, MoveOptions::default()).await;
        fails("CTX-5", moved, kind, "the driver's own move")?;
        standing.unharmed(case, "CTX-5").await?;
        for options in [DeleteOptions::default(), DeleteOptions::tree()] {
            let target = if options.scope == driver_api::DeleteScope::Tree { path("/a") } else { file.clone() };
            fails("CTX-5", driver.delete(context, &target, options).await, kind, "the driver's own delete")?;
            standing.unharmed(case, "CTX-5").await?;
        }
    }
    Ok(())
}

/// How much later than the context's end an answer may come.
const LATENESS: Duration = Duration::from_millis(250);

/// Every call over a backend that does not answer: on time, by a clock that is itself timed.
pub(crate) async fn a_backend_that_hangs(case: &Case) -> Verdict {
    let standing = Standing::new(case).await?;
    // A hung writer stays for as long as the change that holds it, so it is not for the audit of this case.
    let aside = case.fresh().await?;
    for operation in CALLS {
        let hung = *operation;
        let of_writer = matches!(hung, Operation::Close | Operation::Commit | Operation::Cancel);
        let storage = if of_writer { aside.storage() } else { case.storage() };
        let hanging =
            storage.layered(Faults::new(move |point| if point.operation == hung { Fault::Hang } else { Fault::None }));
        let (cancelled, token) = case.context().with_cancellation();
        let limit = Duration::from_millis(20);
        let canceller = async {
            tokio::time::sleep(limit).await;
            token.cancel();
            std::future::pending::<()>().await
        };
        let answer = on_time(limit, hung, async {
            tokio::select! {
                answer = call(case, &hanging, hung, &cancelled) => answer,
                () = canceller => Ok(Ok(())),
            }
        });
        of_kind(answer.await?, ErrorKind::Cancelled, hung)?;
        let late = case.context().with_timeout(limit);
        of_kind(on_time(limit, hung, call(case, &hanging, hung, &late)).await?, ErrorKind::DeadlineExceeded, hung)?;
        standing.unharmed(case, "CTX-3").await?;
    }
    Ok(())
}

/// Waits for the answer, which must come within the limit, plus what is allowed, plus how late a timer of the same length is.
async fn on_time<T>(limit: Duration, operation: Operation, answer: impl Future<Output = Verdict<T>>) -> Verdict<T> {
    let begun = Instant::now();
    let control = async {
        tokio::time::sleep(limit).await;
        begun.elapsed().saturating_sub(limit)
    };
    let bound = Duration::from_secs(10);
    let both =
        futures_util::future::join(tokio::time::timeout(bound, async { (answer.await, begun.elapsed()) }), control);
    let (answer, late) = both.await;
    let Ok((answer, elapsed)) = answer else {
        return Err(
            Failure::new("CTX-2", format!("{operation} to end {limit:?} after its begin"), "no end in 10 s").into()
        );
    };
    let allowed = limit + LATENESS + late;
    ensure(elapsed <= allowed, "CTX-2", format!("{operation} to end within {allowed:?}"), format!("{elapsed:?}"))?;
    answer
}

/// An answer of a call whose context ended under way: the kind, and maybe applied for a change.
fn of_kind(answer: Result<(), Error>, kind: ErrorKind, operation: Operation) -> Verdict {
    let Err(error) = answer else {
        return Err(Failure::new("CTX-2", format!("{operation} to be {kind}"), "success").into());
    };
    ensure(error.kind() == kind, "CTX-2", format!("{operation} to be {kind}"), describe(&error))?;
    let expected: &[Retry] =
        if operation.changes_the_store() { &[Retry::MaybeApplied, Retry::Safe] } else { &[Retry::Safe] };
    ensure(expected.contains(&error.retry()), "ERR-9", format!("{operation} in one of {expected:?}"), describe(&error))
}

/// Streams of bytes and of entries whose context ends in their midst.
pub(crate) async fn streams_end_with_their_context(case: &Case) -> Verdict {
    let (file, directory) = (path("/stream/file"), path("/many"));
    case.put_new(&file, 1 << 20).await?;
    case.put_all((0..20).map(|number| path(&format!("/many/{number}")))).await?;
    for taken in [0, 1] {
        let (context, token) = case.context().with_cancellation();
        let mut reader = case.storage().reader(&context, &file, ReadOptions::default()).await?;
        let options = ListOptions::default().with_page_size(std::num::NonZeroUsize::MIN);
        let mut listing = case.storage().list(&context, &directory, options).await?;
        for _ in 0..taken {
            reader.next_chunk().await.transpose()?;
            listing.next_page().await.transpose()?;
        }
        token.cancel();
        // A stream that has already come to its end has nothing left to cancel.
        if let Some(next) = reader.next_chunk().await {
            fails("CTX-4", next, ErrorKind::Cancelled, "the next piece of a stream whose context was cancelled")?;
            ensure(reader.next_chunk().await.is_none(), "CTX-4", "nothing behind the error", "another piece")?;
        }
        let Some(next) = listing.next_page().await else {
            return Err(Failure::new("CTX-4", "an error from a listing whose context was cancelled", "its end").into());
        };
        fails("CTX-4", next, ErrorKind::Cancelled, "the next page of a listing whose context was cancelled")?;
    }
    Ok(())
}

/// Moves, deletes and commits that are cancelled at some moment of their way.
pub(crate) async fn interrupted_changes(case: &Case) -> Verdict {
    let mut random = case.random();
    for round in case.rounds(case.budget().rounds) {
        let (from, to) = (path(&format!("/cut/{round}/from")), path(&format!("/cut/{round}/to")));
        let content = case.put_new(&from, random.u64(1..300_000)).await?;
        let before = case.put_new(&to, 50).await?;
        let written = case.content(random.u64(1..300_000));
        let mut writer = case.writer(&to, WriteOptions::default()).await?;
        writer.write(case.context(), written.bytes()).await?;
        let context = case.context().with_timeout(Duration::from_micros(random.u64(1..1500)));
        let (answer, possible) = match round % 3 {
            0 => (case.storage().move_to(&context, &from, &to).await, [Some(before), Some(content)]),
            1 => (case.storage().delete(&context, &to, DeleteOptions::default()).await, [Some(before), None]),
            _ => {
                let committed = writer.commit(&context, CommitOptions::default()).await;
                (committed.map(drop).map_err(|failure| failure.error), [Some(before), Some(written)])
            }
        };
        let possible = match &answer {
            Ok(()) => &possible[1..],
            Err(error) if error.retry() == Retry::MaybeApplied => &possible[..],
            Err(_) => &possible[..1],
        };
        stands(case, &to, possible).await?;
        if round % 3 == 0 {
            // The target first: a move that still goes on may arrive between two looks.
            let arrived = stands(case, &to, &[Some(content)]).await.is_ok();
            let there = case.get(&from).await.is_ok_and(|found| content.is(&found));
            let arrived = arrived || stands(case, &to, &[Some(content)]).await.is_ok();
            ensure(arrived || there, "CTX-3", "the bytes at the source or at the target", "at neither")?;
        }
    }
    Ok(())
}

async fn stands(case: &Case, path: &StoragePath, possible: &[Option<Content>]) -> Verdict {
    let contents: Vec<_> = possible.iter().flatten().copied().collect();
    match case.get(path).await {
        Err(error) if error.is_not_found() && possible.contains(&None) => Ok(()),
        Err(error) => Err(Failure::new("CTX-3", "a state before or after the change", describe(&error)).into()),
        Ok(found) if contents.iter().any(|content| content.is(&found)) => Ok(()),
        Ok(found) => {
            let failure = Failure::new("CTX-3", "a state before or after the change", explain(&found, 0, &contents));
            Err(Stop::from(failure))
        }
    }
}
