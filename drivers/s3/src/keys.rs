//! Keys of objects: where paths, directories and kept sessions are in the bucket.

use std::fmt;

use driver_api::{Error, ErrorKind, Result, StoragePath};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The most bytes of a root prefix, and the most components (PATH-7): what is left of S3's 1024 bytes holds every path.
const MAX_ROOT_BYTES: usize = 100;
const MAX_ROOT_COMPONENTS: usize = 40;

/// The directory of the objects that hold kept sessions, and the end of their names. No path has a `~`.
const SESSIONS: &str = "~/";
const SESSION_END: &str = "~";

/// What stands unencoded in the value of a query's parameter, and what in the path of a key.
const KEPT_IN_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const KEPT_IN_KEY: &AsciiSet = &KEPT_IN_VALUE.remove(b'/');

/// The keys behind one root prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Empty, or with a `/` at its end.
    root: String,
}

impl Keys {
    /// The keys below `root`; slashes around it do not matter.
    pub(crate) fn new(root: &str) -> Result<Self> {
        let root = root.trim_matches('/');
        if root.is_empty() {
            return Ok(Self { root: String::new() });
        }
        let components: Vec<_> = root.split('/').collect();
        if root.len() > MAX_ROOT_BYTES || components.len() > MAX_ROOT_COMPONENTS {
            let message = format!(
                "the root prefix has {} bytes and {} components; {MAX_ROOT_BYTES} and {MAX_ROOT_COMPONENTS} are allowed",
                root.len(),
                components.len()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let is_odd = |component: &&str| {
            matches!(*component, "" | "." | "..") || component.chars().any(char::is_control) || component.contains('~')
        };
        if let Some(component) = components.into_iter().find(is_odd) {
            let message = format!("{component:?} can't be a component of the root prefix");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(Self { root: format!("{root}/") })
    }

    /// What all keys of this root begin with.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The key of the file at `path`.
    pub(crate) fn file(&self, path: &StoragePath) -> String {
        format!("{}{}", self.root, path.relative())
    }

    /// What the keys of all below `path` begin with.
    pub(crate) fn below(&self, path: &StoragePath) -> String {
        if path.is_root() { self.root.clone() } else { format!("{}{}/", self.root, path.relative()) }
    }

    /// The path whose file has this key; none for keys that are nobody's.
    pub(crate) fn path(&self, key: &str) -> Option<StoragePath> {
        let relative = key.strip_prefix(&self.root)?;
        // An empty rest would be read as the root.
        if relative.is_empty() { None } else { StoragePath::parse(&format!("/{relative}")).ok() }
    }

    /// The first key behind those of all files: the sessions' directory is below it.
    pub(crate) fn end_of_files(&self) -> String {
        format!("{}~", self.root)
    }

    /// The key of the session kept at `path`.
    pub(crate) fn session(&self, path: &StoragePath) -> String {
        format!("{}{SESSIONS}{}{SESSION_END}", self.root, path.relative())
    }

    /// What the keys of all sessions kept below `path` begin with.
    pub(crate) fn sessions_below(&self, path: &StoragePath) -> String {
        if path.is_root() {
            return format!("{}{SESSIONS}", self.root);
        }
        format!("{}{SESSIONS}{}/", self.root, path.relative())
    }

    /// The path whose session has this key.
    pub(crate) fn path_of_session(&self, key: &str) -> Option<StoragePath> {
        let relative = key.strip_prefix(&self.root)?.strip_prefix(SESSIONS)?.strip_suffix(SESSION_END)?;
        if relative.is_empty() { None } else { StoragePath::parse(&format!("/{relative}")).ok() }
    }
}

/// The source of a copy as its header has it: the client does not encode it.
pub(crate) fn copy_source(bucket: &str, key: &str) -> String {
    // The name of an access point has slashes itself, and so a word between it and the key.
    let between = if bucket.starts_with("arn:") { "object/" } else { "" };
    format!("{bucket}/{between}{}", encoded_key(key))
}

/// A key as it stands in a URL.
pub(crate) fn encoded_key(key: &str) -> impl fmt::Display {
    utf8_percent_encode(key, KEPT_IN_KEY)
}

/// The value of a parameter as it stands in a query.
pub(crate) fn encoded_value(value: &str) -> impl fmt::Display {
    utf8_percent_encode(value, KEPT_IN_VALUE)
}

/// A key as a listing with `encoding-type=url` writes it, decoded.
pub(crate) fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> StoragePath {
        StoragePath::parse(text).unwrap()
    }

    #[test]
    fn slashes_around_a_root_do_not_matter() {
        for (root, key) in [("", "a/b"), ("/", "a/b"), ("r", "r/a/b"), ("/r/s/", "r/s/a/b")] {
            let keys = Keys::new(root).unwrap();
            assert_eq!(keys.file(&path("/a/b")), key, "{root:?}");
            assert_eq!(keys.path(key).unwrap(), path("/a/b"));
        }
    }

    #[test]
    fn a_root_is_refused_that_leaves_too_little_or_means_something_else() {
        for root in ["a//b", "a/../b", "a~", "a\nb", &"r".repeat(101), &"r/".repeat(41)] {
            assert_eq!(Keys::new(root).unwrap_err().kind(), ErrorKind::InvalidArgument, "{root:?}");
        }
        assert!(Keys::new(&"r".repeat(100)).is_ok());
    }

    #[test]
    fn the_longest_path_fits_behind_the_longest_root() {
        let keys = Keys::new(&"r".repeat(100)).unwrap();
        let longest = path(&"/12345678".repeat(100));
        assert!(keys.session(&longest).len() <= 1024);
        assert_eq!(keys.path_of_session(&keys.session(&longest)).unwrap(), longest);
    }

    #[test]
    fn sessions_are_nobodys_files_and_stand_behind_them() {
        let keys = Keys::new("").unwrap();
        let session = keys.session(&path("/a"));
        assert_eq!(keys.path(&session), None);
        assert!(session > keys.end_of_files() && keys.end_of_files() > keys.file(&path("/z")));
        assert!(keys.session(&path("/a/b")).starts_with(&keys.sessions_below(&path("/a"))));
        assert!(!keys.session(&path("/ab")).starts_with(&keys.sessions_below(&path("/a"))));
    }

    #[test]
    fn foreign_keys_are_nobodys() {
        let keys = Keys::new("r").unwrap();
        for key in ["", "r", "r/", "r/a/", "r/a//b", "r/a b", "s/a", "r/."] {
            assert_eq!(keys.path(key), None, "{key:?}");
        }
    }

    #[test]
    fn sources_are_encoded_and_listed_keys_decoded() {
        assert_eq!(copy_source("b", "my root/é/a.b_c-d~"), "b/my%20root/%C3%A9/a.b_c-d~");
        let access_point = "arn:aws:s3:us-west-2:123456789012:accesspoint/a";
        assert_eq!(copy_source(access_point, "b/c"), format!("{access_point}/object/b/c"));
        assert_eq!(decoded("my+root/%C3%A9/a%2Bb"), "my root/é/a+b");
    }
}
