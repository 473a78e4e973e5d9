//! Writers that were dropped and still hold the lock of a kept session: their last chunk, or the cleaning up behind them, is
//! under way.
//!
//! A drop cannot wait, so the lock goes a moment after it; but for the caller the owner has been gone since the drop. Who
//! finds a session locked by such a writer waits for it instead of being refused. The table is the process's, as the
//! kernel's locks are: whichever driver value looks finds the owner that another one dropped.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::system_calls::FileId;

/// How long anybody waits for a writer that was dropped. Its last steps are bounded work on one file; more than this is a disk
/// that hangs.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How many dropped writers hold the lock of each file.
static LEAVING: Mutex<BTreeMap<FileId, usize>> = Mutex::new(BTreeMap::new());
static GONE: Condvar = Condvar::new();

/// One dropped writer, until it has let go.
#[derive(Debug)]
pub(crate) struct Departure(FileId);

impl Departure {
    /// Announces that the writer which holds the lock of `file` was dropped.
    pub(crate) fn announce(file: FileId) -> Self {
        *LEAVING.lock().entry(file).or_default() += 1;
        Self(file)
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        let mut leaving = LEAVING.lock();
        if let Some(left) = leaving.get_mut(&self.0) {
            *left -= 1;
            if *left == 0 {
                leaving.remove(&self.0);
            }
        }
        GONE.notify_all();
    }
}

/// Waits until no dropped writer holds the lock of `file`; false where there was none, or where it stays for too long.
pub(crate) fn wait_for_departure(file: FileId) -> bool {
    let until = Instant::now() + LONGEST_WAIT;
    let mut leaving = LEAVING.lock();
    if !leaving.contains_key(&file) {
        return false;
    }
    while leaving.contains_key(&file) {
        if GONE.wait_until(&mut leaving, until).timed_out() {
            return false;
        }
    }
    true
}
