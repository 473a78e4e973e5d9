//! Drills: what ordinary calls cannot stage. Calls that are refused or lose their answers, processes that are killed, several
//! processes on one store, stores that grow.
//!
//! A drill is a list of checks like those of the suite, with the same runner, the same reports and the same way to repeat a
//! failure; it is run instead of the suite where it is asked for.

mod cluster;
mod crash;
mod faults;
mod process;
mod scale;
mod workload;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use self::process::Equipment;
pub use self::process::{Reexecution, take_part};
use crate::check::{Check, Kind};
use crate::drills as groups;
use crate::profile::Budget;
use crate::registry::checks_of;

/// A kind of drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Drill {
    /// Calls that are refused, lose their answers or are slow: each call of each operation, and random sequences.
    Faults,
    /// A process that is killed while it changes the store, again and again.
    Crash,
    /// Several processes at once on one store.
    Cluster,
    /// A store that grows, and what calls cost then.
    Scale,
}

const CHECKS: &[Check] = checks_of! { groups;
    faults {
        Example put ["PUT-2", "ERR-8", "LAYER-1"];
        Example put_if_absent ["PUT-4", "PUT-2", "ERR-8", "LAYER-1"];
        Example get ["GET-1", "LAYER-1"];
        Example reader ["READ-1", "LAYER-1"];
        Example stat ["STAT-1", "LAYER-1"];
        Example list ["LIST-1", "LIST-5", "LAYER-1"];
        Example unfinished ["WRITE-12", "LAYER-1"];
        Example writer ["WRITE-3", "ERR-8", "LAYER-1"];
        Example append ["WRITE-5", "ERR-8", "LAYER-1"];
        Example half_way_through_a_writer ["WRITE-25", "WRITE-9"];
        Example cancel ["WRITE-4", "LAYER-1"];
        Example moves ["MOVE-6", "ERR-8", "LAYER-1"];
        Example delete ["DEL-1", "ERR-8", "LAYER-1"];
        Example delete_tree ["DEL-1", "ERR-8", "LAYER-1"];
        Example delete_files ["DEL-8", "ERR-8", "LAYER-1"];
        Example deadlines ["CTX-2", "CTX-3"];
        Random sequences ["PUT-2", "WRITE-3", "MOVE-6", "DEL-1", "ERR-8", "LAYER-1"];
    }
    crash {
        Random files ["DUR-1", "MOVE-10", "PUT-2", "WRITE-3", "WRITE-2"];
        Random sessions ["DUR-1", "WRITE-15", "WRITE-16"];
    }
    cluster {
        Random histories_have_one_order ["CONC-1", "PUT-10"];
        Random one_process_makes_each_file ["PUT-4", "PUT-10"];
        Random sessions_go_from_process_to_process ["WRITE-16", "PUT-10"];
    }
    scale {
        Alone growth ["COST-1", "LIST-11"];
        Alone growth_of_pages ["LIST-12"];
    }
};

/// The checks of every drill, in the order in which reports show them.
pub fn drill_checks() -> &'static [Check] {
    CHECKS
}

impl Drill {
    const ALL: [Self; 4] = [Self::Faults, Self::Crash, Self::Cluster, Self::Scale];

    /// The drill that a check belongs to; none for those of the suite.
    pub fn of(check: &Check) -> Option<Self> {
        let is_of_a_drill = CHECKS.iter().any(|known| known.name == check.name);
        Self::ALL.into_iter().find(|drill| is_of_a_drill && drill.group() == check.group())
    }

    /// The name of the drill, which is that of its group of checks.
    pub fn group(self) -> &'static str {
        match self {
            Self::Faults => "faults",
            Self::Crash => "crash",
            Self::Cluster => "cluster",
            Self::Scale => "scale",
        }
    }

    /// What a check of this drill may spend, where one of the suite may spend `budget`: a drill is asked for by name.
    pub(crate) fn budget(self, budget: &Budget, entries: Entries) -> Budget {
        let time_limit = match self {
            // Growing is done twice where a limit was exceeded.
            Self::Scale => Duration::from_secs(600) + Duration::from_millis(20) * entries.0,
            _ => budget.time_limit * 5,
        };
        Budget { time_limit, slice: budget.slice * 10, ..budget.clone() }
    }
}

impl fmt::Display for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.group())
    }
}

/// How many entries the drill [`Drill::Scale`] goes up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries(u32);

impl Entries {
    /// The fewest: the drill begins with a 64th of them.
    pub const LEAST: u32 = 640;
    /// The most.
    pub const MOST: u32 = 1_000_000;

    /// So many, where that is between [`LEAST`](Self::LEAST) and [`MOST`](Self::MOST).
    pub fn new(entries: u32) -> Option<Self> {
        (Self::LEAST..=Self::MOST).contains(&entries).then_some(Self(entries))
    }

    /// As a number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self(10_000)
    }
}

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Entries {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| format!("`{text}` is no number from {} to {}", Self::LEAST, Self::MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause::clause;

    #[test]
    fn drills_are_apart_from_the_suite_and_name_clauses_that_exist() {
        for check in drill_checks() {
            assert!(Drill::of(check).is_some() && crate::checks().iter().all(|other| other.name != check.name));
            assert!(check.clauses.iter().all(|id| clause(id).is_some()), "{}", check.name);
        }
        assert!(crate::checks().iter().all(|check| Drill::of(check).is_none()));
    }

    #[test]
    fn a_number_of_entries_is_within_bounds() {
        assert_eq!("10000".parse(), Ok(Entries::default()));
        assert!("639".parse::<Entries>().is_err() && "1000001".parse::<Entries>().is_err());
        assert!("many".parse::<Entries>().is_err());
    }
}
