//! What a run found: check by check as it came, and clause by clause as it is read.

mod growth;
mod html;
mod junit;
mod markup;
mod mutants;
mod table;

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
pub(crate) use table::Failures;

pub use self::markup::without_repetitions;
use crate::check::{Check, Failure};
use crate::clause::{Clause, Level, clauses};
use crate::deviations::{Deviation, Deviations, Shows};
use crate::growth::Growth;

/// What a run found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The profile, for example `standard`.
    pub profile: String,
    /// The seed from which all was derived.
    pub seed: u64,
    /// How long it took.
    #[serde(serialize_with = "as_seconds", rename = "seconds")]
    pub elapsed: Duration,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// What came of each target.
    pub targets: Vec<TargetReport>,
}

/// What a run found of one target.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TargetReport {
    /// The target's name.
    pub name: String,
    /// The names of the capabilities that its driver declares.
    pub capabilities: Vec<&'static str>,
    /// The engine behind the driver with its version, where its known faults were given.
    pub engine: Option<String>,
    /// What came of each check that was run, in the order of the registry.
    pub results: Vec<CheckResult>,
    /// Known faults of the engine that this run looked for and did not see: their entries have to go.
    pub mended: Vec<Deviation>,
}

/// What came of one check.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// The check's name.
    pub check: &'static str,
    /// The clauses it tests.
    pub clauses: &'static [&'static str],
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How often it was run.
    pub runs: u64,
    /// How long that took.
    #[serde(serialize_with = "as_seconds", rename = "seconds")]
    pub elapsed: Duration,
    /// What it measured of a store that grows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<Growth>,
}

/// What came of a check.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The driver did all that the check makes one expect.
    Passed,
    /// It did not.
    Failed {
        /// How.
        failure: Failure,
        /// The command that runs this check again in the same way.
        repeat: String,
    },
    /// It did not, and that is a known fault of the engine behind it.
    Deviated {
        /// How.
        failure: Failure,
        /// The command that runs this check again in the same way.
        repeat: String,
        /// What is known.
        known: Deviation,
    },
    /// The driver does not declare a capability that the check is about.
    Unsupported {
        /// Which.
        capability: &'static str,
    },
    /// Something was missing that the check needs.
    Skipped {
        /// What.
        reason: String,
    },
}

/// What a run says about one clause and one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status<'a> {
    /// Every check of it passed.
    Passed,
    /// A check failed because of it.
    Failed,
    /// A check failed because of it, by a known fault of the engine.
    Deviates,
    /// The driver does not declare its capability, or one that each check of it needs.
    Unsupported,
    /// Ordinary calls cannot show it; this drill does.
    Drill(&'static str),
    /// It was not tested, for the reason given.
    Untested(&'a str),
}

impl Status<'_> {
    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Failed => "FAIL",
            Self::Deviates => "deviates",
            Self::Unsupported => "unsupported",
            Self::Drill(_) => "drill",
            Self::Untested(_) => "untested",
        }
    }
}

impl Report {
    /// Whether no target broke a MUST, other than by a known fault of its engine, and no fault that is said to be known is gone.
    pub fn conforms(&self) -> bool {
        self.targets.iter().all(|target| target.broken(Level::Must).next().is_none() && target.mended.is_empty())
    }

    /// Tells known faults of the engine behind the drivers from failures.
    pub fn explain(&mut self, known: &Deviations) {
        for target in &mut self.targets {
            target.explain(known);
        }
    }

    /// Writes `report.json`, `report.xml` (JUnit) and `report.html` into a directory, which is made where it is missing.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("report.json"), self.to_json()?)?;
        std::fs::write(directory.join("report.xml"), self.to_junit())?;
        std::fs::write(directory.join("report.html"), self.to_html())
    }

    /// All of it, as JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            #[serde(flatten)]
            report: &'a Report,
            matrix: Vec<Row<'a>>,
        }
        #[derive(Serialize)]
        struct Row<'a> {
            #[serde(flatten)]
            clause: &'static Clause,
            status: Vec<&'a str>,
        }
        let matrix =
            self.rows().map(|(clause, statuses)| Row { clause, status: statuses.iter().map(Status::word).collect() });
        serde_json::to_string_pretty(&Document { report: self, matrix: matrix.collect() })
    }

    /// Every clause with its status for each target; clauses that no selected check is about are left out.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Clause, Vec<Status<'_>>)> {
        let selected = |id| {
            let all = self.targets.iter().flat_map(|target| &target.results);
            self.is_complete() || all.into_iter().any(|result| result.clauses.contains(&id))
        };
        clauses()
            .iter()
            .filter(move |clause| selected(clause.id))
            .map(|clause| (clause, self.targets.iter().map(|target| target.status(clause)).collect()))
    }

    /// Whether every check was selected.
    fn is_complete(&self) -> bool {
        self.targets.iter().all(|target| target.results.len() == crate::checks().len())
    }
}

const NOT_SELECTED: &str = "no check of it was selected";

impl TargetReport {
    /// What the run says about `clause`.
    pub fn status(&self, clause: &Clause) -> Status<'_> {
        let is_declared = clause.capability.is_none_or(|name| self.capabilities.contains(&name));
        let mut status = match clause.drill {
            _ if !is_declared => Status::Unsupported,
            Some(drill) => Status::Drill(drill),
            None => Status::Untested(NOT_SELECTED),
        };
        for result in &self.results {
            match &result.outcome {
                Outcome::Failed { failure, .. } if failure.clauses.contains(&clause.id) => return Status::Failed,
                Outcome::Deviated { failure, .. } if failure.clauses.contains(&clause.id) => status = Status::Deviates,
                _ if status == Status::Deviates => {}
                _ if !result.clauses.contains(&clause.id) || !is_declared => {}
                Outcome::Passed => status = Status::Passed,
                _ if status == Status::Passed => {}
                Outcome::Failed { .. } | Outcome::Deviated { .. } => {
                    status = Status::Untested("its check failed because of another clause");
                }
                Outcome::Skipped { reason } => status = Status::Untested(reason),
                // All that would show it needs another capability.
                Outcome::Unsupported { .. } if matches!(status, Status::Drill(_) | Status::Untested(NOT_SELECTED)) => {
                    status = Status::Unsupported;
                }
                Outcome::Unsupported { .. } => {}
            }
        }
        status
    }

    /// The clauses of `level` that the target broke.
    pub fn broken(&self, level: Level) -> impl Iterator<Item = &'static Clause> {
        clauses().iter().filter(move |clause| clause.level == level && self.status(clause) == Status::Failed)
    }

    /// What failed: the result with its failure, and the command that repeats it.
    pub fn failures(&self) -> impl Iterator<Item = (&CheckResult, &Failure, &str)> {
        self.results.iter().filter_map(|result| match &result.outcome {
            Outcome::Failed { failure, repeat } => Some((result, failure, repeat.as_str())),
            _ => None,
        })
    }

    /// What failed by a known fault of the engine: the result with its failure, and what is known.
    pub fn deviations(&self) -> impl Iterator<Item = (&CheckResult, &Failure, &Deviation)> {
        self.results.iter().filter_map(|result| match &result.outcome {
            Outcome::Deviated { failure, known, .. } => Some((result, failure, known)),
            _ => None,
        })
    }

    fn explain(&mut self, known: &Deviations) {
        self.engine = Some(format!("{} {}", known.engine, known.version));
        for result in &mut self.results {
            if let Outcome::Failed { failure, repeat } = &result.outcome
                && let Some(deviation) = known.explaining(result.check, failure)
            {
                let (failure, repeat, known) = (failure.clone(), repeat.clone(), deviation.clone());
                result.outcome = Outcome::Deviated { failure, repeat, known };
            }
        }
        let has_passed = |check: &str| {
            self.results.iter().any(|result| result.check == check && matches!(result.outcome, Outcome::Passed))
        };
        let is_mended = |known: &&Deviation| known.shows == Shows::Always && has_passed(&known.check);
        self.mended = known.deviations.iter().filter(is_mended).cloned().collect();
    }
}

impl CheckResult {
    pub(crate) fn new(check: &Check, outcome: Outcome, elapsed: Duration) -> Self {
        Self { check: check.name, clauses: check.clauses, outcome, runs: 1, elapsed, growth: Vec::new() }
    }

    /// The result of this run and of the same check's next one.
    pub(crate) fn and(&mut self, next: Self) {
        self.runs += next.runs;
        self.elapsed += next.elapsed;
        if !matches!(self.outcome, Outcome::Failed { .. }) {
            self.outcome = next.outcome;
            self.growth = next.growth;
        }
    }
}

fn as_seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests;
