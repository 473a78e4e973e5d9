//! The targets of `blobstore/tests/fuzz` and `registry/tests/fuzz` under libFuzzer: the environment variable `FUZZ_TARGET` names
//! one of them.
#![no_main]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a finding is a panic")]

#[path = "../../../registry/tests/fuzz/targets.rs"]
mod of_registry;
#[path = "../../../blobstore/tests/fuzz/targets.rs"]
mod of_stores;

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();
    TARGET.get_or_init(|| {
        let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = of_stores::TARGETS.into_iter().chain(of_registry::TARGETS).find(|(name, _)| *name == wanted);
        found.unwrap_or_else(|| panic!("FUZZ_TARGET is `{wanted}`, which is no target")).1
    })(data);
});
