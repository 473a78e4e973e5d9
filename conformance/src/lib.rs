//! Decides, clause by clause, whether a storage driver keeps the [contract](driver_api::CONTRACT).
//!
//! # For the author of a driver
//!
//! One file of ordinary tests, `tests/conformance.rs`, with one `#[test]` for each check:
//!
//! ```
//! // Each call gives a driver with an empty store of its own.
//! conformance::suite!(|| async { driver_inmemory::MemoryDriver::default() });
//! # fn main() {}
//! ```
//!
//! `cargo test listing::` runs a group, `CONFORMANCE_PROFILE=standard cargo test` more of everything. Whatever fails tells the
//! clause, what was expected, what came, and the command that repeats it.
//!
//! A driver that keeps something on disks or servers gives an [`Instance`] instead, whose hooks let the suite see more: the
//! store opened a second time, what is left behind in the backend, foreign entries, secrets that must not show.
//!
//! ```no_run
//! # mod my { pub(crate) use driver_inmemory::MemoryDriver as Driver; }
//! # fn open(_: &std::path::Path) -> my::Driver { my::Driver::default() }
//! use conformance::Instance;
//! conformance::suite!(|| async {
//!     let directory = std::env::temp_dir().join(std::process::id().to_string());
//!     let again = directory.clone();
//!     Instance::new(open(&directory)).with_reopen(move || open(&again))
//! });
//! # fn main() {}
//! ```
//!
//! For a report with every clause, write a program of five lines around [`main`]; it takes the options of
//! `blobstore conformance`.
//!
//! # How it is made
//!
//! - [`clauses`] are read from the text of the contract; [`checks`] are async functions on a [`Case`], each with the clauses it
//!   tests. One list holds them all, and a test sees to it that no clause is without a check or a drill.
//! - [`run`] gives each check an instance of its own, a seed and a [`Budget`], and looks for leaks behind it. A panic is a
//!   failure, and so is a check that does not end.
//! - [`Drill`]s are checks too, run in place of the suite: calls that fail, processes that are killed or share a store, stores
//!   that grow. Those with several processes need [`Target::with_locations`] and a program that can be run once more.
//! - A clause whose capability the driver does not declare is *unsupported*, never passed; that it is refused is checked.
//! - Contents tell which write made them ([`payload`]), so that a failure says whose bytes are where.

mod audit;
mod case;
mod check;
mod checks;
mod clause;
mod deviations;
mod drills;
mod dropped;
mod expect;
mod growth;
mod history;
mod location;
mod model;
mod options;
pub mod payload;
mod profile;
#[cfg(feature = "cli")]
mod program;
mod registry;
mod report;
mod runner;
mod suite;
mod target;

pub use case::Case;
pub use check::{Check, Failure, Kind, Stop, Verdict};
pub use clause::{Clause, Level, clause, clauses};
pub use deviations::{Deviation, Deviations, Shows, UnusableDeviations};
pub use drills::{Drill, Entries, Reexecution, drill_checks, take_part};
pub use growth::{Growth, Order, Point};
pub use location::Location;
pub use options::{Options, Repeat, UnknownSelection};
pub use profile::{Budget, Profile};
#[cfg(feature = "cli")]
pub use program::{execute, main};
pub use registry::{check, checks};
pub use report::{CheckResult, Outcome, Report, Status, TargetReport, without_repetitions};
pub use runner::{Progress, run};
#[doc(hidden)]
pub use suite::__run_test;
pub use suite::list_of_checks;
pub use target::{Instance, Target};
