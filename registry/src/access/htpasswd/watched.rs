//! The file of users, as it is now.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::users::Users;
use crate::access::{AccessError, file};

/// How long a change may go unseen.
const INTERVAL: Duration = Duration::from_secs(1);

/// A file of users that is read again when it changes.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    users: RwLock<Arc<Users>>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    stamp: Option<Stamp>,
}

/// What changes when a file does, whether it is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

impl Watched {
    /// The file at `path`, to be called where blocking is allowed.
    pub(super) fn open(path: &Path) -> Result<Self, AccessError> {
        // Taken before the content is: what is written in between is read again.
        let stamp = std::fs::metadata(path).map(|metadata| Stamp::of(&metadata)).ok();
        let users = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            users: RwLock::new(Arc::new(users)),
            seen: Arc::new(Mutex::new(Seen { at: Instant::now(), stamp })),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The users that were last read.
    pub(super) fn users(&self) -> Arc<Users> {
        self.users.read().clone()
    }

    /// Looks whether the file has changed, if nobody did lately; whether it had.
    pub(super) async fn refresh(self: &Arc<Self>) -> bool {
        // While somebody looks, all others go on with what is known.
        let Ok(mut seen) = self.seen.clone().try_lock_owned() else { return false };
        if seen.at.elapsed() < INTERVAL {
            return false;
        }
        let watched = self.clone();
        // It goes on where its request is given up, and with it the lock.
        let look = tokio::task::spawn_blocking(move || {
            let has_changed = watched.look(&mut seen);
            seen.at = Instant::now();
            has_changed
        });
        look.await.unwrap_or_default()
    }

    fn look(&self, seen: &mut Seen) -> bool {
        let metadata = std::fs::metadata(&self.path);
        let stamp = metadata.as_ref().map(Stamp::of).ok();
        if stamp == seen.stamp {
            return false;
        }
        // Also when it is no use: once is enough to say so.
        seen.stamp = stamp;
        match metadata.map_err(|error| AccessError::file(&self.path, error)).and_then(|_| read(&self.path)) {
            Ok(users) => {
                tracing::info!(path = %self.path.display(), users = users.len(), "the file of users was read again");
                *self.users.write() = Arc::new(users);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the file of users has changed, and is of no use: its last users stay");
                false
            }
        }
    }
}

fn read(path: &Path) -> Result<Users, AccessError> {
    let content = file::read(path).map_err(|error: io::Error| AccessError::file(path, error))?;
    Users::parse(&content, path)
}
