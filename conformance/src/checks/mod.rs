//! The checks, grouped by what they look at. Each is an async function on a fresh [`Case`](crate::Case); the registry says
//! which clauses it tests.

pub(crate) mod capabilities;
pub(crate) mod concurrency;
pub(crate) mod conditions;
pub(crate) mod contexts;
pub(crate) mod deletes;
pub(crate) mod dropped;
pub(crate) mod durability;
pub(crate) mod errors;
pub(crate) mod files;
pub(crate) mod histories;
pub(crate) mod laws;
pub(crate) mod listing;
pub(crate) mod moves;
pub(crate) mod namespace;
pub(crate) mod paths;
pub(crate) mod reads;
pub(crate) mod sequences;
pub(crate) mod sessions;
pub(crate) mod stats;
pub(crate) mod writes;
