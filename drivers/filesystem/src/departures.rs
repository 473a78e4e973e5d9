//! Writers that were dropped and are not gone yet: their last chunk, or the cleaning up behind them, is still under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use driver_api::StoragePath;
use parking_lot::{Condvar, Mutex};

/// How long anybody waits for a writer that was dropped. Its last steps are bounded work on one file; more than this is a disk
/// that hangs.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The dropped writers of one driver value, by path. Who finds a session owned by one of them waits for it instead of being
/// refused, because for its caller the owner has been gone since the drop.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    leaving: Mutex<HashMap<StoragePath, usize>>,
    gone: Condvar,
}

/// One dropped writer, until it is gone.
#[derive(Debug)]
pub(crate) struct Departure {
    departures: Arc<Departures>,
    path: StoragePath,
}

impl Departures {
    /// Announces that the writer of `path` was dropped.
    pub(crate) fn announce(self: &Arc<Self>, path: &StoragePath) -> Departure {
        *self.leaving.lock().entry(path.clone()).or_default() += 1;
        Departure { departures: Arc::clone(self), path: path.clone() }
    }

    /// Waits until no dropped writer of `path` is left; false where there was none, or where it stays for too long.
    pub(crate) fn wait(&self, path: &StoragePath) -> bool {
        let until = Instant::now() + LONGEST_WAIT;
        let mut leaving = self.leaving.lock();
        if !leaving.contains_key(path) {
            return false;
        }
        while leaving.contains_key(path) {
            if self.gone.wait_until(&mut leaving, until).timed_out() {
                return false;
            }
        }
        true
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        let mut leaving = self.departures.leaving.lock();
        if let Some(left) = leaving.get_mut(&self.path) {
            *left -= 1;
            if *left == 0 {
                leaving.remove(&self.path);
            }
        }
        self.departures.gone.notify_all();
    }
}
