//! Kill drill: a child process works on a real directory and is killed by SIGKILL, again and again. It tells its parent
//! before each step that it begins, and after it that it is done. After each kill the parent opens the store: what was done
//! is there, the step under way has happened or not, and a sweep leaves nothing behind (DUR-1, WRITE-15, MOVE-10).
//!
//! Most kills are placed: the child stops before a system call of a given phase and waits for its end. The others come at
//! random moments, also in the middle of a system call.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use driver_filesystem::{FilesystemDriver, FilesystemOptions};
use fastrand::Rng;

use crate::inspection::{compare, exercise, finish_sessions};
use crate::refusing::{Call, Refusing};
use crate::settings;
use crate::step::{Step, perform};
use crate::world::{Expectation, PATHS, World};

/// Tells a test process that it is the child, and where the store is.
const CHILD_ROOT: &str = "DRILL_CHILD_ROOT";
/// Tells the child to call each step done before it has begun.
const CHILD_BOASTS: &str = "DRILL_CHILD_BOASTS";
/// Kills placed in each phase, and at random moments.
const KILLS: usize = 30;
/// Kills that one store lives through.
const KILLS_PER_STORE: usize = 30;
const STEPS_PER_CHILD: usize = 12;

/// What the child is about to do when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Creating and writing a file that is not published.
    Staging,
    /// Syncing a file.
    Sync,
    /// Making the directories of a new name, and renaming.
    Rename,
    /// Syncing a directory.
    DirectorySync,
    /// Any change of a move.
    Move,
    /// Any change of a delete.
    Delete,
}

const PHASES: [Phase; 6] =
    [Phase::Staging, Phase::Sync, Phase::Rename, Phase::DirectorySync, Phase::Move, Phase::Delete];

impl Phase {
    fn of(step: &Step, call: Call) -> Option<Self> {
        let phase = match call {
            Call::CreateFile | Call::WriteAt => Self::Staging,
            Call::SyncFile => Self::Sync,
            Call::MakeDirectory | Call::Rename | Call::RenameNoreplace => Self::Rename,
            Call::SyncDirectory => Self::DirectorySync,
            Call::RemoveFile => Self::Delete,
            _ => return None,
        };
        match step {
            Step::Move { .. } => Some(Self::Move),
            Step::Delete { .. } | Step::DeleteTree { .. } => Some(Self::Delete),
            _ => (phase != Self::Delete).then_some(phase),
        }
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        PHASES.into_iter().find(|phase| format!("{phase:?}") == text).ok_or_else(|| text.to_owned())
    }
}

/// When the child is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Before the call of this number in the phase.
    Before(Phase, usize),
    /// So long after its first step began.
    After(Duration),
}

/// A store that outlives its processes.
struct Survivor {
    directory: tempfile::TempDir,
    world: World,
    writes: u64,
    kills: usize,
    children_boast: bool,
}

#[test]
fn a_kill_leaves_old_or_new_and_all_that_was_acknowledged() {
    let mut rng = Rng::with_seed(settings::seed());
    let mut survivor = Survivor::new();
    let mut kills: BTreeMap<String, usize> = BTreeMap::new();
    let kinds = PHASES.map(Some).into_iter().chain([None]);
    let each = if settings::is_full() { 10 * KILLS } else { KILLS };
    let mut planned: Vec<Option<Phase>> = kinds.flat_map(|kind| std::iter::repeat_n(kind, each)).collect();
    rng.shuffle(&mut planned);
    while let Some(kind) = planned.pop() {
        let moment = match kind {
            Some(phase) => Moment::Before(phase, rng.usize(..8)),
            None => Moment::After(Duration::from_micros(rng.u64(..20_000))),
        };
        if survivor.kill(&mut rng, moment).unwrap_or_else(|problem| panic!("{problem}")) {
            *kills.entry(kind.map_or("at random".to_owned(), |phase| format!("{phase:?}"))).or_default() += 1;
        } else {
            // The child had done all its steps before.
            planned.push(kind);
        }
        if survivor.kills == KILLS_PER_STORE {
            survivor.finish();
            survivor = Survivor::new();
        }
    }
    survivor.finish();
    println!("{} kills: {kills:?}", kills.values().sum::<usize>());
    assert!(kills.values().all(|count| *count >= 20) && kills.values().sum::<usize>() >= 200, "{kills:?}");
}

/// A drill that believes these would believe anything.
#[test]
fn the_drill_sees_what_was_acknowledged_too_early() {
    let mut rng = Rng::with_seed(settings::seed());
    for phase in PHASES {
        let mut survivor = Survivor { children_boast: true, ..Survivor::new() };
        let found = (0..100).find_map(|_| survivor.kill(&mut rng, Moment::Before(phase, 0)).err());
        assert!(found.is_some(), "100 kills in {phase:?}, and all that was called done was there");
    }
}

impl Survivor {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, world: World::default(), writes: 0, kills: 0, children_boast: false }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// Lets a child work, kills it, and looks at what it left; false where the child was done before.
    fn kill(&mut self, rng: &mut Rng, moment: Moment) -> Result<bool, String> {
        let steps = self.next_steps(rng);
        let end = self.child(moment, &steps).work(moment);
        let mut world = self.world.clone();
        for step in &steps[..end.done] {
            world = world.after(step);
        }
        let expectation = match steps.get(end.done) {
            Some(step) if end.begun > end.done => Expectation::during(&world, step),
            _ => Expectation::settled(&world),
        };
        self.world = self.look(&expectation).map_err(|problem| {
            let told: Vec<String> = steps[..end.begun].iter().map(Step::to_string).collect();
            format!("killed {moment:?}, {} of these done: {}: {problem}", end.done, told.join("; "))
        })?;
        self.kills += usize::from(end.killed);
        Ok(end.killed)
    }

    fn next_steps(&mut self, rng: &mut Rng) -> Vec<Step> {
        let mut world = self.world.clone();
        let mut steps = Vec::new();
        for _ in 0..STEPS_PER_CHILD {
            self.writes += 1;
            let step = world.random_step(rng, self.writes, &PATHS);
            world = world.after(&step);
            steps.push(step);
        }
        steps
    }

    fn child(&self, moment: Moment, steps: &[Step]) -> Worker {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "kill_drill::the_child", "--ignored", "--nocapture"]).env(CHILD_ROOT, self.root());
        if self.children_boast {
            command.env(CHILD_BOASTS, "");
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let place = match moment {
            Moment::Before(phase, call) => format!("{phase:?} {call}"),
            Moment::After(_) => format!("{:?} {}", Phase::Staging, usize::MAX),
        };
        let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
        write!(stdin, "{place}\n{}\n\n", steps.join("\n")).unwrap();
        Worker { process, _stdin: stdin }
    }

    fn look(&self, expectation: &Expectation) -> Result<World, String> {
        let driver = FilesystemDriver::new(FilesystemOptions::new(self.root())).unwrap();
        settings::runtime().block_on(async {
            let observed = compare(&driver, expectation).await?;
            exercise(&driver, || names_below(&self.root()), &observed).await?;
            Ok(expectation.resolve(&observed))
        })
    }

    /// Publishes what is still kept.
    fn finish(&self) {
        let expectation = Expectation::settled(&self.world);
        let driver = FilesystemDriver::new(FilesystemOptions::new(self.root())).unwrap();
        let finished = settings::runtime().block_on(async {
            let observed = compare(&driver, &expectation).await?;
            finish_sessions(&driver, &observed, &expectation).await
        });
        finished.unwrap_or_else(|problem| panic!("after {} kills: {problem}", self.kills));
    }
}

/// Every name below a directory, and whether it is a directory.
fn names_below(root: &Path) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push((name, path.is_dir()));
            if path.is_dir() {
                pending.push(path);
            }
        }
    }
    found
}

/// A child, seen from its parent.
struct Worker {
    process: Child,
    /// While this is open, a child that has stopped waits.
    _stdin: ChildStdin,
}

/// How far a child came.
struct Ended {
    begun: usize,
    done: usize,
    killed: bool,
}

impl Worker {
    fn work(mut self, moment: Moment) -> Ended {
        let lines = BufReader::new(self.process.stdout.take().unwrap()).lines();
        let (mut begun, mut done) = (0, 0);
        for line in lines.map_while(Result::ok) {
            match (line.as_str(), moment) {
                ("drill: begin", Moment::After(delay)) if begun == 0 => {
                    begun += 1;
                    thread::sleep(delay);
                    self.process.kill().unwrap();
                }
                ("drill: begin", _) => begun += 1,
                ("drill: done", _) => done += 1,
                ("drill: stopped", _) => self.process.kill().unwrap(),
                _ => {}
            }
        }
        let status: ExitStatus = self.process.wait().unwrap();
        assert!(status.success() || status.signal() == Some(9), "the child failed: {status}");
        Ended { begun, done, killed: !status.success() }
    }
}

/// Runs where the drill starts it, and does nothing elsewhere.
#[test]
#[ignore = "the process that the kill drill kills"]
fn the_child() {
    let Some(root) = env::var_os(CHILD_ROOT) else { return };
    // What the test runner wrote so far is no line yet.
    println!();
    let mut lines = io::stdin().lines().map(Result::unwrap);
    let place = lines.next().unwrap();
    let (phase, call) = place.split_once(' ').unwrap();
    let (phase, call): (Phase, usize) = (phase.parse().unwrap(), call.parse().unwrap());
    let steps: Vec<Step> = lines.take_while(|line| !line.is_empty()).map(|line| line.parse().unwrap()).collect();

    let under_way: Arc<Mutex<Option<Step>>> = Arc::default();
    let (current, calls) = (Arc::clone(&under_way), AtomicUsize::new(0));
    let system_calls = Refusing::new(move |found, _| {
        let step = current.lock().unwrap().clone();
        let here = step.and_then(|step| Phase::of(&step, found)) == Some(phase);
        if here && calls.fetch_add(1, Ordering::Relaxed) == call {
            println!("drill: stopped");
            // Until the kill; or until the parent is gone.
            let _ = io::stdin().read_to_end(&mut Vec::new());
        }
        None
    });
    let driver = FilesystemDriver::with_system_calls(FilesystemOptions::new(root), system_calls).unwrap();
    let runtime = settings::runtime();
    let boasts = env::var_os(CHILD_BOASTS).is_some();
    for step in steps {
        *under_way.lock().unwrap() = Some(step.clone());
        println!("drill: begin");
        if boasts {
            println!("drill: done");
        }
        runtime.block_on(perform(&driver, &step)).unwrap_or_else(|error| panic!("{step}: {error}"));
        if !boasts {
            println!("drill: done");
        }
    }
}
