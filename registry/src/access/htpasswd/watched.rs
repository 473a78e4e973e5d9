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
    /// Of the content that was last read, whether or not it was of any use.
    stamp: Option<Stamp>,
    /// Of what could not be read, and was told.
    failed: Option<Option<Stamp>>,
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
            seen: Arc::new(Mutex::new(Seen { at: Instant::now(), stamp, failed: None })),
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
        // A storage that hangs is no reason to let nobody in.
        tokio::time::timeout(INTERVAL, look).await.is_ok_and(Result::unwrap_or_default)
    }

    fn look(&self, seen: &mut Seen) -> bool {
        let metadata = std::fs::metadata(&self.path);
        let stamp = metadata.as_ref().map(Stamp::of).ok();
        if stamp.is_some() && stamp == seen.stamp {
            return false;
        }
        let metadata = metadata.map_err(|error| AccessError::file(&self.path, error));
        let users = metadata.and_then(|_| read(&self.path));
        // What could not be read is tried again and told once; what was read is not read again.
        let was_read = !matches!(users, Err(AccessError::File { .. }));
        let is_news = was_read || seen.failed != Some(stamp);
        seen.failed = (!was_read).then_some(stamp);
        if was_read {
            seen.stamp = stamp;
        }
        match users {
            Ok(users) => {
                tracing::info!(path = %self.path.display(), users = users.len(), "the file of users was read again");
                *self.users.write() = Arc::new(users);
                true
            }
            Err(error) => {
                if is_news {
                    tracing::error!(%error, "the file of users has changed, and is of no use: its last users stay");
                }
                false
            }
        }
    }
}

fn read(path: &Path) -> Result<Users, AccessError> {
    let content = file::read(path).map_err(|error: io::Error| AccessError::file(path, error))?;
    Users::parse(&content, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let hash = bcrypt::hash("secret", 4).unwrap();
        let write = |names: &[&str]| {
            let lines: Vec<_> = names.iter().map(|name| format!("{name}:{hash}\n")).collect();
            std::fs::write(&path, lines.concat()).unwrap();
        };
        write(&["ana"]);
        let watched = Watched::open(&path).unwrap();
        let mut seen = Seen { at: Instant::now(), stamp: None, failed: None };
        assert!(watched.look(&mut seen));
        assert!(!watched.look(&mut seen));
        std::fs::remove_file(&path).unwrap();
        for _ in 0..2 {
            assert!(!watched.look(&mut seen));
            assert_eq!(seen.failed, Some(None));
        }
        std::fs::create_dir(&path).unwrap();
        assert!(!watched.look(&mut seen));
        assert!(matches!(seen.failed, Some(Some(_))));
        std::fs::remove_dir(&path).unwrap();
        write(&["ana", "bob"]);
        assert!(watched.look(&mut seen));
        assert_eq!((watched.users().len(), seen.failed), (2, None));
        std::fs::write(&path, "nothing").unwrap();
        assert!(!watched.look(&mut seen));
        assert_eq!((watched.users().len(), seen.failed), (2, None));
        assert_eq!(seen.stamp, std::fs::metadata(&path).ok().as_ref().map(Stamp::of));
    }
}
