//! What a driver for an object store owes its callers when requests go wrong, and when several processes share a store: the
//! same for every such driver. Each driver's tests include this directory and say, by a [`drill::Bench`], how its requests are
//! made to go wrong.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test uses what it needs")]

pub(crate) mod changes;
pub(crate) mod drill;
pub(crate) mod log;
pub(crate) mod outputs;
pub(crate) mod processes;
pub(crate) mod reads;
pub(crate) mod writers;

use std::sync::LazyLock;

use bytes::Bytes;
use driver_api::{Context, StoragePath};

pub(crate) const MIB: usize = 1 << 20;

pub(crate) fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

fn context() -> Context {
    Context::background()
}

/// The first bytes of one long content, of which no two stretches are alike.
pub(crate) fn content(size: usize) -> Bytes {
    static WHOLE: LazyLock<Bytes> = LazyLock::new(|| {
        // Eight bytes at a time: tests are built without optimisation.
        let words = (0..48 * MIB as u64 / 8).map(|at| (at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        words.collect::<Vec<_>>().concat().into()
    });
    WHOLE.slice(..size)
}
