//! The registry as a page: what browsers are shown, to whom, at what cost, and that nothing in it is anybody else's markup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod access;
mod cost;
#[path = "../api/harness.rs"]
#[allow(dead_code, reason = "the tests of the API need more of it")]
mod harness;
mod hostile;
#[path = "../access/issuer.rs"]
#[allow(dead_code, reason = "the tests of access need more of it")]
mod issuer;
mod lists;
mod manifests;
mod page;
mod refusals;
