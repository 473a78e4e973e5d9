//! Every request of every call that reads goes wrong in every way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use crate::fixture::bench::S3Bench;
use crate::object_store::reads::drill_reads;

drill_reads!(S3Bench);
