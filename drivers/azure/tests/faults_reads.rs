//! Every request of every call that reads goes wrong in every way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

#[path = "support/bench.rs"]
mod bench;
#[path = "../../s3/tests/object_store/mod.rs"]
mod object_store;
mod support;

use crate::bench::AzureBench;
use crate::object_store::reads::drill_reads;

drill_reads!(AzureBench);
