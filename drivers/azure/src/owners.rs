//! Which kept sessions have a writer that continues them, within one driver value.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// The sessions that have an owner.
#[derive(Debug, Default)]
pub(crate) struct Owners(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    owned: HashSet<u64>,
    releases: u64,
}

/// One session, owned until this is dropped.
#[derive(Debug)]
pub(crate) struct Ownership {
    owners: Arc<Owners>,
    session: u64,
}

impl Owners {
    /// Makes the caller the owner of `session`; none where it has one.
    pub(crate) fn claim(self: &Arc<Self>, session: u64) -> Option<Ownership> {
        self.0.lock().owned.insert(session).then(|| Ownership { owners: self.clone(), session })
    }

    pub(crate) fn is_owned(&self, session: u64) -> bool {
        self.0.lock().owned.contains(&session)
    }

    /// How often a session was released. What was read of a session before a release may be out of date after it.
    pub(crate) fn releases(&self) -> u64 {
        self.0.lock().releases
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        let mut state = self.owners.0.lock();
        state.owned.remove(&self.session);
        state.releases += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_one_owner_at_a_time() {
        let owners = Arc::new(Owners::default());
        let first = owners.claim(7).unwrap();
        assert!(owners.is_owned(7) && owners.claim(7).is_none() && owners.claim(8).is_some());
        let before = owners.releases();
        drop(first);
        assert!(owners.claim(7).is_some() && owners.releases() > before);
    }
}
