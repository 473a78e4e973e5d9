//! Upkeep, alone and while others push, on the drivers that need nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

#[path = "../stores/fixture.rs"]
#[allow(dead_code, reason = "made for another test, too")]
mod fixture;

mod collect;
mod concurrency;
mod copy;
mod crash;
mod full_disk;
mod interleaved;
mod purge;
mod steps;
mod verify;
