//! Which directories are known to be on the disk, so that a write into one of them syncs that one alone.

use std::collections::HashSet;
use std::io;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::errors::is_absent;
use crate::store::Store;
use crate::system_calls::{FileId, Status, SystemCalls};
use crate::tree;

/// The directories whose own name, and the names of all above them up to the root, are on the disk.
///
/// A directory is known by its inode and the time of its birth, because inodes are used again. The driver never renames a
/// directory, so a known one stays known until it is removed. Where the file system keeps no birth times nothing is known,
/// and each write syncs up to the root.
#[derive(Debug, Default)]
pub(crate) struct DurableDirectories(Mutex<HashSet<Identity>>);

type Identity = (FileId, SystemTime);

/// About 3 MiB. Forgetting costs syncs, no safety.
const MOST_KNOWN: usize = 1 << 16;

impl DurableDirectories {
    fn contains(&self, status: &Status) -> bool {
        identity(status).is_some_and(|identity| self.0.lock().contains(&identity))
    }

    fn insert(&self, found: impl IntoIterator<Item = Identity>) {
        let mut known = self.0.lock();
        for identity in found {
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(identity);
        }
    }

    fn remove(&self, status: &Status) {
        if let Some(identity) = identity(status) {
            self.0.lock().remove(&identity);
        }
    }
}

fn identity(status: &Status) -> Option<Identity> {
    status.born.map(|born| (status.id, born))
}

impl<S: SystemCalls> Store<S> {
    /// Brings the name of `directory`, and those of the directories above it, to the disk where they may not be there yet,
    /// whoever made them. `relative` is the directory's path below the root.
    ///
    /// This comes before anything is renamed into the directory: a file that was safe where it was must not be lost with a
    /// directory that was not.
    pub(crate) fn settle_directory(
        &self,
        root: &S::Directory,
        relative: &str,
        directory: &S::Directory,
    ) -> io::Result<()> {
        if !self.durable || relative.is_empty() {
            return Ok(());
        }
        let mut fresh = Vec::new();
        let mut below = relative;
        let mut status = self.system.directory_status(directory)?;
        while !below.is_empty() && !self.known.contains(&status) {
            fresh.extend(identity(&status));
            below = tree::split(below).0;
            match self.open_directory(root, below) {
                Ok(above) => {
                    self.system.sync_directory(&above)?;
                    status = self.system.directory_status(&above)?;
                }
                // Deleted since, with all that was in it.
                Err(error) if is_absent(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if !fresh.is_empty() {
            self.known.insert(fresh);
        }
        Ok(())
    }

    /// Brings the names in a directory to the disk.
    pub(crate) fn sync_names(&self, directory: &S::Directory) -> io::Result<()> {
        if self.durable { self.system.sync_directory(directory) } else { Ok(()) }
    }

    /// Forgets a directory that was just removed; its inode and its time of birth may come again within one tick.
    pub(crate) fn forget_removed(&self, removed: &S::Directory) {
        if self.durable
            && let Ok(status) = self.system.directory_status(removed)
        {
            self.known.remove(&status);
        }
    }
}
