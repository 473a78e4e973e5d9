//! Other processes that take part in a drill: this program once more, which is given orders line by line.

mod child;

use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub(super) use self::child::say;
pub use self::child::take_part;
use super::Entries;
use super::workload::{Step, Workload, World};
use crate::case::Case;
use crate::check::{Failure, Stop, Verdict};
use crate::clause::clause;
use crate::growth::Growth;
use crate::history::Event;
use crate::location::Location;

/// Tells a process that it takes part in a drill, and in which store.
const ASSIGNMENT: &str = "CONFORMANCE_PROCESS";
/// Tells the lines of the drill from whatever else a program writes.
const MARK: &str = "conformance: ";

/// What drills need beside a store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Equipment {
    pub(crate) entries: Entries,
    reexecution: Option<Reexecution>,
    growth: Arc<Mutex<Vec<Growth>>>,
}

impl Equipment {
    pub(crate) fn new(entries: Entries, reexecution: Option<Reexecution>) -> Self {
        Self { entries, reexecution, growth: Arc::default() }
    }

    /// Notes what was measured, for the report.
    pub(crate) fn measure(&self, growth: Vec<Growth>) {
        *self.growth.lock() = growth;
    }

    /// What was measured.
    pub(crate) fn measured(&self) -> Vec<Growth> {
        self.growth.lock().clone()
    }
}

/// How a program is run once more, to take part in a drill: it makes the same targets and calls [`take_part`], as
/// [`main`](crate::main) and [`execute`](crate::execute) do by themselves.
#[derive(Debug, Clone)]
pub struct Reexecution {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Reexecution {
    /// This very program with these arguments.
    pub fn with_arguments(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> io::Result<Self> {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Ok(Self { program: std::env::current_exe()?, arguments })
    }

    /// This very program with the arguments that it was given.
    pub fn of_this_program() -> io::Result<Self> {
        Self::with_arguments(std::env::args_os().skip(1))
    }
}

/// Which store a process works in.
#[derive(Debug, Serialize, Deserialize)]
struct Assignment {
    target: String,
    location: String,
}

/// What a process is to do next.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// To change the store until it is killed, in each of the directories side by side.
    Work { workload: Workload, directories: Vec<(String, World)>, seed: u64, first_write: u64 },
    /// To play one task of a history on two paths.
    Play { paths: [String; 2], task: usize, seed: u64 },
    /// To put each of so many files, if absent.
    Race { directory: String, files: usize, process: u64 },
    /// To continue a session with these bytes of a write, and then keep it, or publish it.
    Carry { path: String, write: u64, range: Range<u64>, publish: bool },
    /// To tell the files of a directory with the write that each is of.
    Tell { directory: String },
}

/// What a process answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Begun {
        directory: usize,
        step: Step,
    },
    Done {
        directory: usize,
    },
    Played(Vec<Event>),
    /// The numbers of the files that it made.
    Won(Vec<usize>),
    /// How many bytes the session has.
    Carried(u64),
    Told(Vec<(String, Option<u64>)>),
    Failed {
        clauses: Vec<String>,
        expected: String,
        found: String,
        evidence: Option<String>,
    },
}

/// A store that other processes can open, and those that have.
pub(super) struct Site<'a> {
    case: &'a Case,
    reexecution: &'a Reexecution,
    location: Location,
}

impl<'a> Site<'a> {
    /// An empty store; the check is skipped where the target has none that other processes can open.
    pub(super) fn new(case: &'a Case) -> Verdict<Self> {
        let skipped = |reason: &str| Stop::Skipped(reason.to_owned());
        let location = case.target().location();
        let location = location.ok_or_else(|| skipped("the target has no store that another process can open"))??;
        let reexecution = case.equipment().reexecution.as_ref();
        let reexecution = reexecution.ok_or_else(|| skipped("this program cannot be run once more"))?;
        Ok(Self { case, reexecution, location })
    }

    /// The store, by a driver value of this process's own.
    pub(super) async fn open(&self) -> Verdict<driver_api::Storage> {
        Ok(self.case.target().open(self.location.name()).await?)
    }

    /// Starts a process that works in the store.
    pub(super) fn start(&self) -> Verdict<Process> {
        let assignment =
            Assignment { target: self.case.target().name().to_owned(), location: self.location.name().to_owned() };
        let started = serde_json::to_string(&assignment).map_err(io::Error::from).and_then(|assignment| {
            let mut command = Command::new(&self.reexecution.program);
            command.args(&self.reexecution.arguments).env(ASSIGNMENT, assignment);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            // An interrupt is for the run, which ends its processes itself.
            #[cfg(unix)]
            command.process_group(0);
            command.spawn()
        });
        let mut child = started.map_err(|error| broken("no process could be started", &error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Stop::Skipped("a process has no input and output".to_owned()));
        };
        Ok(Process { child, input, output: BufReader::new(output).lines() })
    }
}

/// A process that takes part; killed when this is dropped.
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(super) async fn order(&mut self, order: &Order) -> Verdict {
        let sent = async {
            let line = serde_json::to_string(order)?;
            self.input.write_all(format!("{line}\n").as_bytes()).await
        };
        sent.await.map_err(|error: io::Error| broken("a process takes no orders", &error))
    }

    /// What it answers next. What failed there fails here.
    pub(super) async fn reply(&mut self) -> Verdict<Reply> {
        match self.next_reply().await? {
            Some(reply) => Ok(reply),
            None => {
                let ended = self.child.wait().await;
                let found = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(Failure::new("ERR-1", "a process that uses the driver to go on", format!("its end: {found}"))
                    .into())
            }
        }
    }

    /// What it answers next; none where its output has ended.
    async fn next_reply(&mut self) -> Verdict<Option<Reply>> {
        loop {
            let line = self.output.next_line().await.map_err(|error| broken("a process is not heard", &error))?;
            let Some(line) = line else { return Ok(None) };
            let Some(text) = line.strip_prefix(MARK) else { continue };
            return match serde_json::from_str(text) {
                Ok(Reply::Failed { clauses, expected, found, evidence }) => {
                    let clauses = clauses.iter().filter_map(|id| clause(id)).map(|clause| clause.id).collect();
                    Err(Failure { clauses, expected, found, evidence }.into())
                }
                Ok(reply) => Ok(Some(reply)),
                Err(error) => Err(broken("a process is not understood", &error.into())),
            };
        }
    }

    /// Kills it (SIGKILL), and passes on what it had said until then.
    pub(super) async fn kill(mut self, mut hear: impl FnMut(Reply)) -> Verdict {
        self.child.kill().await.map_err(|error| broken("a process could not be killed", &error))?;
        while let Some(reply) = self.next_reply().await? {
            hear(reply);
        }
        Ok(())
    }
}

/// The drill could not go on, and that says nothing about the driver.
fn broken(what: &str, error: &io::Error) -> Stop {
    Stop::Skipped(format!("{what}: {error}"))
}
