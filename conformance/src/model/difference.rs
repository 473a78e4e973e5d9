//! What a judgement says: the answer is one that the contract allows, or it is a difference.

use driver_api::ErrorKind;

use super::call::Answer;

/// Where the driver and the model part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The clauses that the answer breaks, the first the most likely.
    pub(super) clauses: Vec<&'static str>,
    /// What was expected and what came.
    pub(super) message: String,
}

impl Difference {
    pub(super) fn new(clauses: &[&'static str], message: impl Into<String>) -> Self {
        Self { clauses: clauses.to_vec(), message: message.into() }
    }
}

/// A failure that the contract demands.
pub(super) struct Refusal {
    /// The kinds it may have.
    pub(super) kinds: &'static [ErrorKind],
    /// The reason, as reports and coverage name it.
    pub(super) situation: &'static str,
    /// The clauses that demand it.
    pub(super) clauses: &'static [&'static str],
}

pub(super) const NOT_FOUND: &[ErrorKind] = &[ErrorKind::NotFound];
pub(super) const CONFLICT: &[ErrorKind] = &[ErrorKind::Conflict];

impl Refusal {
    pub(super) const fn conflict(situation: &'static str, clauses: &'static [&'static str]) -> Self {
        Self { kinds: CONFLICT, situation, clauses }
    }

    pub(super) const fn not_found(situation: &'static str, clauses: &'static [&'static str]) -> Self {
        Self { kinds: NOT_FOUND, situation, clauses }
    }

    /// Whether `answer` is this refusal.
    pub(super) fn allows(&self, answer: &Answer) -> bool {
        answer.error().is_some_and(|error| self.kinds.contains(&error.kind()))
    }
}

/// Compares whether a call went through with whether it should have. Answers with the situation of a rightful refusal; none
/// where it rightly went through. `clauses` are those that say it should.
pub(super) fn agree(
    answer: &Answer,
    refusal: Option<&Refusal>,
    clauses: &[&'static str],
) -> Result<Option<&'static str>, Difference> {
    match (answer.error(), refusal) {
        (None, None) => Ok(None),
        (Some(_), Some(refusal)) if refusal.allows(answer) => Ok(Some(refusal.situation)),
        (Some(error), None) => {
            Err(Difference::new(clauses, format!("it should have succeeded, and came back as: {error}")))
        }
        (came, Some(refusal)) => {
            let kinds: Vec<_> = refusal.kinds.iter().map(|kind| kind.as_str()).collect();
            let came =
                came.map_or_else(|| format!("it answered: {answer}"), |error| format!("it came back as: {error}"));
            let message =
                format!("it should have been refused as {} ({}); {came}", kinds.join(" or "), refusal.situation);
            Err(Difference::new(refusal.clauses, message))
        }
    }
}
