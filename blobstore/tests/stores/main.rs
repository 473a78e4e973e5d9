//! The stores on the drivers that need nothing, as those who use them see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod blobs;
mod budget;
#[allow(dead_code, reason = "made for another test, too")]
mod fixture;
mod manifests;
mod namespace;
mod uploads;
