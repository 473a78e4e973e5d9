//! Values in the bytewise order of their paths' text, which is the order of listings (LIST-2).
//!
//! All that lies below a directory stands together, between the directory's path with a `/` behind it and the same with a
//! `0`, the byte that follows `/`. Siblings such as `a-b` and `a.b` stand between the file `a` and what is below `a/`.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

use driver_api::StoragePath;

/// A map from paths to values that can be entered at any text.
#[derive(Debug)]
pub(crate) struct Ordered<V>(BTreeMap<Key, V>);

/// A path that is found by text which is no path, such as `/a/`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(StoragePath);

impl Key {
    /// The only way to look at a key; in tests it counts.
    fn path(&self) -> &StoragePath {
        #[cfg(test)]
        tests::VISITED.set(tests::VISITED.get() + 1);
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.path().as_str()
    }
}

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> Ordered<V> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, path: &StoragePath) -> Option<&V> {
        self.0.get(path.as_str())
    }

    pub(crate) fn get_mut(&mut self, path: &StoragePath) -> Option<&mut V> {
        self.0.get_mut(path.as_str())
    }

    pub(crate) fn insert(&mut self, path: StoragePath, value: V) -> Option<V> {
        self.0.insert(Key(path), value)
    }

    pub(crate) fn remove(&mut self, path: &StoragePath) -> Option<V> {
        self.0.remove(path.as_str())
    }

    /// The place of `path`, taken or not.
    pub(crate) fn entry(&mut self, path: &StoragePath) -> Entry<'_, Key, V> {
        self.0.entry(Key(path.clone()))
    }

    /// The paths and values from `start` on.
    pub(crate) fn from<'a>(&'a self, start: &str) -> impl Iterator<Item = (&'a StoragePath, &'a V)> + use<'a, V> {
        self.0.range::<str, _>((Bound::Included(start), Bound::Unbounded)).map(|(key, value)| (key.path(), value))
    }

    /// Whether anything lies below `directory`.
    pub(crate) fn has_below(&self, directory: &StoragePath) -> bool {
        let prefix = prefix(directory);
        self.from(&prefix).next().is_some_and(|(path, _)| path.as_str().starts_with(&prefix))
    }

    /// Takes out what lies below `directory`, at most `limit` values.
    pub(crate) fn take_below(&mut self, directory: &StoragePath, limit: usize) -> Vec<V> {
        let prefix = prefix(directory);
        let behind = behind(&prefix);
        let mut below = self.0.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Excluded(behind.as_str())));
        let Some((first, _)) = below.next() else { return Vec::new() };
        // `extract_if` takes keys as bounds, not text: the first and the last that are there.
        let last = below.next_back().map_or(first, |(last, _)| last);
        let range = Key(first.0.clone())..=Key(last.0.clone());
        self.0.extract_if(range, |_, _| true).take(limit).map(|(_, value)| value).collect()
    }
}

/// What the text of every path below `directory` begins with.
pub(crate) fn prefix(directory: &StoragePath) -> String {
    let mut prefix = String::with_capacity(directory.as_str().len() + 1);
    prefix.push_str(directory.as_str());
    if !directory.is_root() {
        prefix.push('/');
    }
    prefix
}

/// The first text behind all that begins with `prefix`, which ends with `/`.
pub(crate) fn behind(prefix: &str) -> String {
    let mut behind = prefix.to_owned();
    behind.pop();
    behind.push('0');
    behind
}

/// The first text strictly behind `text`: no byte of a path is less than NUL.
pub(crate) fn after(text: &str) -> String {
    let mut after = String::with_capacity(text.len() + 1);
    after.push_str(text);
    after.push('\0');
    after
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How many keys were looked at in this thread.
        pub(crate) static VISITED: Cell<usize> = const { Cell::new(0) };
    }

    fn ordered(texts: &[&str]) -> Ordered<String> {
        let mut ordered = Ordered::default();
        for text in texts {
            ordered.insert(StoragePath::parse(text).unwrap(), (*text).to_owned());
        }
        ordered
    }

    #[test]
    fn a_directory_has_neither_its_own_file_nor_its_siblings_below() {
        let mut ordered = ordered(&["/a", "/a-b", "/a.b", "/a/x", "/a/y/z", "/a0"]);
        let directory = StoragePath::parse("/a").unwrap();
        assert!(ordered.has_below(&directory));
        assert_eq!(ordered.take_below(&directory, 1), ["/a/x"]);
        assert_eq!(ordered.take_below(&directory, 10), ["/a/y/z"]);
        assert_eq!(ordered.take_below(&directory, 10), [""; 0]);
        assert!(!ordered.has_below(&directory));
        assert_eq!(ordered.take_below(&StoragePath::root(), 10), ["/a", "/a-b", "/a.b", "/a0"]);
    }
}
