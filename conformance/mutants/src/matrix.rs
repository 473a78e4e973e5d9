//! All mutants by all checks: which fails on which, and what would live if a check were not there.

use std::fmt;

use conformance::Check;

use crate::{BEFORE_ANY_DRIVER, Trial};

/// What the checks said of the mutants.
#[derive(Debug)]
pub struct Matrix(Vec<Trial>);

impl Matrix {
    /// The matrix of these trials.
    pub fn new(trials: Vec<Trial>) -> Self {
        Self(trials)
    }

    /// The trials, a row each.
    pub fn trials(&self) -> &[Trial] {
        &self.0
    }

    /// The mutants that the suite, or their drill, did not report by the clause that they break.
    pub fn missed(&self) -> impl Iterator<Item = &Trial> {
        self.0.iter().filter(|trial| !trial.is_caught())
    }

    /// The mutants on which `check` fails.
    pub fn caught_by(&self, check: &Check) -> impl Iterator<Item = &Trial> {
        self.0.iter().filter(|trial| trial.failures.contains_key(check.name))
    }

    /// The mutants on which `check` fails and no other: those that would live without it.
    pub fn caught_by_it_alone(&self, check: &Check) -> impl Iterator<Item = &Trial> {
        self.caught_by(check).filter(|trial| trial.failures.len() == 1)
    }

    /// The checks of the suite without which every mutant would still be caught, but for those that look at what is done
    /// before a driver is called.
    pub fn dispensable(&self) -> impl Iterator<Item = &'static Check> {
        conformance::checks().iter().filter(|check| {
            let before = BEFORE_ANY_DRIVER.iter().any(|(name, _)| *name == check.name);
            !before && self.caught_by_it_alone(check).next().is_none()
        })
    }
}

/// A row for each mutant, a column for each check of the suite, `#` where the check failed on the mutant; then the checks, with
/// how many mutants each fails on, and how many it fails on alone.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks = conformance::checks();
        let width = self.0.iter().map(|trial| trial.mutant.id.len()).max().unwrap_or(0);
        for trial in &self.0 {
            let row: String =
                checks.iter().map(|check| if trial.failures.contains_key(check.name) { '#' } else { '.' }).collect();
            let mark = if trial.is_caught() { "caught" } else { "MISSED" };
            writeln!(f, "{:<width$}  {mark}  {:<9} {row}", trial.mutant.id, trial.mutant.primary)?;
        }
        writeln!(f, "\nThe columns, with how many mutants each check fails on, and on how many alone:")?;
        for (column, check) in checks.iter().enumerate() {
            let (all, alone) = (self.caught_by(check).count(), self.caught_by_it_alone(check).count());
            writeln!(f, "{:4}  {all:4}  {alone:4}  {}", column + 1, check.name)?;
        }
        let caught = self.0.len() - self.missed().count();
        writeln!(f, "\n{caught} of {} mutants are caught by the clause that they break", self.0.len())
    }
}
