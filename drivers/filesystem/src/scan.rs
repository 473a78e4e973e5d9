//! The names in a directory, complete and in order.

use std::cmp::Ordering;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use driver_api::{Error, ErrorKind, Result, is_valid_component};

use crate::errors::Attempt;
use crate::store::Store;
use crate::system_calls::{Kind, SystemCalls};

/// The file system's clock advances in steps of up to this. A directory that changed less than this before a scan may
/// change during the scan without another date.
const CLOCK_STEP: Duration = Duration::from_millis(20);
/// How many scans in a row must bring nothing new, where the directory never stops changing.
const QUIET_SCANS: u32 = 3;
const MOST_SCANS: u32 = 32;

/// The entries of a directory that belong to the store, in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Names {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// Whether the entries of several scans are united here, so that a directory may be gone again.
    pub(crate) united: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The first bytes of the key as a number, which decides most comparisons.
    lead: u64,
    start: usize,
    length: u8,
    directory: bool,
}

/// One name of a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) name: &'a str,
    pub(crate) directory: bool,
}

impl Name<'_> {
    /// Whether all that this name leads to stands at or before `key`, which is relative to the same directory.
    pub(crate) fn is_done_by(&self, key: &str, recursive: bool) -> bool {
        if !self.directory {
            return self.name <= key;
        }
        let before = compare(self.name.as_bytes(), true, key.as_bytes(), false).is_le();
        before && !(recursive && key.strip_prefix(self.name).is_some_and(|rest| rest.starts_with('/')))
    }
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<Name<'_>> {
        let entry = self.entries.get(index)?;
        // Names are valid components, which are ASCII.
        let name = std::str::from_utf8(self.bytes_of(entry)).ok()?;
        Some(Name { name, directory: entry.directory })
    }

    /// The first entry behind `key`, which is relative to this directory.
    pub(crate) fn position_behind(&self, key: &str, recursive: bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle) {
                Some(name) if name.is_done_by(key, recursive) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    fn bytes_of(&self, entry: &Entry) -> &[u8] {
        &self.text[entry.start..entry.start + usize::from(entry.length)]
    }

    fn push(&mut self, name: &[u8], directory: bool) {
        let Ok(length) = u8::try_from(name.len()) else { return };
        self.entries.push(Entry { lead: lead(name, directory), start: self.text.len(), length, directory });
        self.text.extend_from_slice(name);
    }

    fn sort(&mut self) {
        let text = &self.text;
        let bytes = |entry: &Entry| &text[entry.start..entry.start + usize::from(entry.length)];
        self.entries.sort_unstable_by(|one, other| {
            one.lead.cmp(&other.lead).then_with(|| compare(bytes(one), one.directory, bytes(other), other.directory))
        });
        self.entries.dedup_by(|one, other| one.directory == other.directory && bytes(one) == bytes(other));
    }
}

/// The first eight bytes of a key. No byte of a key is 0, so that a key that ends earlier comes first.
fn lead(name: &[u8], directory: bool) -> u64 {
    let mut first = [0; 8];
    let length = name.len().min(8);
    first[..length].copy_from_slice(&name[..length]);
    if directory && length < 8 {
        first[length] = b'/';
    }
    u64::from_be_bytes(first)
}

/// The order of two keys, without making them: a directory's has a `/` behind its name.
fn compare(one: &[u8], one_is_directory: bool, other: &[u8], other_is_directory: bool) -> Ordering {
    let shared = one.len().min(other.len());
    one[..shared].cmp(&other[..shared]).then_with(|| {
        let rest = |name: &[u8], directory: bool| match name.get(shared) {
            Some(byte) => (*byte, true),
            None if directory => (b'/', false),
            None => (0, false),
        };
        rest(one, one_is_directory).cmp(&rest(other, other_is_directory))
    })
}

impl<S: SystemCalls> Store<S> {
    /// All entries of a directory that belong to the store.
    ///
    /// A name that is overwritten by a rename during a scan can be missing from that scan. So a directory that changed
    /// meanwhile is scanned again, and the scans are united, until one was not disturbed or several brought nothing new.
    /// One that does not change is scanned once.
    pub(crate) fn names(&self, directory: &S::Directory) -> Result<Names> {
        let mut names = Names::default();
        let mut quiet = 0;
        for _ in 0..MOST_SCANS {
            let known = names.len();
            let undisturbed = self.scan_into(directory, &mut names).trying_to("list the directory")?;
            quiet = if names.len() == known { quiet + 1 } else { 0 };
            if undisturbed || quiet == QUIET_SCANS {
                return Ok(names);
            }
            names.united = true;
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "the directory kept changing faster than it could be listed; try again in a while",
        ))
    }

    /// Adds the entries of one scan; whether the directory did not change meanwhile.
    fn scan_into(&self, directory: &S::Directory, names: &mut Names) -> io::Result<bool> {
        let begun = self.system.now();
        let before = self.system.directory_status(directory)?.changed;
        self.system.read_directory(directory, &mut |name, kind| {
            let name = name.as_encoded_bytes();
            if kind != Kind::Foreign && is_valid_component(name) {
                names.push(name, kind == Kind::Directory);
            }
            ControlFlow::Continue(())
        })?;
        names.sort();
        let after = self.system.directory_status(directory)?.changed;
        Ok(before == after && after + CLOCK_STEP < begun)
    }

    /// Whether anything of the store is in a directory.
    pub(crate) fn has_entries(&self, directory: &S::Directory) -> io::Result<bool> {
        let mut found = false;
        self.system.read_directory(directory, &mut |name, kind| {
            found = kind != Kind::Foreign && is_valid_component(name.as_encoded_bytes());
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &(&str, bool)) -> String {
        format!("{}{}", name.0, if name.1 { "/" } else { "" })
    }

    const NAMES: &[(&str, bool)] = &[
        ("a", false),
        ("a", true),
        ("a-b", false),
        ("a.b", true),
        ("a0", false),
        ("ab", true),
        ("abcdefgh", false),
        ("abcdefgh", true),
        ("abcdefgh-", false),
        ("abcdefgh.", true),
        ("abcdefghi", false),
        ("abcdefg", true),
        ("A", true),
    ];

    #[test]
    fn sorts_by_key_as_text_does() {
        let mut names = Names::default();
        NAMES.iter().chain(NAMES).for_each(|(name, directory)| names.push(name.as_bytes(), *directory));
        names.sort();
        let sorted: Vec<String> = (0..names.len())
            .filter_map(|index| names.get(index))
            .map(|name| key(&(name.name, name.directory)))
            .collect();
        let mut expected: Vec<String> = NAMES.iter().map(key).collect();
        expected.sort();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn begins_behind_any_key() {
        let mut names = Names::default();
        NAMES.iter().for_each(|(name, directory)| names.push(name.as_bytes(), *directory));
        names.sort();
        for behind in ["a", "a/", "a/x", "a-", "a.b/c", "abcdefgh", "abcdefgh/", "abcdefgh/z", "zz", "A", "0"] {
            let expected = NAMES.iter().map(key).filter(|key| key.as_str() > behind).count();
            assert_eq!(names.len() - names.position_behind(behind, false), expected, "{behind}");
            let expected = NAMES
                .iter()
                .map(key)
                .filter(|key| key.as_str() > behind || (key.ends_with('/') && behind.starts_with(key.as_str())))
                .count();
            assert_eq!(names.len() - names.position_behind(behind, true), expected, "{behind}, recursive");
        }
    }
}
