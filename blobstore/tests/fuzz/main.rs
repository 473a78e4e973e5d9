//! The targets of `ci/fuzz` on what it found, on the seeds it begins with, and on some variations of both.
//!
//! A failure prints the input; `SEED=…` repeats the variations. An input that `ci/fuzz` finds belongs into `corpus`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

#[path = "../../../ci/fuzzing/src/replay.rs"]
mod replay;
mod targets;

#[test]
fn no_input_breaks_a_target() {
    replay::replay(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus"), &targets::TARGETS);
}
