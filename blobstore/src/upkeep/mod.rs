//! Upkeep: clearing away what nobody needs, looking for damage, and moving house.
//!
//! All of it runs beside pushes and pulls, on any number of servers. What goes wrong in one place is told and does not stop the
//! rest; what is deleted is told with the reason, and with `dry_run` is told alone.

mod collect;
mod copy;
mod purge;
mod verify;

use driver_api::StoragePath;

pub use self::collect::{CollectOptions, Collected, collect};
pub use self::copy::{Copied, copy};
pub use self::purge::{PurgeOptions, Purged, purge_uploads};
pub use self::verify::{Verified, VerifyOptions, verify};
use crate::digest::Digest;
use crate::error::Error;
use crate::names::RepositoryName;

/// What upkeep tells while it works.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Something is deleted, or would be.
    Victim {
        /// What it is: a file, or a directory with all that is in it.
        path: &'a StoragePath,
        /// Why nobody needs it.
        reason: &'static str,
        /// Bytes that become free.
        bytes: u64,
    },
    /// Something was not deleted because a push has come to rely on it.
    Spared(&'a StoragePath),
    /// A content was read and is what its digest says. They come in the order of their digests.
    Checked(&'a Digest),
    /// A content stays. They come in the order of their digests.
    Kept(&'a Digest),
    /// A content was copied.
    Copied {
        /// What it is.
        digest: &'a Digest,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The turn of a repository has come.
    Repository(&'a RepositoryName),
    /// Something is damaged or could not be done, and the rest goes on.
    Problem {
        /// What was being looked at.
        path: &'a StoragePath,
        /// What went wrong.
        error: &'a Error,
    },
}

/// What listens to upkeep.
pub type Listener<'a> = dyn FnMut(Event<'_>) + Send + 'a;
