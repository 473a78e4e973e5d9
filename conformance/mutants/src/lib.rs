//! Drivers broken on purpose: each is the in-memory driver with one defect that a real driver could have. The conformance
//! suite must fail on every one, and name the clause that it breaks.

mod mutants;
mod mutation;
mod trial;

use std::sync::Arc;

use driver_api::StorageDriver;
use driver_inmemory::MemoryDriver;

pub use mutants::mutants;
pub use trial::{Extent, Trial, matrix, try_on};

use self::mutation::{Broken, Inner, Mutation};

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
    make: fn(Inner) -> Arc<dyn StorageDriver>,
}

impl Mutant {
    const fn new<M: Mutation>(
        id: &'static str,
        description: &'static str,
        primary: &'static str,
        others: &'static [&'static str],
    ) -> Self {
        Self { id, description, primary, others, make: Broken::<M>::over }
    }

    /// The clauses that it breaks, the primary one first.
    pub fn clauses(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.primary).chain(self.others.iter().copied())
    }

    /// A driver broken in this way, without files.
    pub fn driver(&self) -> Arc<dyn StorageDriver> {
        (self.make)(Arc::new(MemoryDriver::default()))
    }
}
