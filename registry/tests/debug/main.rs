//! What operators are told, over the debug address.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod harness;
mod health;
mod metrics;
