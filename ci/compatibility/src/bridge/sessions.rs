//! What closes have kept: uploads that wait to be continued by the driver value that began them.
//!
//! The other crates know no write that is put aside, so one that was closed is an upload that stays open.

use std::collections::BTreeMap;
use std::time::SystemTime;

use driver_api::{Error, ErrorKind, Result, StoragePath, Unfinished};
use parking_lot::Mutex;

/// The kept sessions of a driver value, by path.
pub(super) struct Sessions<U>(Mutex<Table<U>>);

struct Table<U> {
    kept: BTreeMap<StoragePath, Kept<U>>,
    /// The number of the next session: one that was replaced while it had an owner is not taken for its successor.
    next: u64,
}

struct Kept<U> {
    mark: Mark,
    /// None while a writer owns it.
    upload: Option<U>,
}

/// A session as it was kept last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    number: u64,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
}

impl<U> Default for Sessions<U> {
    fn default() -> Self {
        Self(Mutex::new(Table { kept: BTreeMap::new(), next: 0 }))
    }
}

impl<U> Sessions<U> {
    /// Makes the caller the owner of what is kept at `path`; none where nothing is.
    pub(super) fn resume(&self, path: &StoragePath, expected_size: Option<u64>) -> Result<Option<(U, Mark)>> {
        let mut table = self.0.lock();
        let kept = table.kept.get_mut(path);
        let size = kept.as_ref().map_or(0, |kept| kept.mark.size);
        if expected_size.is_some_and(|expected| expected != size) {
            return Err(Error::new(ErrorKind::Conflict, format!("{size} bytes are kept")));
        }
        let Some(kept) = kept else { return Ok(None) };
        Ok(Some((kept.upload.take().ok_or_else(owned)?, kept.mark)))
    }

    /// Keeps an upload. Answers with the one that was kept there before, if nobody owns it, which is to be aborted.
    pub(super) fn keep(&self, path: &StoragePath, upload: U, size: u64, modified: SystemTime) -> Option<U> {
        let mut table = self.0.lock();
        let mark = Mark { number: table.next, size, modified };
        table.next += 1;
        table.kept.insert(path.clone(), Kept { mark, upload: Some(upload) })?.upload
    }

    /// Takes back what its owner leaves as it was. Answers with it where the session has ended meanwhile.
    pub(super) fn release(&self, path: &StoragePath, upload: U, mark: Mark) -> Option<U> {
        match self.0.lock().kept.get_mut(path).filter(|kept| kept.mark.number == mark.number) {
            Some(kept) => {
                kept.upload = Some(upload);
                None
            }
            None => Some(upload),
        }
    }

    /// Ends the session of an owner.
    pub(super) fn end(&self, path: &StoragePath, mark: Mark) {
        let mut table = self.0.lock();
        if table.kept.get(path).is_some_and(|kept| kept.mark.number == mark.number) {
            table.kept.remove(path);
        }
    }

    /// Ends the session at `path`, owned or not. Answers with its upload, which is to be aborted.
    pub(super) fn discard(&self, path: &StoragePath) -> Option<U> {
        self.0.lock().kept.remove(path)?.upload
    }

    /// Ends the session at `path`, which nobody may own.
    pub(super) fn abandon(&self, path: &StoragePath) -> Result<U> {
        let mut table = self.0.lock();
        let kept = table.kept.get_mut(path).ok_or_else(|| Error::not_found(path))?;
        let upload = kept.upload.take().ok_or_else(owned)?;
        table.kept.remove(path);
        Ok(upload)
    }

    /// Ends all sessions at and below `tree`. Answers with the uploads to abort; none where there was no session.
    pub(super) fn discard_tree(&self, tree: &StoragePath) -> Option<Vec<U>> {
        let mut table = self.0.lock();
        let paths: Vec<_> = table.kept.keys().filter(|path| is_within(path, tree)).cloned().collect();
        let uploads = paths.iter().filter_map(|path| table.kept.remove(path)?.upload).collect();
        (!paths.is_empty()).then_some(uploads)
    }

    /// What is kept at and below `prefix`.
    pub(super) fn list(&self, prefix: &StoragePath) -> Vec<Unfinished> {
        let table = self.0.lock();
        let within = table.kept.iter().filter(|(path, _)| is_within(path, prefix));
        within.map(|(path, kept)| Unfinished::new(path.clone(), kept.mark.size, kept.mark.modified)).collect()
    }
}

fn owned() -> Error {
    Error::new(ErrorKind::Conflict, "another writer continues this write")
}

fn is_within(path: &StoragePath, tree: &StoragePath) -> bool {
    path == tree || path.is_below(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> StoragePath {
        StoragePath::parse(text).unwrap()
    }

    fn keep(sessions: &Sessions<u8>, name: &str, upload: u8) -> Option<u8> {
        sessions.keep(&path(name), upload, u64::from(upload), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn a_session_has_one_owner_who_can_let_go_of_it() {
        let sessions = Sessions::default();
        assert_eq!(keep(&sessions, "/a", 7), None);
        let (upload, mark) = sessions.resume(&path("/a"), Some(7)).unwrap().unwrap();
        assert_eq!(sessions.resume(&path("/a"), None).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(sessions.abandon(&path("/a")).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(sessions.list(&path("/"))[0].size, 7, "it is listed while it has an owner");
        assert_eq!(sessions.release(&path("/a"), upload, mark), None);
        assert_eq!(sessions.abandon(&path("/a")).unwrap(), 7);
        assert_eq!(sessions.abandon(&path("/a")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn another_size_than_expected_is_a_conflict() {
        let sessions = Sessions::default();
        keep(&sessions, "/a", 7);
        assert_eq!(sessions.resume(&path("/a"), Some(6)).unwrap_err().kind(), ErrorKind::Conflict);
        assert!(sessions.resume(&path("/b"), Some(0)).unwrap().is_none());
        assert_eq!(sessions.resume(&path("/b"), Some(1)).unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn what_was_replaced_does_not_come_back() {
        let sessions = Sessions::default();
        keep(&sessions, "/a", 1);
        let (first, mark) = sessions.resume(&path("/a"), None).unwrap().unwrap();
        assert_eq!(keep(&sessions, "/a", 2), None, "its owner has the upload");
        assert_eq!(sessions.release(&path("/a"), first, mark), Some(1));
        sessions.end(&path("/a"), mark);
        assert_eq!(sessions.list(&path("/a"))[0].size, 2);
        assert_eq!(keep(&sessions, "/a", 3), Some(2));
    }

    #[test]
    fn a_tree_takes_its_sessions_and_no_sibling() {
        let sessions = Sessions::default();
        for (name, upload) in [("/t", 1), ("/t/a", 2), ("/t-2", 3)] {
            keep(&sessions, name, upload);
        }
        assert_eq!(sessions.discard_tree(&path("/t")), Some(vec![1, 2]));
        assert_eq!(sessions.discard_tree(&path("/t")), None);
        assert_eq!(sessions.list(&path("/")).len(), 1);
    }
}
