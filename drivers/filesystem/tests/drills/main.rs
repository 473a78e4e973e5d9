//! Drills: the driver loses power, is killed, and runs out of room, at every moment that counts.
//!
//! - [`power_drill`] cuts the power of a simulated disk at every system call, in every way the disk may have written back.
//! - [`kill_drill`] kills a child process that works on a real directory.
//! - [`full_disk`] fills a small tmpfs, and refuses room to each system call in turn.
//!
//! Two environment variables: `DRILL=full` runs more seeds, states and kills, and insists on a real tmpfs. `DRILL_SEED=N`
//! repeats a run; each prints the seed it takes, which is another one every time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a drill that cannot go on has failed")]

mod full_disk;
mod inspection;
mod kill_drill;
mod power_drill;
#[path = "../support/refusing.rs"]
mod refusing;
mod settings;
mod simulation;
mod step;
mod world;
