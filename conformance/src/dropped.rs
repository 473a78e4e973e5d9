//! Dropped futures: every call is polled up to its first, second, ... suspension point and dropped there, as a caller that
//! goes away does. Afterwards what it touched is old or new, whole; made again it finishes; nothing is locked; nothing is left
//! behind.

mod again;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use driver_api::{
    CommitOptions, Context, DeleteOptions, EntryKey, Error, ErrorKind, GetOptions, ListOptions, PutOptions,
    ReadOptions, Storage, StoragePath, WriteOptions, Writer,
};
use tokio::time::Instant;

use crate::case::{Case, path, unfinished};
use crate::check::{Failure, Verdict, describe};
use crate::payload::{Content, explain};
use crate::target::Instance;

/// How long work that goes on behind a dropped call has to come to an end.
const SETTLING: Duration = Duration::from_secs(5);
/// Enough that neither `Writer` gathers it nor a driver takes it in one piece.
const LARGE: u64 = 300_000;

/// Drops every call at each of its suspension points, up to as many as the budget has points and time for. Calls over a
/// network have hundreds, and each point has a scene of its own.
pub(crate) async fn explore(case: &Case) -> Verdict {
    let budget = case.budget();
    let share = budget.slice.min(budget.time_limit / 2 / Dropped::ALL.len() as u32);
    for dropped in Dropped::ALL {
        let instance = case.fresh().await?;
        let begun = Instant::now();
        for point in (1..=budget.dropped_points).take_while(|point| *point == 1 || begun.elapsed() < share) {
            let scene = Scene::set(case, &instance, path(&format!("/point-{point}"))).await?;
            let completed = scene.drop_at(dropped, point).await?;
            scene.examine(dropped, point).await?;
            if completed {
                break;
            }
        }
        case.finish(instance).await?;
    }
    Ok(())
}

/// A call that is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    Get,
    Read,
    Stat,
    List,
    Unfinished,
    PutNew,
    PutOver,
    OpenTruncate,
    OpenAppend,
    Write,
    Close,
    Commit,
    Cancel,
    Abandon,
    Move,
    MoveOver,
    DeleteFile,
    DeleteTree,
    DeleteFiles,
}

impl Dropped {
    const ALL: [Self; 19] = [
        Self::Get,
        Self::Read,
        Self::Stat,
        Self::List,
        Self::Unfinished,
        Self::PutNew,
        Self::PutOver,
        Self::OpenTruncate,
        Self::OpenAppend,
        Self::Write,
        Self::Close,
        Self::Commit,
        Self::Cancel,
        Self::Abandon,
        Self::Move,
        Self::MoveOver,
        Self::DeleteFile,
        Self::DeleteTree,
        Self::DeleteFiles,
    ];

    /// The clause that says what the call leaves when it is not finished.
    const fn clause(self) -> &'static str {
        match self {
            Self::Get | Self::Read | Self::Stat | Self::List | Self::Unfinished => "READ-5",
            Self::PutNew | Self::PutOver => "PUT-2",
            Self::OpenTruncate | Self::OpenAppend | Self::Close | Self::Cancel | Self::Abandon => "WRITE-4",
            Self::Write => "WRITE-25",
            Self::Commit => "WRITE-3",
            Self::Move | Self::MoveOver => "MOVE-6",
            Self::DeleteFile | Self::DeleteTree | Self::DeleteFiles => "DEL-1",
        }
    }
}

/// A file of a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Old,
    New,
    Moved,
    One,
    Two,
}

impl Place {
    const ALL: [Self; 5] = [Self::Old, Self::New, Self::Moved, Self::One, Self::Two];

    const fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
            Self::Moved => "moved",
            Self::One => "tree/one",
            Self::Two => "tree/two",
        }
    }
}

/// A directory with files and a kept session, for one call to be dropped in.
struct Scene<'a> {
    case: &'a Case,
    storage: &'a Storage,
    directory: StoragePath,
    /// At `old`, and what is moved.
    old: Content,
    /// What the dropped call writes.
    new: Content,
    one: Content,
    two: Content,
    /// Kept at `kept`.
    kept: Content,
}

impl<'a> Scene<'a> {
    async fn set(case: &'a Case, instance: &'a Instance, directory: StoragePath) -> Verdict<Self> {
        let storage = instance.storage();
        let [old, one, two, kept] = [5000, 100, 100, 1000].map(|size| case.content(size));
        let new = case.content(LARGE);
        let scene = Self { case, storage, directory, old, new, one, two, kept };
        let context = case.context();
        for (place, content) in [(Place::Old, old), (Place::One, one), (Place::Two, two)] {
            storage.put(context, &scene.path(place), content.bytes(), PutOptions::default()).await?;
        }
        let mut writer = storage.writer(context, &scene.kept_path(), WriteOptions::default()).await?;
        writer.write(context, kept.bytes()).await?;
        writer.close(context).await?;
        Ok(scene)
    }

    fn at(&self, name: &str) -> StoragePath {
        path(&format!("{}/{name}", self.directory))
    }

    fn path(&self, place: Place) -> StoragePath {
        self.at(place.name())
    }

    fn kept_path(&self) -> StoragePath {
        self.at("kept")
    }

    /// Makes the call and drops it at its suspension point number `point`; whether it completed before.
    async fn drop_at(&self, dropped: Dropped, point: usize) -> Verdict<bool> {
        let mut writer = self.prepare(dropped).await?;
        let before = writer.as_ref().map_or(0, Writer::size);
        let answer = polled(self.call(dropped, &mut writer), point).await;
        if let Some(Err(error)) = &answer {
            let found = describe(error);
            return Err(Failure::new(dropped.clause(), format!("{dropped:?} to succeed"), found).into());
        }
        if let Some(writer) = writer {
            self.write_on(dropped, writer, before, answer.is_some()).await?;
        }
        Ok(answer.is_some())
    }

    async fn prepare(&self, dropped: Dropped) -> Result<Option<Writer>, Error> {
        let context = self.case.context();
        let open = async |path: StoragePath, options, bytes: u64| {
            let mut writer = self.storage.writer(context, &path, options).await?;
            if bytes > 0 {
                writer.write(context, self.new.bytes()).await?;
            }
            Ok(Some(writer))
        };
        match dropped {
            Dropped::Write => open(self.path(Place::New), WriteOptions::default(), 0).await,
            Dropped::Close => open(self.path(Place::New), WriteOptions::default(), LARGE).await,
            Dropped::Commit => open(self.path(Place::Old), WriteOptions::default(), LARGE).await,
            Dropped::Cancel => open(self.kept_path(), WriteOptions::append(), LARGE).await,
            _ => Ok(None),
        }
    }

    async fn call(&self, dropped: Dropped, writer: &mut Option<Writer>) -> Result<(), Error> {
        let (storage, context) = (self.storage, &Context::background());
        let (old, new) = (self.path(Place::Old), self.path(Place::New));
        match dropped {
            Dropped::Get => storage.get(context, &old, GetOptions::default()).await.map(drop),
            Dropped::Read => {
                let reader = storage.reader(context, &old, ReadOptions::default()).await?;
                reader.read_to_end(LARGE).await.map(drop)
            }
            Dropped::Stat => storage.stat(context, &old).await.map(drop),
            Dropped::List => {
                let listing = storage.list(context, &self.directory, ListOptions::recursive()).await?;
                listing.collect().await.map(drop)
            }
            Dropped::Unfinished => unfinished(storage, &self.directory).await.map(drop),
            Dropped::PutNew => storage.put(context, &new, self.new.bytes(), PutOptions::default()).await.map(drop),
            Dropped::PutOver => storage.put(context, &old, self.new.bytes(), PutOptions::default()).await.map(drop),
            Dropped::OpenTruncate => {
                storage.writer(context, &self.kept_path(), WriteOptions::default()).await.map(drop)
            }
            Dropped::OpenAppend => storage.writer(context, &self.kept_path(), WriteOptions::append()).await.map(drop),
            Dropped::Write => match writer {
                Some(writer) => writer.write(context, self.new.bytes()).await,
                None => Ok(()),
            },
            Dropped::Close | Dropped::Commit | Dropped::Cancel => match writer.take() {
                Some(writer) => end(context, dropped, writer).await,
                None => Ok(()),
            },
            Dropped::Abandon => storage.abandon(context, &self.kept_path()).await,
            Dropped::Move => storage.move_to(context, &old, &self.path(Place::Moved)).await,
            Dropped::MoveOver => storage.move_to(context, &old, &self.path(Place::One)).await,
            Dropped::DeleteFile => storage.delete(context, &old, DeleteOptions::default()).await,
            Dropped::DeleteTree => storage.delete(context, &self.at("tree"), DeleteOptions::tree()).await,
            Dropped::DeleteFiles => {
                let paths = [Place::One, Place::Two].map(|place| self.path(place));
                match storage.delete_files(context, paths).await?.into_iter().next() {
                    Some(left) => Err(left),
                    None => Ok(()),
                }
            }
        }
    }

    /// A writer whose write was dropped has accepted the chunk whole or not at all, says which, and can be committed.
    async fn write_on(&self, dropped: Dropped, writer: Writer, before: u64, completed: bool) -> Verdict {
        let size = writer.size();
        let whole = before + self.new.size;
        if size != whole && (completed || size != before) {
            let expected = format!("a size of {whole}{}", if completed { "" } else { ", or of what was there before" });
            return Err(Failure::new(dropped.clause(), expected, format!("{size}")).into());
        }
        writer.commit(self.case.context(), CommitOptions::default()).await?;
        let published = Content { size, ..self.new };
        let found = self.read(Place::New).await?;
        if found.as_ref().is_none_or(|bytes| !published.is(bytes)) {
            let found = found.map_or_else(|| "no file".to_owned(), |bytes| explain(&bytes, 0, &[published]));
            return Err(Failure::new(dropped.clause(), format!("the commit to publish {published}"), found).into());
        }
        self.storage.delete(self.case.context(), &self.path(Place::New), DeleteOptions::default()).await?;
        Ok(())
    }

    /// The contents that may be at `place` after the call was dropped, or completed; none is no file.
    fn allowed(&self, dropped: Dropped, place: Place) -> Vec<Option<Content>> {
        let before = match place {
            Place::Old => Some(self.old),
            Place::One => Some(self.one),
            Place::Two => Some(self.two),
            Place::New | Place::Moved => None,
        };
        let after = match (dropped, place) {
            (Dropped::PutNew, Place::New) | (Dropped::PutOver | Dropped::Commit, Place::Old) => Some(self.new),
            (Dropped::Move, Place::Moved) | (Dropped::MoveOver, Place::One) => Some(self.old),
            (Dropped::Move | Dropped::MoveOver | Dropped::DeleteFile, Place::Old)
            | (Dropped::DeleteTree | Dropped::DeleteFiles, Place::One | Place::Two) => None,
            _ => before,
        };
        if before == after { vec![before] } else { vec![before, after] }
    }

    /// The sizes that may be kept at `kept` and at `new`.
    fn allowed_sessions(&self, dropped: Dropped) -> [Vec<Option<u64>>; 2] {
        let kept = Some(self.kept.size);
        let at_kept = match dropped {
            Dropped::OpenTruncate | Dropped::Cancel | Dropped::Abandon => vec![kept, None],
            _ => vec![kept],
        };
        let at_new = if dropped == Dropped::Close { vec![None, Some(self.new.size)] } else { vec![None] };
        [at_kept, at_new]
    }

    async fn read(&self, place: Place) -> Result<Option<bytes::Bytes>, Error> {
        match self.storage.get(self.case.context(), &self.path(place), GetOptions::default()).await {
            Ok((_, bytes)) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn examine(&self, dropped: Dropped, point: usize) -> Verdict {
        let told = |failure: Failure| {
            failure
                .with_evidence(format!("{dropped:?} was dropped at its suspension point {point} in {}", self.directory))
        };
        self.examine_files(dropped).await?.map_err(told)?;
        self.examine_sessions(dropped).await?.map_err(told)?;
        self.again(dropped).await?.map_err(|failure| {
            let led_here = format!("{dropped:?} was dropped at its suspension point {point}, and made again");
            failure.with_evidence(format!("{led_here} in {}", self.directory))
        })?;
        self.go_on(dropped).await?.map_err(told)?;
        Ok(())
    }

    async fn examine_files(&self, dropped: Dropped) -> Verdict<Result<(), Failure>> {
        let options = ListOptions::recursive();
        let listed = self.storage.list(self.case.context(), &self.directory, options).await?.collect().await?;
        let known = Place::ALL.map(|place| EntryKey::file(&self.path(place)));
        if let Some(stranger) = listed.iter().find(|entry| !known.contains(&entry.key())) {
            let failure = Failure::new("WRITE-2", "no file but those that were written", stranger.key());
            return Ok(Err(failure));
        }
        let mut whereabouts = Vec::new();
        for place in Place::ALL {
            let found = self.read(place).await?;
            let allowed = self.allowed(dropped, place);
            let is_allowed = allowed.iter().any(|content| match (content, &found) {
                (None, None) => true,
                (Some(content), Some(bytes)) => content.is(bytes),
                _ => false,
            });
            if !is_allowed {
                let contents: Vec<_> = allowed.iter().flatten().copied().collect();
                let found = found.map_or_else(|| "no file".to_owned(), |bytes| explain(&bytes, 0, &contents));
                let expected = format!("{} as it was before the call or after it", self.path(place));
                return Ok(Err(Failure::new(dropped.clause(), expected, found)));
            }
            whereabouts.extend(found.filter(|bytes| self.old.is(bytes)));
        }
        let moves = matches!(dropped, Dropped::Move | Dropped::MoveOver);
        if moves && whereabouts.is_empty() {
            let expected = "the moved bytes at the source, the target, or both";
            return Ok(Err(Failure::new(dropped.clause(), expected, "neither")));
        }
        Ok(Ok(()))
    }

    /// Waits until what is kept is what may be kept: an owner that was dropped may take a moment to let go.
    async fn examine_sessions(&self, dropped: Dropped) -> Verdict<Result<(), Failure>> {
        let deadline = Instant::now() + SETTLING;
        let allowed = self.allowed_sessions(dropped);
        let paths = [self.kept_path(), self.path(Place::New)];
        loop {
            let sessions = unfinished(self.storage, &self.directory).await?;
            let kept = paths.each_ref().map(|path| sessions.iter().find(|s| s.path == *path).map(|s| s.size));
            let all_known = sessions.iter().all(|session| paths.contains(&session.path));
            if all_known && allowed.iter().zip(&kept).all(|(allowed, kept)| allowed.contains(kept)) {
                return Ok(Ok(()));
            }
            if Instant::now() >= deadline {
                let expected = format!("kept sessions of these sizes: {allowed:?} at {paths:?}");
                return Ok(Err(Failure::new(dropped.clause(), expected, format!("{sessions:?}"))));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Nothing is locked: every path can be written, and the sessions be taken up and given up.
    async fn go_on(&self, dropped: Dropped) -> Verdict<Result<(), Failure>> {
        let context = self.case.context();
        for place in Place::ALL {
            let marker = self.case.content(50);
            self.storage.put(context, &self.path(place), marker.bytes(), PutOptions::default()).await?;
            let mut allowed = self.allowed(dropped, place);
            // A change that its caller dropped may take effect late.
            allowed.push(Some(marker));
            let found = self.read(place).await?;
            let is_allowed = allowed.iter().any(|content| match (content, &found) {
                (Some(content), Some(bytes)) => content.is(bytes),
                (content, found) => content.is_none() && found.is_none(),
            });
            if !is_allowed {
                let expected = format!("{} to have what was put there next", self.path(place));
                let found = found.map_or_else(|| "no file".to_owned(), |bytes| explain(&bytes, 0, &[marker]));
                return Ok(Err(Failure::new("PUT-3", expected, found)));
            }
        }
        match self.take_up_session().await {
            Ok(()) => Ok(Ok(())),
            Err(error) => {
                Ok(Err(Failure::new("WRITE-13", "the session to be free for the next writer", describe(&error))))
            }
        }
    }

    async fn take_up_session(&self) -> Result<(), Error> {
        let deadline = Instant::now() + SETTLING;
        loop {
            match self.storage.writer(self.case.context(), &self.kept_path(), WriteOptions::append()).await {
                Ok(writer) => return Ok(writer.cancel(self.case.context()).await?),
                Err(error) if error.kind() == ErrorKind::Conflict && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn end(context: &Context, dropped: Dropped, writer: Writer) -> Result<(), Error> {
    match dropped {
        Dropped::Close => Ok(writer.close(context).await.map(drop)?),
        Dropped::Commit => Ok(writer.commit(context, CommitOptions::default()).await.map(drop)?),
        _ => Ok(writer.cancel(context).await?),
    }
}

/// Polls `future` until it suspends for the `point`-th time, and drops it there; its output if it completes before.
async fn polled<T>(future: impl Future<Output = T>, point: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut suspended = 0;
    poll_fn(|task| match future.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            suspended += 1;
            if suspended == point { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use driver_api::layers::{Fault, Faults};
    use driver_inmemory::MemoryDriver;

    use super::*;
    use crate::profile::Profile;
    use crate::target::Target;

    #[tokio::test]
    async fn a_future_is_dropped_at_the_point_named() {
        let yields = async || {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(polled(yields(), 3).await, None);
        assert_eq!(polled(yields(), 4).await, Some(()));
    }

    #[tokio::test]
    async fn a_right_driver_that_suspends_leaves_old_or_new() {
        let target = Target::new("slow memory", || async {
            // Each call suspends once, before it is made.
            let slow = Faults::new(|_| Fault::Delay(Duration::from_millis(1)));
            Instance::over(Storage::new(MemoryDriver::default()).layered(slow))
        });
        let instance = target.fresh().await.unwrap();
        explore(&Case::new(target, instance, Profile::Quick.budget(), 1)).await.unwrap();
    }
}
