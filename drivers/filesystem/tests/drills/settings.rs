//! What the environment says about a run.

use std::env;

/// Whether `DRILL=full` asks for the long form.
pub(crate) fn is_full() -> bool {
    env::var("DRILL").is_ok_and(|form| form == "full")
}

/// `DRILL_SEED`, or another seed every time; printed, so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = match env::var("DRILL_SEED") {
        Ok(text) => text.parse().expect("DRILL_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("DRILL_SEED={seed}");
    seed
}

/// A runtime for one drill.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
