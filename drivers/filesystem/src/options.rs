//! What an operator chooses.

use std::path::PathBuf;

/// Against what an acknowledged change is safe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FilesystemDurability {
    /// A loss of power: files are synced before they are published, and directories after.
    #[default]
    Full,
    /// The kill of the process, and nothing more: no syncs.
    Process,
}

/// The settings of a [`FilesystemDriver`](crate::FilesystemDriver).
///
/// ```
/// use driver_filesystem::{FilesystemDurability, FilesystemOptions};
/// let mut options = FilesystemOptions::new("/var/lib/registry");
/// options.durability = FilesystemDurability::Process;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilesystemOptions {
    /// The directory that holds the store. It is made at the first write, and may be a symbolic link. A relative path is
    /// taken from the working directory at construction.
    pub root: PathBuf,
    /// Against what an acknowledged change is safe.
    pub durability: FilesystemDurability,
    /// The most operations that use the disk at once; others wait. Fewer than [`MIN_THREADS`](Self::MIN_THREADS) count as
    /// that many.
    pub max_threads: usize,
}

impl FilesystemOptions {
    /// The number of operations at once where the operator does not choose.
    pub const DEFAULT_THREADS: usize = 100;
    /// The least number of operations at once.
    pub const MIN_THREADS: usize = 25;

    /// A store in the directory `root`, safe against a loss of power.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), durability: FilesystemDurability::default(), max_threads: Self::DEFAULT_THREADS }
    }
}
