//! The suite, or a drill, against one mutant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use conformance::{Drill, Entries, Failure, Options, Outcome, Profile, Target, TargetReport};
use driver_api::CancellationToken;

use crate::Mutant;

/// What the suite said of a mutant.
#[derive(Debug)]
pub struct Trial {
    /// The mutant.
    pub mutant: &'static Mutant,
    /// The checks that failed, with what each found.
    pub failures: BTreeMap<&'static str, Failure>,
    /// How long each check took.
    pub elapsed: BTreeMap<&'static str, Duration>,
}

impl Trial {
    fn new(mutant: &'static Mutant, report: Option<TargetReport>) -> Self {
        let results = report.map(|report| report.results).unwrap_or_default();
        let elapsed = results.iter().map(|result| (result.check, result.elapsed)).collect();
        let failed = results.into_iter().filter_map(|result| match result.outcome {
            Outcome::Failed { failure, .. } => Some((result.check, failure)),
            _ => None,
        });
        Self { mutant, failures: failed.collect(), elapsed }
    }

    /// The clauses that the suite reported as broken.
    pub fn clauses(&self) -> BTreeSet<&'static str> {
        self.failures.values().flat_map(|failure| failure.clauses.iter().copied()).collect()
    }

    /// Whether the suite failed and named the clause that the mutant breaks.
    pub fn is_caught(&self) -> bool {
        self.clauses().contains(self.mutant.primary)
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mutant { id, description, primary, .. } = self.mutant;
        let seconds = self.elapsed.values().sum::<Duration>().as_secs_f64();
        writeln!(f, "{id}: {description}")?;
        let found = if self.is_caught() { "is reported" } else { "is NOT reported" };
        writeln!(f, "  {primary} {found} ({} checks fail, {seconds:.1} s)", self.failures.len())?;
        for (check, failure) in &self.failures {
            writeln!(f, "  {check}: {}: {}", failure.clauses.join(", "), failure.found)?;
        }
        Ok(())
    }
}

/// Which checks are run against a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those that test a clause which the mutant lists.
    Listed,
    /// All.
    Whole,
}

/// Entries of the drill `scale`: enough for what looks at all of them to be ten times dearer at the end.
const ENTRIES: u32 = 6400;

/// Runs the suite, profile quick, or the drill that the mutant is for, against `mutant`.
async fn attempt(mutant: &'static Mutant, extent: Extent, seed: u64) -> Trial {
    let target = Target::new(mutant.id, || async { mutant.instance() });
    let mut options = Options::default();
    (options.profile, options.seed) = (Profile::Quick, Some(seed));
    options.drills.extend(mutant.drill);
    // Random checks end when their time is over: with many at once each would see little.
    options.jobs = NonZeroUsize::new(2);
    if mutant.drill == Some(Drill::Scale) {
        options.entries = Entries::new(ENTRIES).unwrap_or_default();
    }
    if extent == Extent::Listed {
        let all = conformance::checks().iter().chain(conformance::drill_checks());
        let checks: Vec<_> = all.filter(|check| Drill::of(check) == mutant.drill).collect();
        let is_tested = |clause: &&str| checks.iter().any(|check| check.clauses.contains(clause));
        options.only = mutant.clauses().filter(is_tested).map(str::to_owned).collect();
    }
    // A selection of clauses that the checks themselves name is no unknown one.
    let report = conformance::run(&[target], &options, &(), &CancellationToken::new()).await;
    Trial::new(mutant, report.ok().and_then(|report| report.targets.into_iter().next()))
}

/// Tries `mutants`, as many at a time as there are cores, each in a runtime of its own, so that what one leaves running is not
/// found by another's checks. The trials come in the order of the mutants.
pub fn try_on(mutants: impl IntoIterator<Item = &'static Mutant>, extent: Extent, seed: u64) -> io::Result<Vec<Trial>> {
    let waiting: Vec<_> = mutants.into_iter().enumerate().collect();
    let (waiting, trials) = (Mutex::new(waiting.into_iter()), Mutex::new(BTreeMap::new()));
    let work = || -> io::Result<()> {
        loop {
            let next = waiting.lock().map_or(None, |mut waiting| waiting.next());
            let Some((number, mutant)) = next else { return Ok(()) };
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
            let trial = runtime.block_on(attempt(mutant, extent, seed));
            runtime.shutdown_background();
            if let Ok(mut trials) = trials.lock() {
                trials.insert(number, trial);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok(trials.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect())
}
