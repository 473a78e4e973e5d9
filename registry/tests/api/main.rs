//! The API, line by line of its requirements: the number in a test's name is that of the line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod base;
mod blobs;
mod deletes;
mod full_disk;
mod harness;
mod lists;
mod manifests;
mod mounts;
mod referrers;
mod uploads;
