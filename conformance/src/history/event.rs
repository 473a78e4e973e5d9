//! What a history is made of: operations on two paths, their outcomes, and when each began and answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::payload::Content;

/// One of the two paths of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Place {
    A,
    B,
}

impl Place {
    pub(super) const ALL: [Self; 2] = [Self::A, Self::B];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operation {
    Get(Place),
    Stat(Place),
    /// A put, or the commit of a writer: the same to whoever looks on.
    Publish {
        place: Place,
        content: Content,
        when: When,
        by: By,
    },
    Delete {
        place: Place,
        when: When,
    },
    Move {
        from: Place,
        to: Place,
    },
}

/// The condition of a change; a version is named by the content that had it, which no other write of the history has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum When {
    Always,
    Absent,
    Is(Content),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum By {
    Put,
    Commit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Done,
    /// A get answered with this content.
    Content(Content),
    /// A stat answered with this size.
    Size(u64),
    NotFound,
    AlreadyExists,
    Conflict,
    /// The answer was lost: it may have taken effect, may still, or never will.
    Unknown,
}

/// An operation with its outcome. Times are numbers of one counter: of two events the earlier has the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(super) task: usize,
    pub(super) operation: Operation,
    pub(super) outcome: Outcome,
    pub(super) begun: u64,
    /// Without meaning where the outcome is unknown.
    pub(super) answered: u64,
}

impl Event {
    /// Until when it can have taken effect.
    pub(super) fn latest(&self) -> u64 {
        if self.outcome == Outcome::Unknown { u64::MAX } else { self.answered }
    }

    /// Whether it says of a content that it was there.
    pub(super) fn speaks_of(&self, content: Content) -> bool {
        let by_condition = match self.operation {
            Operation::Publish { when, .. } | Operation::Delete { when, .. } => when == When::Is(content),
            _ => false,
        };
        by_condition || self.outcome == Outcome::Content(content)
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.begun < other.latest() && other.begun < self.latest()
    }
}

impl Operation {
    pub(super) fn places(self) -> impl Iterator<Item = Place> {
        let (one, other) = match self {
            Self::Get(place) | Self::Stat(place) => (place, None),
            Self::Publish { place, .. } | Self::Delete { place, .. } => (place, None),
            Self::Move { from, to } => (from, Some(to)),
        };
        std::iter::once(one).chain(other)
    }

    pub(super) fn is_read(self) -> bool {
        matches!(self, Self::Get(_) | Self::Stat(_))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => Ok(()),
            Self::Absent => f.write_str(" if absent"),
            Self::Is(content) => write!(f, " if it is write {}", content.write),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(place) => write!(f, "get {place}"),
            Self::Stat(place) => write!(f, "stat {place}"),
            Self::Publish { place, content, when, by } => {
                let by = if *by == By::Put { "put" } else { "commit" };
                write!(f, "{by} {place} = write {} of {} bytes{when}", content.write, content.size)
            }
            Self::Delete { place, when } => write!(f, "delete {place}{when}"),
            Self::Move { from, to } => write!(f, "move {from} to {to}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("ok"),
            Self::Content(content) => write!(f, "write {}", content.write),
            Self::Size(size) => write!(f, "{size} bytes"),
            Self::NotFound => f.write_str("not_found"),
            Self::AlreadyExists => f.write_str("already_exists"),
            Self::Conflict => f.write_str("conflict"),
            Self::Unknown => f.write_str("answer lost"),
        }
    }
}
