//! Drivers broken on purpose: each is the in-memory driver with one defect that a real driver could have. The conformance
//! suite must fail on every one, and name the clause that it breaks.

mod base;
pub mod document;
mod matrix;
mod mutants;
mod mutation;
mod trial;

use conformance::{Drill, Instance};

pub use matrix::Matrix;
pub use mutants::mutants;
pub use trial::{Extent, Trial, try_on};

use self::base::Base;
use self::mutation::{Broken, Mutation};

/// A way to break a driver.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// A short name, unique.
    pub id: &'static str,
    /// What it does wrong.
    pub description: &'static str,
    /// The clause that it breaks, and that the suite must report.
    pub primary: &'static str,
    /// Clauses that break along with it, two at most.
    pub others: &'static [&'static str],
    /// The drill that it is for; none where the suite itself must catch it.
    pub drill: Option<Drill>,
    base: Base,
    make: fn(Base) -> Instance,
}

impl Mutant {
    const fn new<M: Mutation>(
        id: &'static str,
        description: &'static str,
        primary: &'static str,
        others: &'static [&'static str],
    ) -> Self {
        Self { id, description, primary, others, drill: None, base: Base::Plain, make: Broken::<M>::instance }
    }

    /// The same defect in another right driver.
    const fn of(mut self, base: Base) -> Self {
        self.base = base;
        self
    }

    /// The same defect, which only a drill shows.
    const fn shown_by(mut self, drill: Drill) -> Self {
        self.drill = Some(drill);
        self
    }

    /// The clauses that it breaks, the primary one first.
    pub fn clauses(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.primary).chain(self.others.iter().copied())
    }

    /// A driver broken in this way, without files, with the hooks that show the defect.
    pub fn instance(&self) -> Instance {
        (self.make)(self.base)
    }
}

/// The checks that look at what is done before a driver is called, by `StoragePath`, by the handle `Storage` or by a layer, so
/// that no broken driver fails them alone. Each with what does it.
pub const BEFORE_ANY_DRIVER: &[(&str, &str)] = &[
    ("paths::refused_names", "`StoragePath::parse` refuses"),
    ("paths::the_root_is_no_file", "`Storage` refuses `/`"),
    ("deletes::the_root_is_refused", "`Storage` refuses `/`"),
    ("deletes::a_version_with_a_tree", "`Storage` refuses the options"),
    ("capabilities::undeclared_is_refused", "`Storage` refuses what is not declared"),
    ("capabilities::too_large_is_refused", "`Storage` knows the limit that is declared"),
    ("contexts::ended_before_the_call", "`Storage` looks at the context first"),
    ("contexts::a_backend_that_hangs", "`Storage` races the driver against the context"),
    ("contexts::streams_end_with_their_context", "`Storage` ends the stream"),
    ("errors::lost_answers", "the layer that repeats tells what it knows"),
];
