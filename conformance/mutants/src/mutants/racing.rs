//! Right one call at a time: wrong beside another call, and where a call is dropped or runs out of time.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, Entry, EntryPages, Error, ErrorKind, FileInfo, FileWriter,
    GetOptions, ListOptions, MoveOptions, Payload, PutOptions, Result, StatOptions, StoragePath, WriteOptions,
    async_trait,
};
use futures_util::TryStreamExt;
use parking_lot::Mutex;

use super::{Claim, Counted, bytes_of, depth, is_long, pause, put_half, size_of};
use crate::Mutant;
use crate::mutation::{Call, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<StatBesideGet>(
        "stat-beside-get",
        "a stat beside a get of the same file tells no byte",
        "CONC-1",
        &["STAT-1"],
    ),
    Mutant::new::<FourWriters>(
        "four-writers",
        "where four writers are open at a path, the first to commit publishes the begin",
        "WRITE-13",
        &["WRITE-3"],
    ),
    Mutant::new::<CommitsMix>(
        "commits-mix",
        "of commits at once to one path bytes mix",
        "CONC-2",
        &["CONC-1", "WRITE-13"],
    ),
    Mutant::new::<MoveOfSight>(
        "move-out-of-sight-at-times",
        "a moved file of 99 to 101 KB is nowhere for a moment",
        "MOVE-6",
        &["MOVE-8"],
    ),
    Mutant::new::<MoveInTwoSteps>(
        "move-in-two-steps-at-times",
        "the move of a file of 40 to 60 KB is a copy and a delete",
        "MOVE-8",
        &["CONC-1"],
    ),
    Mutant::new::<RacingDelete>("racing-delete", "of two deletes of a file at a time one is a Conflict", "DEL-2", &[]),
    Mutant::new::<SmallPutMeetsRemoval>(
        "small-put-meets-removal",
        "a put of ten bytes fails where a file beside it is being deleted",
        "DEL-7",
        &["CONC-3"],
    ),
    Mutant::new::<RacySmallIfAbsent>(
        "racy-small-if-absent",
        "a put if-absent of 17 to 63 bytes looks first and writes then",
        "PUT-4",
        &["CONC-1"],
    ),
    Mutant::new::<RacyIfMatch>(
        "racy-if-match",
        "a put if-match of 17 to 63 bytes looks first and writes then",
        "PUT-6",
        &["CONC-1"],
    ),
    Mutant::new::<RacyCommit>(
        "racy-commit-if-absent",
        "a commit if-absent of 17 to 63 bytes looks first and publishes then",
        "WRITE-17",
        &["CONC-1"],
    ),
    Mutant::new::<TornLargePut>("torn-large-put", "a put of 1 MiB replaces a file half by half", "PUT-1", &["READ-3"]),
    Mutant::new::<InPlace>(
        "put-in-place",
        "a put of 400 to 900 KB over a file of the same size is made in place",
        "READ-3",
        &["PUT-1"],
    ),
    Mutant::new::<MovesTheNeighbour>(
        "moves-the-neighbour",
        "a move beside a put into the same directory, at the third level, takes what was put",
        "CONC-3",
        &["MOVE-1"],
    ),
    Mutant::new::<LostBesideAnother>(
        "lost-beside-another",
        "an acknowledged chunk is lost where a chunk of another file is in flight",
        "CONC-3",
        &["WRITE-1"],
    ),
    Mutant::new::<RepeatsBesideDeletes>(
        "repeats-beside-deletes",
        "a listing repeats an entry where another was deleted meanwhile",
        "LIST-6",
        &["LIST-2", "LIST-10"],
    ),
];

#[derive(Debug, Default)]
struct StatBesideGet {
    gets: Counted,
}

#[async_trait]
impl Mutation for StatBesideGet {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let _in_flight = self.gets.claim(call.path);
        pause().await;
        call.forward().await
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        pause().await;
        let beside = self.gets.of(call.path) > 0;
        match call.forward().await? {
            Entry::File(mut info) if beside => {
                info.size = 0;
                Ok(Entry::File(info))
            }
            entry => Ok(entry),
        }
    }
}

#[derive(Debug, Default)]
struct FourWriters {
    open: Mutex<HashMap<StoragePath, u32>>,
}

impl FourWriters {
    fn ends(&self, path: &StoragePath) -> u32 {
        let mut open = self.open.lock();
        let open = open.entry(path.clone()).or_default();
        *open = open.saturating_sub(1);
        *open
    }
}

#[async_trait]
impl Mutation for FourWriters {
    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        let path = call.path.clone();
        let writer = call.forward().await?;
        *self.open.lock().entry(path).or_default() += 1;
        Ok(writer)
    }

    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        self.ends(&session.path);
        session.writer.close(context).await
    }

    async fn cancel(&self, session: &mut Session, context: &Context) -> Result<()> {
        self.ends(&session.path);
        session.writer.cancel(context).await
    }

    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let others = self.ends(&session.path);
        let info = session.writer.commit(context, options).await?;
        if others == 3 && info.size > 100_000 {
            let bytes = bytes_of(&session.inner, context, &info.path).await?.unwrap_or_default();
            put_half(&session.inner, context, &info.path, bytes.into()).await;
        }
        Ok(info)
    }
}

/// One content's first half and another's second.
fn mixed(one: &Bytes, other: &Bytes) -> Bytes {
    let half = one.len().min(other.len()) / 2;
    let mut mixed = BytesMut::from(&one[..half]);
    mixed.extend_from_slice(&other[half..]);
    mixed.freeze()
}

#[derive(Debug, Default)]
struct CommitsMix {
    commits: Counted,
}

#[async_trait]
impl Mutation for CommitsMix {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        if options.condition != Condition::None || session.writer.size() <= 100_000 {
            return session.writer.commit(context, options).await;
        }
        let target = options.to.clone().unwrap_or_else(|| session.path.clone());
        let _in_flight = self.commits.claim(&target);
        let mut beside = self.commits.of(&target) > 1;
        pause().await;
        beside |= self.commits.of(&target) > 1;
        let other = bytes_of(&session.inner, context, &target).await?;
        let info = session.writer.commit(context, options).await?;
        if let (true, Some(other)) = (beside, other)
            && let Some(one) = bytes_of(&session.inner, context, &target).await?
        {
            session.inner.put(context, &target, mixed(&one, &other).into(), PutOptions::default()).await?;
        }
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct MoveOfSight;

#[async_trait]
impl Mutation for MoveOfSight {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let (inner, context) = (call.inner, call.context);
        let bytes = bytes_of(inner, context, call.path).await?;
        let Some(bytes) = bytes.filter(|bytes| (99_000..101_000).contains(&bytes.len())) else {
            return call.forward(to).await;
        };
        inner.delete(context, call.path, DeleteOptions::default()).await?;
        pause().await;
        inner.put(context, to, bytes.into(), PutOptions::default()).await.map(drop)
    }
}

#[derive(Debug, Default)]
struct MoveInTwoSteps;

#[async_trait]
impl Mutation for MoveInTwoSteps {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let (inner, context) = (call.inner, call.context);
        let bytes = bytes_of(inner, context, call.path).await?;
        let Some(bytes) = bytes.filter(|bytes| (40_000..60_000).contains(&bytes.len())) else {
            return call.forward(to).await;
        };
        inner.put(context, to, bytes.into(), PutOptions::default()).await?;
        pause().await;
        inner.delete(context, call.path, DeleteOptions::default()).await
    }
}

#[derive(Debug, Default)]
struct RacingDelete {
    deletes: Counted,
}

#[async_trait]
impl Mutation for RacingDelete {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let _in_flight = self.deletes.claim(call.path);
        if is_long(call.path) && self.deletes.of(call.path) > 1 {
            return Err(Error::new(ErrorKind::Conflict, "the file is being deleted"));
        }
        pause().await;
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct SmallPutMeetsRemoval {
    removing: Counted,
}

#[async_trait]
impl Mutation for SmallPutMeetsRemoval {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let Some(parent) = call.path.parent() else { return call.forward().await };
        let _in_flight = self.removing.claim(&parent);
        pause().await;
        call.forward().await
    }

    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let parent = call.path.parent().filter(|parent| !parent.is_root() && payload.len() <= 10);
        if parent.is_some_and(|parent| self.removing.of(&parent) > 0) {
            return Err(Error::new(ErrorKind::Other, "the directory went away"));
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct RacySmallIfAbsent;

#[async_trait]
impl Mutation for RacySmallIfAbsent {
    async fn put(&self, mut call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        if call.options.condition == Condition::IfAbsent && (17..64).contains(&payload.len()) {
            if size_of(call.inner, call.context, call.path).await.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, "a file is there"));
            }
            pause().await;
            call.options.condition = Condition::None;
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct RacyIfMatch;

#[async_trait]
impl Mutation for RacyIfMatch {
    async fn put(&self, mut call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        if let Condition::IfMatch(version) = &call.options.condition
            && (17..64).contains(&payload.len())
        {
            let entry = call.inner.stat(call.context, call.path, StatOptions::default()).await?;
            if entry.as_file().and_then(|info| info.version.as_ref()) != Some(version) {
                return Err(Error::new(ErrorKind::Conflict, "the file is of another version"));
            }
            pause().await;
            call.options.condition = Condition::None;
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct RacyCommit;

#[async_trait]
impl Mutation for RacyCommit {
    async fn commit(&self, session: &mut Session, context: &Context, mut options: CommitOptions) -> Result<FileInfo> {
        if options.condition == Condition::IfAbsent && options.to.is_none() && (17..64).contains(&session.writer.size())
        {
            if size_of(&session.inner, context, &session.path).await.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, "a file is there"));
            }
            pause().await;
            options.condition = Condition::None;
        }
        session.writer.commit(context, options).await
    }
}

/// Replaces the file half by half where `torn` says so of the old size and the new.
async fn put_torn(call: Call<'_, PutOptions>, payload: Payload, torn: impl Fn(u64, u64) -> bool) -> Result<FileInfo> {
    let old = bytes_of(call.inner, call.context, call.path).await?;
    if let Some(old) = old.filter(|old| torn(old.len() as u64, payload.len())) {
        let new = payload.clone().into_bytes();
        call.inner.put(call.context, call.path, mixed(&new, &old).into(), PutOptions::default()).await?;
        pause().await;
    }
    call.forward(payload).await
}

#[derive(Debug, Default)]
struct TornLargePut;

#[async_trait]
impl Mutation for TornLargePut {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        put_torn(call, payload, |_, new| new == 1 << 20).await
    }
}

#[derive(Debug, Default)]
struct InPlace;

#[async_trait]
impl Mutation for InPlace {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        put_torn(call, payload, |old, new| old == new && (400_000..900_000).contains(&new)).await
    }
}

#[derive(Debug, Default)]
struct MovesTheNeighbour {
    /// How often something was put into a directory, and what came last.
    puts: Mutex<HashMap<StoragePath, (u64, StoragePath)>>,
}

#[async_trait]
impl Mutation for MovesTheNeighbour {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let (parent, path) = (call.path.parent(), call.path.clone());
        let info = call.forward(payload).await?;
        if let Some(parent) = parent {
            let mut puts = self.puts.lock();
            let number = puts.get(&parent).map_or(0, |(number, _)| *number);
            puts.insert(parent, (number + 1, path));
        }
        Ok(info)
    }

    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        if depth(call.path) != 3 {
            return call.forward(to).await;
        }
        let (inner, context, parent) = (call.inner, call.context, call.path.parent());
        let last = || parent.as_ref().and_then(|parent| self.puts.lock().get(parent).cloned());
        let before = last().map(|(number, _)| number);
        for _ in 0..4 {
            pause().await;
        }
        call.forward(to).await?;
        match last() {
            Some((number, neighbour)) if before.is_some_and(|before| before < number) => {
                let bytes = bytes_of(inner, context, &neighbour).await?.unwrap_or_default();
                inner.put(context, to, bytes.into(), PutOptions::default()).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Default)]
struct LostBesideAnother {
    writes: Counted,
    all: Counted,
}

#[async_trait]
impl Mutation for LostBesideAnother {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        if !(80_000..100_000).contains(&chunk.len()) {
            return session.writer.write(context, chunk).await;
        }
        let _in_flight: [Claim; 2] = [self.writes.claim(&session.path), self.all.claim(&StoragePath::root())];
        pause().await;
        if self.all.of(&StoragePath::root()) > self.writes.of(&session.path) {
            session.swallowed += chunk.len() as u64;
            return Ok(());
        }
        session.writer.write(context, chunk).await
    }
}

#[derive(Debug, Default)]
struct RepeatsBesideDeletes {
    deletes: std::sync::Arc<Mutex<u64>>,
}

#[async_trait]
impl Mutation for RepeatsBesideDeletes {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        *self.deletes.lock() += 1;
        call.forward().await
    }

    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let (deletes, mut seen) = (self.deletes.clone(), *self.deletes.lock());
        let mut last: Option<Entry> = None;
        let pages = call.forward().await?.map_ok(move |mut page| {
            let now = *deletes.lock();
            if let Some(last) = last.take().filter(|_| now > seen) {
                page.insert(0, last);
            }
            seen = now;
            last = page.last().cloned();
            page
        });
        Ok(Box::pin(pages))
    }
}
