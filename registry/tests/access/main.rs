//! Who may do what, asked through a registry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod configured;
#[path = "../api/harness.rs"]
#[allow(dead_code, reason = "the tests of the API need more of it")]
mod harness;
mod hostile;
mod htpasswd;
mod issuer;
mod keys;
mod logs;
mod secured;
mod silly;
mod tokens;
