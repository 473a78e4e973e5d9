//! The suite against one mutant, and the matrix of all mutants and checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::time::Duration;

use conformance::{Failure, Options, Outcome, Profile, Target, TargetReport};
use driver_api::{CancellationToken, Storage};

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
    fn new(mutant: &'static Mutant, report: TargetReport) -> Self {
        let elapsed = report.results.iter().map(|result| (result.check, result.elapsed)).collect();
        let failed = report.results.into_iter().filter_map(|result| match result.outcome {
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

/// Runs the suite, profile quick, against `mutant`.
pub async fn try_on(mutant: &'static Mutant, extent: Extent, seed: u64) -> Trial {
    let target = Target::new(mutant.id, || async { conformance::Instance::over(Storage::from_arc(mutant.driver())) });
    let mut options = Options::default();
    (options.profile, options.seed) = (Profile::Quick, Some(seed));
    if extent == Extent::Listed {
        options.only = mutant.clauses().map(str::to_owned).collect();
    }
    let report = conformance::run(&[target], &options, &(), &CancellationToken::new()).await;
    let report = report.ok().and_then(|report| report.targets.into_iter().next());
    match report {
        Some(report) => Trial::new(mutant, report),
        // Every clause that a mutant lists is one of the contract; a test sees to it.
        None => Trial { mutant, failures: BTreeMap::new(), elapsed: BTreeMap::new() },
    }
}

/// The mutants by the checks: a row for each mutant, a column for each check, `#` where the check failed on the mutant.
pub fn matrix(trials: &[Trial]) -> String {
    let checks: Vec<_> = conformance::checks().iter().map(|check| check.name).collect();
    let width = trials.iter().map(|trial| trial.mutant.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for trial in trials {
        let row: String =
            checks.iter().map(|check| if trial.failures.contains_key(check) { '#' } else { '.' }).collect();
        let mark = if trial.is_caught() { "caught" } else { "MISSED" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<width$}  {mark}  {:<9} {row}", trial.mutant.id, trial.mutant.primary);
    }
    let _ = writeln!(text, "\nThe columns, with how many mutants each check fails on:");
    for (column, check) in checks.iter().enumerate() {
        let count = trials.iter().filter(|trial| trial.failures.contains_key(check)).count();
        let _ = writeln!(text, "{:4}  {count:4}  {check}", column + 1);
    }
    let caught = trials.iter().filter(|trial| trial.is_caught()).count();
    let _ = writeln!(text, "\n{caught} of {} mutants are caught by the clause that they break", trials.len());
    text
}
