//! Known faults of an engine, as data: what the suite finds there, and nobody who writes a driver can mend.
//!
//! A file is about one version of one engine:
//!
//! ```yaml
//! engine: example
//! version: 1.2.3
//! deviations:
//!   - check: listing::begun_behind_a_key
//!     clause: LIST-2
//!     shows: always            # or `sometimes`, where it depends on how requests meet
//!     since: 2026-11-24        # the day on which it was seen
//!     reason: pages are sorted, and one is not behind the other
//!     evidence: |
//!       GET /bucket?list-type=2&max-keys=2  ->  b, c; then a, d
//! ```
//!
//! A failure that is written down is reported as a deviation, beside the others and not among them. One that is always to be
//! seen, and no longer is, fails the run: the entry has to go.

use std::fmt;
#[cfg(feature = "cli")]
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::check::Failure;

/// The most bytes of a file.
#[cfg(feature = "cli")]
const LARGEST_FILE: u64 = 1 << 20;

/// The known faults of one version of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviations {
    /// The engine's name.
    pub engine: String,
    /// Its version.
    pub version: String,
    /// Its faults; there may be none.
    #[serde(default)]
    pub deviations: Vec<Deviation>,
}

/// One known fault of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The check that fails.
    pub check: String,
    /// The clause because of which it fails.
    pub clause: String,
    /// Whether every run sees it.
    #[serde(default)]
    pub shows: Shows,
    /// The day on which it was seen first, as `YYYY-MM-DD`.
    pub since: String,
    /// What the engine does wrong.
    pub reason: String,
    /// What an outsider can repeat: requests and answers as they are on the wire, or the issue of the engine's project.
    pub evidence: String,
}

/// How often a fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shows {
    /// In every run.
    #[default]
    Always,
    /// In some.
    Sometimes,
}

/// A file of deviations that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableDeviations(String);

impl fmt::Display for UnusableDeviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnusableDeviations {}

impl Deviations {
    /// Reads a file.
    #[cfg(feature = "cli")]
    pub fn read(path: &Path) -> Result<Self, UnusableDeviations> {
        use std::io::Read as _;
        let told = |problem: &dyn fmt::Display| UnusableDeviations(format!("{}: {problem}", path.display()));
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|error| told(&error))?;
        file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(|error| told(&error))?;
        if text.len() as u64 > LARGEST_FILE {
            return Err(told(&"larger than 1 MiB"));
        }
        Self::parse(&text).map_err(|UnusableDeviations(problem)| told(&problem))
    }

    #[cfg(feature = "cli")]
    fn parse(text: &str) -> Result<Self, UnusableDeviations> {
        let read: Self = serde_saphyr::from_str(text).map_err(|error| UnusableDeviations(error.to_string()))?;
        for deviation in &read.deviations {
            deviation.examine().map_err(UnusableDeviations)?;
        }
        Ok(read)
    }

    /// What is known of this failure of a check.
    pub(crate) fn explaining(&self, check: &str, failure: &Failure) -> Option<&Deviation> {
        self.deviations.iter().find(|known| known.check == check && failure.clauses.first() == Some(&&*known.clause))
    }
}

impl Deviation {
    /// Refuses what can explain no failure, or explains nothing to a reader.
    #[cfg(feature = "cli")]
    fn examine(&self) -> Result<(), String> {
        let Self { check, clause, since, .. } = self;
        if crate::check(check).is_none() {
            return Err(format!("`{check}` is no check; `--list` shows them all"));
        }
        if crate::clause(clause).is_none() {
            return Err(format!("`{clause}`, of {check}, is no clause"));
        }
        let is_digit_or_dash =
            |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
        if since.len() != 10 || !since.bytes().enumerate().all(is_digit_or_dash) {
            return Err(format!("since `{since}`, of {check}, is no day such as 2026-11-24"));
        }
        if self.reason.trim().is_empty() || self.evidence.trim().is_empty() {
            return Err(format!("the deviation of {check} needs a reason and evidence"));
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    const FILE: &str = "engine: example\nversion: 1.0\ndeviations:\n  - check: listing::begun_behind_a_key\n    clause: LIST-2\n    \
                        since: 2026-11-24\n    reason: pages overlap\n    evidence: a page\n";

    #[test]
    fn a_file_is_read_and_explains_the_failures_it_names() {
        let known = Deviations::parse(FILE).unwrap();
        assert_eq!((known.engine.as_str(), known.version.as_str()), ("example", "1.0"));
        assert_eq!(known.deviations[0].shows, Shows::Always);
        let failure = |clause| Failure::new(clause, "order", "none");
        assert!(known.explaining("listing::begun_behind_a_key", &failure("LIST-2")).is_some());
        assert!(known.explaining("listing::begun_behind_a_key", &failure("LIST-1")).is_none(), "another clause");
        assert!(
            known.explaining("listing::begun_behind_a_key", &failure("LIST-1").and("LIST-2")).is_none(),
            "not what it failed for"
        );
        assert!(known.explaining("listing::of_any_length", &failure("LIST-2")).is_none(), "another check");
        assert_eq!(Deviations::parse("engine: sound\nversion: 2").unwrap().deviations, []);
    }

    #[test]
    fn an_entry_that_explains_nothing_is_refused() {
        for (right, wrong) in [
            ("listing::begun_behind_a_key", "listing::begun_behind_a_kye"),
            ("LIST-2", "LIST-99"),
            ("2026-11-24", "yesterday"),
            ("2026-11-24", "24-11-2026"),
            ("pages overlap", "''"),
            ("a page", "' '"),
            ("since", "until"),
            ("reason: pages overlap\n", ""),
        ] {
            assert!(FILE.contains(right));
            assert!(Deviations::parse(&FILE.replacen(right, wrong, 1)).is_err(), "{wrong}");
        }
    }
}
