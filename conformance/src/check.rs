//! A check and what comes of it.

use std::fmt;

use driver_api::{Error, Retry, WriterError};
use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::case::Case;
use crate::clause::{self, Clause};

/// One check: an async function with the clauses that it tests.
#[derive(Debug)]
pub struct Check {
    /// `group::name`, unique.
    pub name: &'static str,
    /// The ids of the clauses it tests; the first is the one that an unexpected error counts against.
    pub clauses: &'static [&'static str],
    /// How it is run.
    pub kind: Kind,
    pub(crate) run: for<'a> fn(&'a Case) -> BoxFuture<'a, Verdict>,
}

/// How a check is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Does the same every time.
    Example,
    /// Draws what it does, or depends on how tasks meet: worth repeating.
    Random,
    /// Measures the process it runs in, so that nothing else may run meanwhile.
    Alone,
}

impl Check {
    /// The group it belongs to.
    pub fn group(&self) -> &'static str {
        self.name.split_once("::").map_or(self.name, |(group, _)| group)
    }

    /// The capabilities without which it says nothing: those of its clauses.
    pub fn capabilities(&self) -> impl Iterator<Item = &'static str> {
        self.clauses.iter().filter_map(|id| clause::clause(id)).filter_map(|clause| clause.capability)
    }

    /// Whether `selection` means this check: its name, its group, one of its clauses, or their family (`GET`).
    pub fn is_meant_by(&self, selection: &str) -> bool {
        let means_clause = |id: &&str| {
            id.eq_ignore_ascii_case(selection)
                || id.split_once('-').is_some_and(|(family, _)| family.eq_ignore_ascii_case(selection))
        };
        self.name == selection || self.group() == selection || self.clauses.iter().any(means_clause)
    }
}

/// What a check answers: nothing to object, or why it stopped.
pub type Verdict<T = ()> = Result<T, Stop>;

/// Why a check did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// The driver broke a clause.
    Failed(Box<Failure>),
    /// The driver does not declare this capability.
    Unsupported(&'static str),
    /// What the check needs is not there, for the reason given: a hook of the target, a tool of the system.
    Skipped(String),
}

/// How a driver broke the contract.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The ids of the broken clauses; none until the runner puts the check's first clause there.
    pub clauses: Vec<&'static str>,
    /// What the clause makes one expect.
    pub expected: String,
    /// What came.
    pub found: String,
    /// The script, the history or the contents that led there, where there is one; several lines.
    pub evidence: Option<String>,
}

impl Failure {
    /// A failure of `clause`.
    pub fn new(clause: &'static str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        debug_assert!(clause::clause(clause).is_some(), "{clause} is no clause");
        Self { clauses: vec![clause], expected: expected.to_string(), found: found.to_string(), evidence: None }
    }

    /// The same failure, of another clause too.
    #[must_use]
    pub fn and(mut self, clause: &'static str) -> Self {
        self.clauses.push(clause);
        self
    }

    /// The same failure with what led to it.
    #[must_use]
    pub fn with_evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }

    /// The broken clauses.
    pub fn clauses(&self) -> impl Iterator<Item = &'static Clause> {
        self.clauses.iter().filter_map(|id| clause::clause(id))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}; found {}", self.clauses.join(", "), self.expected, self.found)?;
        match &self.evidence {
            Some(evidence) => write!(f, "\n{evidence}"),
            None => Ok(()),
        }
    }
}

impl Stop {
    /// The same, with what led there before what a failure shows already.
    #[must_use]
    pub(crate) fn led_to_by(self, script: impl FnOnce() -> String) -> Self {
        match self {
            Self::Failed(mut failure) => {
                let shown = failure.evidence.take().map(|evidence| format!("\n{evidence}")).unwrap_or_default();
                failure.evidence = Some(script() + &shown);
                Self::Failed(failure)
            }
            other => other,
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// An error where none was expected, such as in the preparation of a check.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let failure = Failure {
            clauses: Vec::new(),
            expected: "the call to succeed".to_owned(),
            found: describe(&error),
            evidence: None,
        };
        failure.into()
    }
}

impl From<WriterError> for Stop {
    fn from(error: WriterError) -> Self {
        Error::from(error).into()
    }
}

/// The error with its retry class and its causes, for people.
pub(crate) fn describe(error: &Error) -> String {
    let class = match error.retry() {
        Retry::Never => "never to be retried",
        Retry::Safe => "safe to retry",
        Retry::MaybeApplied => "maybe applied",
    };
    let mut text = format!("the error \"{error}\", {class}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(", caused by \"{error}\""));
        cause = error.source();
    }
    text
}
