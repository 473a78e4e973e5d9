//! Every request of every writer goes wrong in every way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

#[path = "support/bench.rs"]
mod bench;
#[path = "../../s3/tests/object_store/mod.rs"]
mod object_store;
mod support;

use crate::bench::AzureBench;
use crate::object_store::writers::drill_writers;

drill_writers!(AzureBench);
