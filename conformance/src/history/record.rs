//! Makes a history: tasks that run a few drawn operations each on the same two paths, side by side, and note when each
//! operation began and what it answered.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, Entry, Error, ErrorKind, FileInfo, GetOptions, PutOptions, Retry,
    Storage, StoragePath, Version, WriteOptions, Writer,
};
use parking_lot::Mutex;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::event::{By, Event, Operation, Outcome, Place, When};
use crate::check::{Failure, Stop, Verdict, describe};
use crate::payload::{Content, explain};

const TASKS: RangeInclusive<usize> = 2..=4;
const OPERATIONS: RangeInclusive<usize> = 2..=5;
/// Of a task that a process plays by itself: one that begins late meets the others still, and to be caught with what it
/// remembers, it has to read, and to read again what they have changed.
const OPERATIONS_ALONE: RangeInclusive<usize> = 6..=10;
/// Contents begin with a whole cell, so that what is read tells its write; the largest take more than one chunk.
const SIZES: [u64; 4] = [16, 64, 5000, 70_000];

/// Runs tasks on the two `paths`, at which nothing is, and answers with what they noted.
pub(super) async fn record(storage: &Storage, paths: [StoragePath; 2], seed: u64) -> Verdict<Vec<Event>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let tasks = random.usize(TASKS);
    let shared = Arc::new(Shared {
        storage: storage.clone(),
        paths,
        clock: Clock::default(),
        versions: Mutex::default(),
        start: Barrier::new(tasks),
    });
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (random, actor) = (random.fork(), Actor::new(task, shared.clone()));
        running.spawn(async move {
            actor.shared.start.wait().await;
            actor.play(random, OPERATIONS).await
        });
    }
    let mut history = Vec::new();
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(events) => history.extend(events?),
            Err(panic) => return Err(Failure::new("ERR-1", "no call to panic", panic).into()),
        }
    }
    history.sort_by_key(|event: &Event| event.begun);
    Ok(history)
}

/// Plays one task of a history by itself, where the others are played elsewhere by the same clock. A version is known only
/// to who has seen it.
pub(crate) async fn play_alone(
    storage: &Storage,
    paths: [StoragePath; 2],
    task: usize,
    seed: u64,
    clock: Clock,
) -> Verdict<Vec<Event>> {
    let (storage, versions, start) = (storage.clone(), Mutex::default(), Barrier::new(1));
    let shared = Arc::new(Shared { storage, paths, clock, versions, start });
    Actor::new(task, shared).play(fastrand::Rng::with_seed(seed), OPERATIONS_ALONE).await
}

/// What the times of a history are told by.
#[derive(Debug)]
pub(crate) enum Clock {
    /// A number for each moment, within one process.
    Counter(AtomicU64),
    /// The monotonic clock that all processes of a machine share.
    Machine,
}

impl Default for Clock {
    fn default() -> Self {
        Self::Counter(AtomicU64::new(0))
    }
}

impl Clock {
    fn begun(&self) -> u64 {
        match self {
            Self::Counter(next) => next.fetch_add(1, Ordering::SeqCst),
            Self::Machine => 2 * monotonic_nanoseconds(),
        }
    }

    /// Of what begins and what is answered at one moment, nothing says that the answer came first.
    fn answered(&self) -> u64 {
        match self {
            Self::Counter(next) => next.fetch_add(1, Ordering::SeqCst),
            Self::Machine => 2 * monotonic_nanoseconds() + 1,
        }
    }
}

fn monotonic_nanoseconds() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // It counts from the start of the machine, and 64 bits of nanoseconds are centuries.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

struct Shared {
    storage: Storage,
    paths: [StoragePath; 2],
    clock: Clock,
    /// The version that each content was seen to have.
    versions: Mutex<Vec<(Place, Content, Version)>>,
    start: Barrier,
}

impl Shared {
    fn path(&self, place: Place) -> &StoragePath {
        &self.paths[place.index()]
    }

    fn version(&self, place: Place, content: Content) -> Option<Version> {
        let versions = self.versions.lock();
        versions.iter().find(|(p, c, _)| (*p, *c) == (place, content)).map(|(_, _, version)| version.clone())
    }

    fn saw(&self, place: Place, content: Content, info: &FileInfo) {
        if let Some(version) = &info.version {
            self.versions.lock().push((place, content, version.clone()));
        }
    }
}

/// One task of a history.
struct Actor {
    task: usize,
    shared: Arc<Shared>,
    /// The content that this task saw last at each path.
    known: [Option<Content>; 2],
    events: Vec<Event>,
}

impl Actor {
    fn new(task: usize, shared: Arc<Shared>) -> Self {
        Self { task, shared, known: [None; 2], events: Vec::new() }
    }

    /// Makes a few drawn operations one after the other.
    async fn play(mut self, mut random: fastrand::Rng, operations: RangeInclusive<usize>) -> Verdict<Vec<Event>> {
        for number in 0..random.usize(operations) {
            self.act(&mut random, number as u64).await?;
        }
        Ok(self.events)
    }

    async fn act(&mut self, random: &mut fastrand::Rng, number: u64) -> Verdict {
        let write = self.task as u64 * 100 + number + 1;
        let content = Content { write, size: SIZES[random.usize(..SIZES.len())] };
        let operation = self.draw(random, content);
        let writer = self.prepare(operation).await?;
        if random.bool() {
            tokio::task::yield_now().await;
        }
        // Some changes are cancelled under way: what they do may then take effect late, or never.
        let (cancellable, token) = Context::background().with_cancellation();
        let cancels = !operation.is_read() && random.u8(..10) == 0;
        let (context, pauses) = if cancels { (cancellable, random.u8(..4)) } else { (Context::background(), 0) };
        let cancel = async {
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
            token.cancel();
        };
        let begun = self.shared.clock.begun();
        let (answer, ()) = tokio::join!(self.make(&context, operation, writer), cancel);
        let answered = self.shared.clock.answered();
        if let Some(outcome) = self.outcome(operation, answer)? {
            self.events.push(Event { task: self.task, operation, outcome, begun, answered });
        }
        Ok(())
    }

    fn draw(&self, random: &mut fastrand::Rng, content: Content) -> Operation {
        let capabilities = self.shared.storage.capabilities();
        let place = Place::ALL[usize::from(random.u8(..4) == 0)];
        let if_match = self.known[place.index()].filter(|known| self.shared.version(place, *known).is_some());
        match random.u8(..20) {
            0..=5 => Operation::Get(place),
            6..=7 => Operation::Stat(place),
            8..=13 => {
                let by = if random.u8(..3) == 0 { By::Commit } else { By::Put };
                let conditions = if by == By::Commit { capabilities.commit } else { capabilities.put };
                let when = match (random.u8(..4), if_match) {
                    (0, _) if conditions.if_absent => When::Absent,
                    (1, Some(known)) if conditions.if_match => When::Is(known),
                    _ => When::Always,
                };
                Operation::Publish { place, content, when, by }
            }
            14..=16 => {
                let if_match = if_match.filter(|_| capabilities.delete_if_match && random.bool());
                Operation::Delete { place, when: if_match.map_or(When::Always, When::Is) }
            }
            _ if capabilities.declares("atomic_move") == Some(true) => {
                let from = Place::ALL[usize::from(random.bool())];
                let to = if from == Place::A { Place::B } else { Place::A };
                Operation::Move { from, to }
            }
            _ => Operation::Get(place),
        }
    }

    /// Writes what a commit is to publish.
    async fn prepare(&self, operation: Operation) -> Result<Option<Writer>, Error> {
        let Operation::Publish { place, content, by: By::Commit, .. } = operation else { return Ok(None) };
        let context = Context::background();
        let path = self.shared.path(place);
        let mut writer = self.shared.storage.writer(&context, path, WriteOptions::default()).await?;
        writer.write(&context, content.bytes()).await?;
        Ok(Some(writer))
    }

    async fn make(&self, context: &Context, operation: Operation, writer: Option<Writer>) -> Result<Answer, Error> {
        let storage = &self.shared.storage;
        Ok(match operation {
            Operation::Get(place) => {
                let (info, bytes) = storage.get(context, self.shared.path(place), GetOptions::default()).await?;
                Answer::Read(info, bytes)
            }
            Operation::Stat(place) => Answer::Told(storage.stat(context, self.shared.path(place)).await?),
            Operation::Publish { place, content, when, .. } => {
                let condition = self.condition(place, when);
                Answer::Published(match writer {
                    Some(writer) => writer.commit(context, CommitOptions::default().with_condition(condition)).await?,
                    None => {
                        let options = PutOptions::default().with_condition(condition);
                        storage.put(context, self.shared.path(place), content.bytes(), options).await?
                    }
                })
            }
            Operation::Delete { place, when } => {
                let mut options = DeleteOptions::default();
                if let Condition::IfMatch(version) = self.condition(place, when) {
                    options.if_match = Some(version);
                }
                storage.delete(context, self.shared.path(place), options).await.map(|()| Answer::Done)?
            }
            Operation::Move { from, to } => {
                let (from, to) = (self.shared.path(from), self.shared.path(to));
                storage.move_to(context, from, to).await.map(|()| Answer::Done)?
            }
        })
    }

    fn condition(&self, place: Place, when: When) -> Condition {
        match when {
            When::Always => Condition::None,
            When::Absent => Condition::IfAbsent,
            When::Is(content) => self.shared.version(place, content).map_or(Condition::None, Condition::IfMatch),
        }
    }

    /// What the answer says of the paths; none where it says nothing and the call did nothing. Torn bytes, and errors that
    /// no order explains, fail here.
    fn outcome(&mut self, operation: Operation, answer: Result<Answer, Error>) -> Verdict<Option<Outcome>> {
        match (operation, answer) {
            (_, Err(error)) => self.refused(operation, &error),
            (Operation::Get(place), Ok(Answer::Read(info, bytes))) => {
                let Some(content) = Content::identify(&bytes) else {
                    return Err(torn(self.shared.path(place), &bytes));
                };
                self.saw(place, content, &info);
                Ok(Some(Outcome::Content(content)))
            }
            (Operation::Publish { place, content, .. }, Ok(Answer::Published(info))) => {
                self.saw(place, content, &info);
                Ok(Some(Outcome::Done))
            }
            (Operation::Stat(_), Ok(Answer::Told(Entry::File(info)))) => Ok(Some(Outcome::Size(info.size))),
            (Operation::Stat(place), Ok(_)) => {
                let found = format!("a directory at {}", self.shared.path(place));
                Err(Failure::new("STAT-2", "a file, or nothing", found).into())
            }
            (_, Ok(_)) => Ok(Some(Outcome::Done)),
        }
    }

    fn refused(&self, operation: Operation, error: &Error) -> Verdict<Option<Outcome>> {
        if error.retry() == Retry::MaybeApplied {
            return Ok((!operation.is_read()).then_some(Outcome::Unknown));
        }
        let unconditional_commit = matches!(operation, Operation::Publish { when: When::Always, by: By::Commit, .. });
        match error.kind() {
            // Nothing happened, and the call says so.
            ErrorKind::Cancelled | ErrorKind::DeadlineExceeded | ErrorKind::Unavailable => Ok(None),
            // Another writer at the path may have ended the session (WRITE-13).
            ErrorKind::Conflict if unconditional_commit => Ok(None),
            ErrorKind::NotFound => Ok(Some(Outcome::NotFound)),
            ErrorKind::AlreadyExists => Ok(Some(Outcome::AlreadyExists)),
            ErrorKind::Conflict => Ok(Some(Outcome::Conflict)),
            _ => {
                let expected = format!("an answer to {operation} that other calls at the same time explain");
                Err(Failure::new("CONC-1", expected, describe(error)).into())
            }
        }
    }

    fn saw(&mut self, place: Place, content: Content, info: &FileInfo) {
        self.known[place.index()] = Some(content);
        self.shared.saw(place, content, info);
    }
}

/// What a call answers when it succeeds.
enum Answer {
    Done,
    Read(FileInfo, Bytes),
    Told(Entry),
    Published(FileInfo),
}

fn torn(path: &StoragePath, bytes: &[u8]) -> Stop {
    let found = explain(bytes, 0, &[]);
    Failure::new("PUT-1", format!("the whole bytes of one write at {path}"), found).into()
}
