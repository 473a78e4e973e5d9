//! `blobstore conformance`

use std::process::ExitCode;

use clap::Args;
use conformance::{Check, CheckResult, Instance, Location, Options, Outcome, Progress, Target};
use driver_api::{Error, Storage};
use driver_filesystem::{FilesystemDriver, FilesystemOptions};
use driver_inmemory::MemoryDriver;
use indicatif::{ProgressBar, ProgressStyle};

use crate::backend::Selection;
use crate::exit::Result;

/// Decide, clause by clause, whether drivers keep the contract
///
/// Without a backend, both embedded drivers are tested, the filesystem's in a temporary directory. In a backend, the suite works
/// in a directory of its own, removes it at the end, and touches nothing else.
///
/// With --drills KIND, drills are run instead of the suite: calls that fail, processes that are killed, several processes on one
/// store, a store that grows.
///
/// Ends with 0 where every MUST holds, with 1 where one is broken, with 2 where the suite could not run.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    backend: Selection,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let targets = match arguments.backend.open().await? {
        Some(storage) => vec![existing(storage, arguments.backend)?],
        None => embedded(),
    };
    Ok(conformance::execute(&targets, &arguments.options, &Bar::new()).await)
}

/// The backend that was chosen, which the suite shares with whatever else is in it.
fn existing(storage: Storage, selection: Selection) -> Result<Target> {
    let is_shared = storage.capabilities().shared;
    let target = Target::shared(storage)?.selected_by(selection.as_arguments());
    if !is_shared {
        // Another driver value would have a store of its own.
        return Ok(target);
    }
    Ok(target.with_reopen(move || {
        let selection = selection.clone();
        async move { selection.open_again().await }
    }))
}

/// The drivers that need nothing to run.
fn embedded() -> Vec<Target> {
    vec![
        Target::fallible("filesystem", async || driver_filesystem::conformance::instance())
            .with_locations(directory, async |root| {
                Ok(Storage::new(FilesystemDriver::new(FilesystemOptions::new(root))?))
            }),
        Target::new("inmemory", async || {
            let driver = MemoryDriver::default();
            Instance::new(driver.clone()).with_reopen(move || driver.clone())
        }),
    ]
}

/// A directory that other processes can open, and that goes with the drill.
fn directory() -> std::io::Result<Location> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("root");
    Ok(Location::new(root.to_string_lossy()).keeping(directory))
}

/// A bar on standard error; hidden where that is no terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}");
        Self(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }
}

impl Progress for Bar {
    fn planned(&self, runs: usize) {
        self.0.inc_length(runs as u64);
    }

    fn began(&self, target: &Target, check: &Check) {
        self.0.set_message(format!("{}: {}", target.name(), check.name));
    }

    fn ended(&self, target: &Target, result: &CheckResult) {
        self.0.inc(1);
        if let Outcome::Failed { failure, .. } = &result.outcome {
            let line = format!("{}: {} failed ({})", target.name(), result.check, failure.clauses.join(", "));
            if self.0.is_hidden() {
                eprintln!("{line}");
            } else {
                self.0.println(line);
            }
        }
    }

    fn left_behind(&self, target: &Target, error: &Error) {
        eprintln!("{}: what the run put there could not be removed: {error}", target.name());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
