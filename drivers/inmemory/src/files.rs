//! The published files, in the order of listings.

use std::collections::btree_map::Entry as Place;
use std::time::SystemTime;

use driver_api::{Condition, Entry, EntryKey, Error, ErrorKind, FileInfo, Result, StoragePath, Version};

use crate::content::Content;
use crate::ordered::{Ordered, after, behind, prefix};

/// One immutable version of a file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) stamp: Stamp,
    pub(crate) content: Content,
}

/// Which version of a file it is, and when it was published.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub(crate) version: Version,
    pub(crate) modified: SystemTime,
}

impl Stamp {
    pub(crate) fn info(&self, path: &StoragePath, size: u64) -> FileInfo {
        FileInfo::new(path.clone(), size, self.modified).with_version(self.version.clone())
    }
}

impl File {
    pub(crate) fn info(&self, path: &StoragePath) -> FileInfo {
        self.stamp.info(path, self.size())
    }

    pub(crate) fn size(&self) -> u64 {
        self.content.size()
    }

    /// Whether this is the version that the caller asks for.
    pub(crate) fn check_version(&self, wanted: Option<&Version>) -> Result<()> {
        if wanted.is_some_and(|wanted| *wanted != self.stamp.version) {
            return Err(Error::new(ErrorKind::Conflict, "the file is of another version"));
        }
        Ok(())
    }
}

/// Whether a change may replace `present`, or publish where nothing is.
pub(crate) fn check(condition: &Condition, present: Option<&File>) -> Result<()> {
    match (condition, present) {
        (Condition::None, _) | (Condition::IfAbsent, None) => Ok(()),
        (Condition::IfAbsent, Some(_)) => Err(Error::new(ErrorKind::AlreadyExists, "a file is there already")),
        (Condition::IfMatch(_), None) => Err(Error::new(ErrorKind::Conflict, "no file is there to match the version")),
        (Condition::IfMatch(version), Some(present)) => present.check_version(Some(version)),
    }
}

/// All files.
#[derive(Debug, Default)]
pub(crate) struct Files(Ordered<File>);

impl Files {
    pub(crate) fn get(&self, path: &StoragePath) -> Option<&File> {
        self.0.get(path)
    }

    /// Puts at `path` the file that `make` makes when it is shown what is there; answers with what was.
    pub(crate) fn replace(
        &mut self,
        path: &StoragePath,
        make: impl FnOnce(Option<&File>) -> Result<File>,
    ) -> Result<Option<File>> {
        match self.0.entry(path) {
            Place::Occupied(mut place) => {
                let file = make(Some(place.get()))?;
                Ok(Some(place.insert(file)))
            }
            Place::Vacant(place) => {
                place.insert(make(None)?);
                Ok(None)
            }
        }
    }

    /// Puts a file at `path`, whatever is there; answers with what was.
    pub(crate) fn insert(&mut self, path: &StoragePath, file: File) -> Option<File> {
        self.0.insert(path.clone(), file)
    }

    pub(crate) fn remove(&mut self, path: &StoragePath) -> Option<File> {
        self.0.remove(path)
    }

    /// Takes out what lies below `directory`, at most `limit` files.
    pub(crate) fn take_below(&mut self, directory: &StoragePath, limit: usize) -> Vec<File> {
        self.0.take_below(directory, limit)
    }

    pub(crate) fn is_directory(&self, path: &StoragePath) -> bool {
        path.is_root() || self.0.has_below(path)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first entries of a listing, or those behind `last`, at most `limit`.
    ///
    /// The cost is that of what it yields: whatever lies deeper than a directory that is an entry is leapt over.
    pub(crate) fn page(&self, listing: &Scope, last: Option<&EntryKey>, limit: usize) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut start = listing.start(last);
        'leap: loop {
            for (path, file) in self.0.from(&start) {
                let text = path.as_str();
                let Some(below) = text.strip_prefix(&*listing.prefix) else { return Ok(entries) };
                if entries.len() == limit {
                    return Ok(entries);
                }
                match listing.directory_in(below) {
                    None => entries.push(Entry::File(file.info(path))),
                    Some(name) => {
                        let directory = &text[..listing.prefix.len() + name.len() + 1];
                        start = behind(directory);
                        entries.push(Entry::Directory(StoragePath::parse(&directory[..directory.len() - 1])?));
                        continue 'leap;
                    }
                }
            }
            return Ok(entries);
        }
    }
}

/// What a listing is of.
#[derive(Debug)]
pub(crate) struct Scope {
    prefix: String,
    recursive: bool,
}

impl Scope {
    pub(crate) fn new(directory: &StoragePath, recursive: bool) -> Self {
        Self { prefix: prefix(directory), recursive }
    }

    /// The first text that can belong to an entry behind `last`.
    fn start(&self, last: Option<&EntryKey>) -> String {
        let Some(last) = last.map(EntryKey::as_str).filter(|last| **last > *self.prefix) else {
            return self.prefix.clone();
        };
        match last.strip_prefix(&*self.prefix).and_then(|below| self.directory_in(below)) {
            Some(name) => behind(&last[..self.prefix.len() + name.len() + 1]),
            None => after(last),
        }
    }

    /// The entry that the text `below` the directory stands for, where this is a directory.
    fn directory_in<'a>(&self, below: &'a str) -> Option<&'a str> {
        if self.recursive {
            return None;
        }
        below.split_once('/').map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ordered::tests::VISITED;

    fn path(text: &str) -> StoragePath {
        StoragePath::parse(text).unwrap()
    }

    fn files<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Files {
        let mut files = Files::default();
        for text in texts {
            let stamp = Stamp { version: Version::new("1"), modified: SystemTime::UNIX_EPOCH };
            files.insert(&path(text.as_ref()), File { stamp, content: Content::One(Bytes::new()) });
        }
        files
    }

    fn keys(page: Vec<Entry>) -> Vec<String> {
        page.iter().map(|entry| entry.key().as_str().to_owned()).collect()
    }

    const SIBLINGS: [&str; 8] = ["/d/a", "/d/a-b", "/d/a.b", "/d/a/x", "/d/a/y/z", "/d/a0", "/d-", "/d0"];

    #[test]
    fn a_level_and_a_tree_have_one_order() {
        let files = files(SIBLINGS);
        let level = files.page(&Scope::new(&path("/d"), false), None, 10).unwrap();
        assert_eq!(keys(level), ["/d/a", "/d/a-b", "/d/a.b", "/d/a/", "/d/a0"]);
        let tree = files.page(&Scope::new(&path("/d"), true), None, 10).unwrap();
        assert_eq!(keys(tree), ["/d/a", "/d/a-b", "/d/a.b", "/d/a/x", "/d/a/y/z", "/d/a0"]);
        let root = files.page(&Scope::new(&StoragePath::root(), false), None, 10).unwrap();
        assert_eq!(keys(root), ["/d-", "/d/", "/d0"]);
    }

    #[test]
    fn a_listing_begins_behind_any_key() {
        let files = files(SIBLINGS);
        for (recursive, directory) in [(false, "/d"), (true, "/d"), (false, "/"), (true, "/")] {
            let scope = Scope::new(&path(directory), recursive);
            let whole = files.page(&scope, None, 10).unwrap();
            for text in
                ["/", "/a", "/d", "/d/", "/d/a", "/d/a-", "/d/a-b", "/d/a/", "/d/a/x", "/d/a/y/", "/d/b", "/d0", "/e/"]
            {
                let start = EntryKey::parse(text).unwrap();
                let due = whole.iter().filter(|entry| entry.key() > start).cloned().collect();
                let page = files.page(&scope, Some(&start), 10).unwrap();
                assert_eq!(keys(page), keys(due), "{directory} behind {text}");
            }
        }
    }

    #[test]
    fn pages_of_any_size_make_one_listing() {
        let files = files(SIBLINGS);
        for recursive in [false, true] {
            let scope = Scope::new(&path("/d"), recursive);
            let whole = files.page(&scope, None, 10).unwrap();
            for limit in 1..=whole.len() {
                let mut paged: Vec<Entry> = Vec::new();
                loop {
                    let page = files.page(&scope, paged.last().map(Entry::key).as_ref(), limit).unwrap();
                    if page.is_empty() {
                        break;
                    }
                    paged.extend(page);
                }
                assert_eq!(paged, whole);
            }
        }
    }

    #[test]
    fn a_page_does_not_visit_what_lies_deeper_or_beside() {
        let mut texts = Vec::new();
        for number in 0..100_000 {
            texts.push(format!("/wide/dir{}/deep/file{number:06}", number % 10));
        }
        texts.push("/wide/zfile".to_owned());
        let files = files(&texts);
        VISITED.set(0);
        let page = files.page(&Scope::new(&path("/wide"), false), None, 1000).unwrap();
        assert_eq!(page.len(), 11);
        // Each leap is one walk down the tree, of at most 11 keys on each of about 8 floors.
        assert!(VISITED.get() < 12 * 90, "{} keys visited", VISITED.get());

        VISITED.set(0);
        let start = EntryKey::parse("/wide/dir5/deep/file050000").unwrap();
        let page = files.page(&Scope::new(&path("/wide/dir5/deep"), true), Some(&start), 10).unwrap();
        assert_eq!(page.len(), 10);
        assert!(VISITED.get() < 90 + 11, "{} keys visited", VISITED.get());
    }
}
