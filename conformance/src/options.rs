//! The options of a run.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::drills::{Drill, Entries, Reexecution, drill_checks};
use crate::profile::Profile;
use crate::registry::checks;

/// The options of a run; with the feature `cli` also the arguments of a command.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[non_exhaustive]
pub struct Options {
    /// How thorough the run is.
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub profile: Profile,
    /// Run only the checks meant by this: a clause (GET-1), a family of clauses (GET), a group (list), or a check
    /// (list::order). May be repeated.
    #[cfg_attr(feature = "cli", arg(long, value_name = "CLAUSE|CHECK", num_args = 1..))]
    pub only: Vec<String>,
    /// Run these drills instead of the checks.
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_name = "KIND", value_delimiter = ','))]
    pub drills: Vec<Drill>,
    /// How many entries the drill `scale` goes up to, 640 to 1000000.
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t))]
    pub entries: Entries,
    /// The number from which everything random is derived; drawn and shown where none is given.
    #[cfg_attr(feature = "cli", arg(long))]
    pub seed: Option<u64>,
    /// How many checks run at once; twice as many as the machine has cores where none is given.
    #[cfg_attr(feature = "cli", arg(long))]
    pub jobs: Option<NonZeroUsize>,
    /// Repeat the random checks with new seeds for this long (90, 90s, 10m, 2h). Profile exhaustive goes on until it is
    /// interrupted where none is given.
    #[cfg_attr(feature = "cli", arg(long, value_name = "TIME", value_parser = parse_duration))]
    pub repeat_for: Option<Duration>,
    /// Write report.json, report.xml (JUnit) and report.html into this directory.
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR"))]
    pub report: Option<PathBuf>,
    /// The known faults of the engine under test, as a file: they are reported, and do not fail the run.
    #[cfg_attr(feature = "cli", arg(long, value_name = "FILE"))]
    pub deviations: Option<PathBuf>,
    /// Show the checks with their clauses, and run nothing.
    #[cfg_attr(feature = "cli", arg(long))]
    pub list: bool,
    /// How a failure is repeated.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub repeat: Repeat,
    /// How this program is run once more, for drills that need other processes; none where it cannot be.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub reexecution: Option<Reexecution>,
}

/// How the command that repeats a failure is written.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Repeat {
    /// A program that takes these options, with the arguments that it needs before them.
    Program(String),
    /// `cargo test` of a package that uses [`suite!`](crate::suite).
    CargoTest(String),
}

impl Default for Repeat {
    fn default() -> Self {
        Self::Program("blobstore conformance".to_owned())
    }
}

impl Repeat {
    /// The command that runs `check` with this seed and with the profile and the entries of `options`; `target` is what
    /// selects the target.
    fn command(&self, target: Option<&str>, check: &Check, options: &Options, seed: u64) -> String {
        let profile = options.profile;
        match self {
            Self::Program(program) => {
                let target = target.map(|target| format!(" {target}")).unwrap_or_default();
                let drill = match Drill::of(check) {
                    Some(Drill::Scale) => format!(" --drills scale --entries {}", options.entries),
                    Some(drill) => format!(" --drills {drill}"),
                    None => String::new(),
                };
                format!("{program}{target}{drill} --profile {profile} --only {} --seed {seed}", check.name)
            }
            Self::CargoTest(package) => format!(
                "CONFORMANCE_PROFILE={profile} CONFORMANCE_SEED={seed} cargo test --package {package} {}",
                check.name
            ),
        }
    }
}

/// A selection that means no check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSelection(pub String);

impl std::fmt::Display for UnknownSelection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is no clause, group or check here; `--list` shows them all", self.0)
    }
}

impl std::error::Error for UnknownSelection {}

impl Options {
    /// The checks that are selected, of the suite or of the drills that are asked for, in the order of the registry.
    pub fn selected(&self) -> Result<Vec<&'static Check>, UnknownSelection> {
        let of_drill = |check: &&Check| Drill::of(check).is_some_and(|drill| self.drills.contains(&drill));
        let mut selected: Vec<_> = match self.drills.as_slice() {
            [] => checks().iter().collect(),
            _ => drill_checks().iter().filter(of_drill).collect(),
        };
        for selection in &self.only {
            if !selected.iter().any(|check| check.is_meant_by(selection)) {
                return Err(UnknownSelection(selection.clone()));
            }
        }
        selected.retain(|check| self.only.is_empty() || self.only.iter().any(|only| check.is_meant_by(only)));
        Ok(selected)
    }

    /// The command that runs `check` again with this seed; `target` is what selects the target.
    pub(crate) fn repetition(&self, target: Option<&str>, check: &Check, seed: u64) -> String {
        self.repeat.command(target, check, self, seed)
    }
}

#[cfg(feature = "cli")]
fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.find(|character: char| !character.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("`{unit}` is no unit of time: use s, m or h")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| format!("`{text}` is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(selection: &str) -> Options {
        Options { only: vec![selection.to_owned()], ..Options::default() }
    }

    #[test]
    fn a_selection_that_means_nothing_is_an_error() {
        assert_eq!(only("GTE-1").selected().unwrap_err(), UnknownSelection("GTE-1".to_owned()));
        assert!(!only("GET-1").selected().unwrap().is_empty());
        assert_eq!(Options::default().selected().unwrap().len(), checks().len());
    }

    #[test]
    fn drills_are_run_instead_of_the_checks() {
        let options = Options { drills: vec![Drill::Faults, Drill::Scale], ..Options::default() };
        let groups: std::collections::BTreeSet<_> =
            options.selected().unwrap().iter().map(|check| check.group()).collect();
        assert_eq!(groups, ["faults", "scale"].into());
        let only = Options { only: vec!["faults::put".to_owned()], ..options.clone() };
        assert_eq!(only.selected().unwrap().iter().map(|check| check.name).collect::<Vec<_>>(), ["faults::put"]);
        assert!(Options { only: vec!["paths".to_owned()], ..options }.selected().is_err());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn times_have_units() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert!(parse_duration("1d").is_err() && parse_duration("").is_err() && parse_duration("m").is_err());
    }

    #[test]
    fn the_command_of_a_failure_names_what_is_needed_to_see_it_again() {
        let check = &checks()[0];
        let program = Options { profile: Profile::Quick, ..Options::default() };
        assert_eq!(
            program.repetition(Some("--driver memory"), check, 7),
            format!("blobstore conformance --driver memory --profile quick --only {} --seed 7", check.name)
        );
        let growth = crate::check("scale::growth").unwrap();
        assert_eq!(
            program.repetition(None, growth, 7),
            "blobstore conformance --drills scale --entries 10000 --profile quick --only scale::growth --seed 7"
        );
        let test = Options { repeat: Repeat::CargoTest("mine".to_owned()), ..program };
        assert_eq!(
            test.repetition(None, check, 7),
            format!("CONFORMANCE_PROFILE=quick CONFORMANCE_SEED=7 cargo test --package mine {}", check.name)
        );
    }
}
