//! Runs the conformance suite on other people's storage: the crates `opendal` and `object_store` behind bridges, and services
//! behind this project's drivers. What it finds is written to `docs/COMPATIBILITY.md`.

pub mod backends;
pub mod bridge;
pub mod document;
pub mod versions;
