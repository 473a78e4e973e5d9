//! Laws that need no model: a driver behind layers, or behind a prefix, does what the bare driver does.

use std::fmt;
use std::time::Duration;

use driver_api::layers::{ConcurrencyLimit, Count, Metrics, Prefix, Retry, Timeout, Trace};
use driver_api::{
    ByteRange, CommitOptions, Context, DeleteOptions, Entry, Error, GetOptions, ListOptions, PutOptions, Storage,
    StoragePath, WriteOptions,
};

use crate::case::{Case, path, unfinished};
use crate::check::{Failure, Verdict};
use crate::expect::{ensure, same};
use crate::payload::Content;

/// Names that a wrong prefix would mix up.
const NAMES: &[&str] = &["/a", "/a/b", "/ab", "/a.", "/a-", "/A", "/x/x", "/x"];

/// One step of a script.
#[derive(Debug, Clone)]
enum Step {
    Put(StoragePath, Content),
    Get(StoragePath, ByteRange),
    Stat(StoragePath),
    List(StoragePath, bool),
    Move(StoragePath, StoragePath),
    Delete(StoragePath),
    DeleteTree(StoragePath),
    Keep(StoragePath, Content),
    Commit(StoragePath),
    Unfinished(StoragePath),
    Abandon(StoragePath),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

fn script(case: &Case, length: usize) -> Vec<Step> {
    let mut random = case.random();
    let mut steps = Vec::with_capacity(length);
    for _ in 0..length {
        let mut name = || path(NAMES[random.usize(..NAMES.len())]);
        let (one, other) = (name(), name());
        let content = case.content([0, 1, 100, 70_000][random.usize(..4)]);
        steps.push(match random.u32(..14) {
            0..3 => Step::Put(one, content),
            3 => Step::Get(one, ByteRange::span(random.u64(..200), random.u64(..200))),
            4 => Step::Get(one, ByteRange::FULL),
            5 => Step::Stat(one),
            6 => Step::List(if random.bool() { one } else { StoragePath::root() }, random.bool()),
            7 => Step::Move(one, other),
            8 => Step::Delete(one),
            9 => Step::DeleteTree(one),
            10 => Step::Keep(one, content),
            11 => Step::Commit(one),
            12 => Step::Unfinished(one),
            _ => Step::Abandon(one),
        });
    }
    steps
}

/// What a step shows, without what differs from store to store: times and versions.
async fn observe(storage: &Storage, context: &Context, step: &Step) -> String {
    match try_observe(storage, context, step).await {
        Ok(shown) => shown,
        Err(error) => format!("{} {:?} {:?} {:?}", error.kind(), error.retry(), error.operation(), error.path()),
    }
}

async fn try_observe(storage: &Storage, context: &Context, step: &Step) -> Result<String, Error> {
    Ok(match step {
        Step::Put(path, content) => {
            let info = storage.put(context, path, content.bytes(), PutOptions::default()).await?;
            format!("{} {}", info.path, info.size)
        }
        Step::Get(path, range) => {
            let (info, bytes) = storage.get(context, path, GetOptions::default().with_range(*range)).await?;
            format!("{} {} {bytes:?}", info.path, info.size)
        }
        Step::Stat(path) => shown(&storage.stat(context, path).await?),
        Step::List(path, recursive) => {
            let options = ListOptions::default().with_recursive(*recursive);
            let entries = storage.list(context, path, options).await?.collect().await?;
            entries.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        Step::Move(from, to) => storage.move_to(context, from, to).await.map(|()| "moved".to_owned())?,
        Step::Delete(path) => {
            storage.delete(context, path, DeleteOptions::default()).await.map(|()| "deleted".to_owned())?
        }
        Step::DeleteTree(path) => {
            storage.delete(context, path, DeleteOptions::tree()).await.map(|()| "deleted".to_owned())?
        }
        Step::Keep(path, content) => {
            let mut writer = storage.writer(context, path, WriteOptions::append()).await?;
            writer.write(context, content.bytes()).await?;
            format!("kept {}", writer.close(context).await?)
        }
        Step::Commit(path) => {
            let writer = storage.writer(context, path, WriteOptions::append()).await?;
            let info = writer.commit(context, CommitOptions::default()).await?;
            format!("{} {}", info.path, info.size)
        }
        Step::Unfinished(path) => {
            let sessions = unfinished(storage, path).await?;
            sessions.iter().map(|kept| format!("{} {}", kept.path, kept.size)).collect::<Vec<_>>().join(", ")
        }
        Step::Abandon(path) => storage.abandon(context, path).await.map(|()| "abandoned".to_owned())?,
    })
}

fn shown(entry: &Entry) -> String {
    match entry {
        Entry::File(info) => format!("{} {}", info.path, info.size),
        Entry::Directory(path) => format!("{path}/"),
    }
}

/// Runs one script on the bare driver and on what wraps it, over another store.
async fn same_as_bare(case: &Case, clause: &'static str, wrapped: &Storage) -> Verdict {
    let steps = script(case, 60);
    for (number, step) in steps.iter().enumerate() {
        let expected = observe(case.storage(), case.context(), step).await;
        let found = observe(wrapped, case.context(), step).await;
        if expected != found {
            let script: Vec<_> = steps[..=number].iter().map(ToString::to_string).collect();
            let failure = Failure::new(clause, format!("{step} to show {expected}, as the bare driver does"), found);
            return Err(failure.with_evidence(script.join("\n")).into());
        }
    }
    Ok(())
}

pub(crate) async fn layered_is_bare(case: &Case) -> Verdict {
    for _ in case.rounds(case.budget().rounds.div_ceil(10)) {
        let (aside, pause) = (case.fresh().await?, Duration::from_millis(1));
        let layered = aside
            .storage()
            .layered(ConcurrencyLimit::new(4))
            .layered(Timeout::new(Duration::from_secs(60), Duration::from_secs(60)))
            .layered(Retry::new(3, pause, pause))
            .layered(Count::default())
            .layered(Metrics)
            .layered(Trace);
        same("LAYER-1", layered.capabilities(), aside.storage().capabilities(), "what the layered driver declares")?;
        same_as_bare(case, "LAYER-1", &layered).await?;
        case.finish(aside).await?;
        case.finish_store().await?;
    }
    Ok(())
}

pub(crate) async fn prefixed_is_bare(case: &Case) -> Verdict {
    for _ in case.rounds(case.budget().rounds.div_ceil(10)) {
        let aside = case.fresh().await?;
        let prefix = path("/outer/inner");
        let beside = ["/outer/inner-2/a", "/outer/inner.b", "/outer/b", "/outer/inner2"].map(path);
        for neighbour in &beside {
            aside.storage().put(case.context(), neighbour, "outside", PutOptions::default()).await?;
        }
        let prefixed = aside.storage().layered(Prefix::new(prefix.clone()));
        same_as_bare(case, "LAYER-2", &prefixed).await?;
        let all = aside
            .storage()
            .list(case.context(), &StoragePath::root(), ListOptions::recursive())
            .await?
            .collect()
            .await?;
        let outside: Vec<_> = all.iter().map(Entry::path).filter(|path| !path.is_below(&prefix)).cloned().collect();
        let expected = beside.iter().collect::<std::collections::BTreeSet<_>>();
        let same = outside.iter().collect::<std::collections::BTreeSet<_>>() == expected;
        ensure(same, "LAYER-2", format_args!("{beside:?} outside the prefix"), format_args!("{outside:?}"))?;
        case.finish(aside).await?;
        case.finish_store().await?;
    }
    Ok(())
}
