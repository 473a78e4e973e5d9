//! What a drill does with a store: changes as data, what they make of it, and what it may look like while one is under way.

mod expectation;
mod step;
mod world;

pub(crate) use self::expectation::{Expectation, Found, look};
pub(crate) use self::step::{Name, Step, perform, perform_within};
pub(crate) use self::world::{Workload, World};
