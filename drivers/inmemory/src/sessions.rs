//! The kept sessions: what was written, closed and not committed.

use std::time::SystemTime;

use driver_api::{Error, ErrorKind, Result, StoragePath, Unfinished};

use crate::content::Staged;
use crate::ordered::{Ordered, after, prefix};

/// Which session this is. A session keeps its number from close to close, and a later one has a greater number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(u64);

/// A kept session.
#[derive(Debug)]
pub(crate) struct Kept {
    id: SessionId,
    summary: Unfinished,
    bytes: Held,
}

/// Who holds the bytes of a kept session.
#[derive(Debug)]
enum Held {
    Here(Staged),
    /// A writer that resumed it, and gives back at least what was kept.
    ByOwner,
}

/// All kept sessions, at most one at a path. What these methods take out is answered, to be dropped outside of the lock.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    kept: Ordered<Kept>,
    begun: u64,
}

impl Sessions {
    /// A number for a session that begins.
    pub(crate) fn begin(&mut self) -> SessionId {
        self.begun += 1;
        SessionId(self.begun)
    }

    /// Hands the session kept at `path` to an owner, if there is one; Conflict where it has an owner, and where another size
    /// is kept than expected.
    pub(crate) fn resume(
        &mut self,
        path: &StoragePath,
        expected_size: Option<u64>,
    ) -> Result<Option<(SessionId, Staged)>> {
        let session = self.kept.get_mut(path);
        let kept = session.as_ref().map_or(0, |session| session.summary.size);
        if let Some(expected) = expected_size.filter(|expected| *expected != kept) {
            let message = format!("{kept} bytes are kept of the unfinished write, not {expected}");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let Some(session) = session else { return Ok(None) };
        match std::mem::replace(&mut session.bytes, Held::ByOwner) {
            Held::Here(bytes) => Ok(Some((session.id, bytes))),
            Held::ByOwner => Err(owned()),
        }
    }

    /// Keeps a session at `path`, in the place of whatever is kept there. One that has not grown since it was kept last keeps
    /// its time, for opening it to ask for its size changes nothing (WRITE-12).
    pub(crate) fn keep(&mut self, id: SessionId, path: &StoragePath, bytes: Staged) -> Option<Kept> {
        let unchanged = self.kept.get(path).filter(|before| before.id == id && before.summary.size == bytes.size());
        let at = unchanged.map_or_else(SystemTime::now, |before| before.summary.modified);
        let summary = Unfinished::new(path.clone(), bytes.size(), at);
        self.kept.insert(path.clone(), Kept { id, summary, bytes: Held::Here(bytes) })
    }

    /// Takes back a session whose owner was dropped, cut to what was kept before; answers with the bytes that belong nowhere.
    pub(crate) fn give_back(&mut self, id: SessionId, path: &StoragePath, mut bytes: Staged) -> Option<Staged> {
        match self.kept.get_mut(path).filter(|session| session.id == id) {
            Some(session) => {
                bytes.truncate(session.summary.size);
                session.bytes = Held::Here(bytes);
                None
            }
            None => Some(bytes),
        }
    }

    /// Ends the session kept at `path`, unless it is a later one than `id`.
    pub(crate) fn end(&mut self, id: SessionId, path: &StoragePath) -> Option<Kept> {
        if self.kept.get(path)?.id > id { None } else { self.kept.remove(path) }
    }

    /// Ends the session kept at exactly `path`; NotFound where none is, Conflict where it has an owner.
    pub(crate) fn abandon(&mut self, path: &StoragePath) -> Result<Option<Kept>> {
        match self.kept.get(path).map(|session| &session.bytes) {
            None => Err(Error::new(ErrorKind::NotFound, "no unfinished write is kept there").with_path(path)),
            Some(Held::ByOwner) => Err(owned()),
            Some(Held::Here(_)) => Ok(self.kept.remove(path)),
        }
    }

    /// Takes out the session kept at `path` and those below, at most `limit` of these.
    pub(crate) fn take_tree(&mut self, path: &StoragePath, limit: usize) -> Vec<Kept> {
        let mut taken = self.kept.take_below(path, limit);
        taken.extend(self.kept.remove(path));
        taken
    }

    /// The first sessions at and below `path`, or those behind `last`, at most `limit`.
    pub(crate) fn page(&self, path: &StoragePath, last: Option<&StoragePath>, limit: usize) -> Vec<Unfinished> {
        let prefix = prefix(path);
        let (at, start) = match last {
            None => (self.kept.get(path), prefix.clone()),
            Some(last) if last == path => (None, prefix.clone()),
            Some(last) => (None, after(last.as_str())),
        };
        let below = self
            .kept
            .from(&start)
            .take_while(|(below, _)| below.as_str().starts_with(&prefix))
            .map(|(_, session)| session);
        at.into_iter().chain(below).take(limit).map(|session| session.summary.clone()).collect()
    }
}

fn owned() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "another writer has resumed this write; it is free again once that one was closed, cancelled or dropped",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::budget::Budget;

    fn path(text: &str) -> StoragePath {
        StoragePath::parse(text).unwrap()
    }

    fn bytes(size: usize) -> Staged {
        let mut staged = Staged::new(Arc::new(Budget::new(None)));
        staged.append(vec![0; size].into()).unwrap();
        staged
    }

    #[test]
    fn only_the_same_session_of_the_same_size_keeps_its_time() {
        let (mut sessions, at) = (Sessions::default(), path("/a"));
        let (first, second) = (sessions.begin(), sessions.begin());
        let long_ago = SystemTime::UNIX_EPOCH;
        for (id, size, keeps) in [(first, 6, true), (first, 7, false), (second, 6, false)] {
            sessions.keep(first, &at, bytes(6));
            sessions.kept.get_mut(&at).unwrap().summary.modified = long_ago;
            sessions.keep(id, &at, bytes(size));
            assert_eq!(sessions.kept.get(&at).unwrap().summary.modified == long_ago, keeps, "{id:?} of {size}");
        }
    }

    #[test]
    fn pages_of_sessions_make_the_whole() {
        let mut sessions = Sessions::default();
        for text in ["/a", "/a-b", "/a/1", "/a/2/3", "/a0", "/b"] {
            let id = sessions.begin();
            sessions.keep(id, &path(text), bytes(1));
        }
        let (mut found, mut last) = (Vec::new(), None::<StoragePath>);
        while let [session] = &sessions.page(&path("/a"), last.as_ref(), 1)[..] {
            found.push(session.path.to_string());
            assert!(found.len() <= 3, "{found:?}");
            last = Some(session.path.clone());
        }
        assert_eq!(found, ["/a", "/a/1", "/a/2/3"]);
    }
}
