//! The drill of the crash: a process changes a store and is killed (SIGKILL), again and again. It tells this process before each
//! change that it begins, and after it that the driver has acknowledged it. What was acknowledged is there when the store is
//! opened again; what was under way has happened or not, whole; and a kept session holds its bytes.

use std::collections::VecDeque;
use std::time::Duration;

use driver_api::{CommitOptions, Context, Error, Storage, StoragePath, WriteOptions};
use fastrand::Rng;
use futures_util::future::select_all;
use tokio::time::Instant;

use super::process::{Order, Reply, Site, say};
use super::workload::{Expectation, Found, Name, Step, Workload, World, look, perform};
use crate::audit::audit;
use crate::case::{Case, path};
use crate::check::{Failure, Stop, Verdict, describe};
use crate::expect::same_bytes;
use crate::target::Instance;

/// What was acknowledged counts against this clause where it is not there.
const ACKNOWLEDGED: &str = "DUR-1";
/// Directories in which a process works side by side.
const DIRECTORIES: [&str; 3] = ["/crash-0", "/crash-1", "/crash-2"];
/// The most steps that a process begins before it is killed.
const MOST_STEPS: u32 = 40;
/// Until the first step has been timed.
const FIRST_GUESS: Duration = Duration::from_millis(2);
/// How long what was under way has to come to its end.
const SETTLING: Duration = Duration::from_secs(5);
/// How many kills there are at least. One of the first two finds a driver that acknowledges 20 ms early (20 runs).
const KILLS: u32 = 10;
/// How many steps of a directory are told with a failure.
const TOLD_STEPS: usize = 12;
/// How far the numbers of the writes of two processes are apart.
const WRITES: u64 = 1_000_000;

/// Puts, commits, moves and deletes.
pub(crate) async fn files(case: &Case) -> Verdict {
    survive(case, Workload::Files { if_absent: case.capabilities().put.if_absent }).await
}

/// Sessions that are kept, continued and committed.
pub(crate) async fn sessions(case: &Case) -> Verdict {
    survive(case, Workload::Sessions).await
}

async fn survive(case: &Case, workload: Workload) -> Verdict {
    let site = Site::new(case)?;
    let shared = case.capabilities().declares("shared_sessions") == Some(true);
    let mut random = case.random();
    let mut survivors = DIRECTORIES.map(|directory| Survivor::new(path(directory)));
    let mut pace = FIRST_GUESS;
    for kill in case.rounds_at_least(KILLS, case.budget().kills) {
        let directories = survivors.iter().map(|survivor| (survivor.directory.to_string(), survivor.world)).collect();
        let first_write = 1 + u64::from(kill) * WRITES;
        let mut process = site.start()?;
        process.order(&Order::Work { workload, directories, seed: random.u64(..), first_write }).await?;
        let steps = random.u32(1..=MOST_STEPS);
        let mut begun = 0;
        let started = Instant::now();
        while begun < steps {
            let reply = process.reply().await.map_err(|stop| told_by_the_process(stop, &survivors))?;
            begun += u32::from(matches!(reply, Reply::Begun { .. }));
            note(&mut survivors, reply);
        }
        // Anywhere in the step that has begun, or a little behind it.
        if begun > 1 {
            pace = started.elapsed() / begun * DIRECTORIES.len() as u32;
        }
        tokio::time::sleep(pace.mul_f64(random.f64() * 1.5)).await;
        let killed = process.kill(|reply| note(&mut survivors, reply)).await;
        killed.map_err(|stop| told_by_the_process(stop, &survivors))?;

        let storage = site.open().await?;
        for survivor in &mut survivors {
            survivor.examine(&storage, shared, kill).await?;
        }
    }
    let storage = site.open().await?;
    for survivor in &survivors {
        survivor.finish(&storage).await?;
    }
    audit(&Instance::over(storage)).await
}

fn note(survivors: &mut [Survivor], reply: Reply) {
    match reply {
        Reply::Begun { directory, step } => {
            if let Some(survivor) = survivors.get_mut(directory) {
                survivor.under_way = Some(step);
            }
        }
        Reply::Done { directory } => {
            if let Some(survivor) = survivors.get_mut(directory)
                && let Some(step) = survivor.under_way.take()
            {
                survivor.world = survivor.world.after(&step);
                survivor.tell(step, "acknowledged");
            }
        }
        _ => {}
    }
}

/// What failed in the process itself, with what it had done in each directory.
fn told_by_the_process(stop: Stop, survivors: &[Survivor]) -> Stop {
    stop.led_to_by(|| {
        let told = survivors.iter().map(|survivor| {
            let under_way = survivor.under_way.map(|step| format!("\n  {step}: under way"));
            format!("in {}, before a kill:\n{}{}", survivor.directory, survivor.steps(), under_way.unwrap_or_default())
        });
        told.collect::<Vec<_>>().join("\n")
    })
}

/// A directory that outlives the processes that change it.
struct Survivor {
    directory: StoragePath,
    world: World,
    under_way: Option<Step>,
    /// The last steps, the oldest first.
    told: VecDeque<(Step, &'static str)>,
}

impl Survivor {
    fn new(directory: StoragePath) -> Self {
        Self { directory, world: World::default(), under_way: None, told: VecDeque::new() }
    }

    fn tell(&mut self, step: Step, how: &'static str) {
        if self.told.len() == TOLD_STEPS {
            self.told.pop_front();
        }
        self.told.push_back((step, how));
    }

    /// The last steps, one in a line.
    fn steps(&self) -> String {
        self.told.iter().map(|(step, how)| format!("  {step}: {how}")).collect::<Vec<_>>().join("\n")
    }

    /// Compares the directory with what it may hold, and goes on from what it holds.
    async fn examine(&mut self, storage: &Storage, shared: bool, kill: u32) -> Verdict {
        let expectation = match self.under_way.take() {
            Some(step) => {
                self.tell(step, "under way");
                Expectation::during(self.world, step)
            }
            None => Expectation::settled(self.world),
        };
        let found = self.come_to_rest(storage, shared).await?;
        self.world = expectation.judge(&found, ACKNOWLEDGED).map_err(|failure| self.told_with(failure, kill))?;
        Ok(())
    }

    /// Looks until two looks in a row see the same: what the killed process had sent to a server may still be carried out.
    async fn come_to_rest(&self, storage: &Storage, shared: bool) -> Verdict<Found> {
        let deadline = Instant::now() + SETTLING;
        let mut found = look(storage, &self.directory, shared).await?;
        loop {
            let again = look(storage, &self.directory, shared).await?;
            if again == found || Instant::now() >= deadline {
                return Ok(again);
            }
            found = again;
        }
    }

    fn told_with(&self, mut failure: Failure, kill: u32) -> Stop {
        for clause in &mut failure.clauses {
            if *clause == "MOVE-6" {
                // The same after a crash has a clause of its own.
                *clause = "MOVE-10";
            }
        }
        let evidence = format!("in {}, up to kill {}:\n{}", self.directory, kill + 1, self.steps());
        failure.with_evidence(evidence).into()
    }

    /// Publishes what is still kept, and looks at its bytes.
    async fn finish(&self, storage: &Storage) -> Verdict {
        let context = &Context::background();
        for name in Name::SESSIONS {
            let Some(content) = self.world.session(name) else { continue };
            let target = name.within(&self.directory);
            let writer = storage.writer(context, &target, WriteOptions::append()).await?;
            writer.commit(context, CommitOptions::default()).await?;
            let (_, bytes) = storage.get(context, &target, Default::default()).await?;
            same_bytes(
                "WRITE-15",
                &bytes,
                content,
                format_args!("the session kept at {target}, once it is committed,"),
            )?;
        }
        Ok(())
    }
}

/// The process's side: changes the store in all directories until it is killed, or cannot go on for the reason given.
pub(super) async fn work(
    storage: &Storage,
    workload: Workload,
    directories: Vec<(String, World)>,
    seed: u64,
    first_write: u64,
) -> Stop {
    let mut random = Rng::with_seed(seed);
    let tasks = directories.into_iter().enumerate().map(|(number, (directory, world))| {
        let task = Task { storage, workload, directory: number, world, next_write: first_write + number as u64 };
        Box::pin(task.run(directory, random.fork()))
    });
    select_all(tasks).await.0
}

struct Task<'a> {
    storage: &'a Storage,
    workload: Workload,
    directory: usize,
    world: World,
    next_write: u64,
}

impl Task<'_> {
    async fn run(mut self, within: String, mut random: Rng) -> Stop {
        let within = match StoragePath::parse(&within) {
            Ok(within) => within,
            Err(error) => return Error::from(error).into(),
        };
        loop {
            if let Err(stop) = self.step(&within, &mut random).await {
                return stop;
            }
        }
    }

    async fn step(&mut self, within: &StoragePath, random: &mut Rng) -> Verdict {
        let directory = self.directory;
        let step = self.world.draw(self.workload, random, self.next_write);
        self.next_write += DIRECTORIES.len() as u64;
        tell(Reply::Begun { directory, step })?;
        let refusal = self.world.refusal(&step);
        match perform(self.storage, within, &step).await {
            Err(error) if Some(error.kind()) == refusal => {}
            Err(error) => {
                return Err(Failure::new(step.clause(), format_args!("{step} to succeed"), describe(&error)).into());
            }
            Ok(()) => {}
        }
        tell(Reply::Done { directory })?;
        self.world = self.world.after(&step);
        Ok(())
    }
}

/// Who cannot be heard has nobody to work for.
fn tell(reply: Reply) -> Verdict {
    say(&reply).map_err(|error| Stop::Skipped(format!("nobody listens: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Content;

    #[test]
    fn what_fails_in_the_process_is_told_with_what_led_there() {
        let mut survivors = DIRECTORIES.map(|directory| Survivor::new(path(directory)));
        let put = Step::Put { name: Name::A, content: Content { write: 1, size: 16 }, if_absent: false };
        note(&mut survivors, Reply::Begun { directory: 1, step: put });
        note(&mut survivors, Reply::Done { directory: 1 });
        note(&mut survivors, Reply::Begun { directory: 1, step: Step::Delete { name: Name::A } });
        let failure = Failure::new("DEL-1", "delete the file a to succeed", "no such file");
        let Stop::Failed(failure) = told_by_the_process(failure.into(), &survivors) else { panic!("no failure") };
        let evidence = failure.evidence.unwrap();
        let told = evidence.split_once("in /crash-1").unwrap().1;
        let (acknowledged, under_way) = (told.find(&format!("{put}: acknowledged")), told.find("a: under way"));
        assert!(acknowledged.is_some() && acknowledged < under_way, "{evidence}");
    }
}
