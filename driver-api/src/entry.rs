//! What a store holds: files, directories, and sessions that are not committed yet.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Error;
use crate::path::{PathError, StoragePath};

/// What identifies one content of a file among all that its path ever had: an etag, or what the backend has instead.
/// Opaque: only comparing for equality makes sense.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// A version as the backend writes it.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The version as the backend writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A file: where it is and what it is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Where it is.
    pub path: StoragePath,
    /// Its length in bytes.
    pub size: u64,
    /// When its content was written: not before the start of the session that wrote it, by the backend's clock.
    pub modified: SystemTime,
    /// Which content this is; none where the backend has no versions, or does not tell them here.
    pub version: Option<Version>,
}

impl FileInfo {
    /// A file without a version.
    pub fn new(path: StoragePath, size: u64, modified: SystemTime) -> Self {
        Self { path, size, modified, version: None }
    }

    /// The same file with its version.
    #[must_use]
    pub fn with_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }
}

/// What stands at a path: a file, or a directory, which is nothing but the files below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File(FileInfo),
    /// A directory: at least one file lies below this path.
    Directory(StoragePath),
}

impl Entry {
    /// Where it is.
    pub fn path(&self) -> &StoragePath {
        match self {
            Self::File(info) => &info.path,
            Self::Directory(path) => path,
        }
    }

    /// Where it stands in a listing.
    pub fn key(&self) -> EntryKey {
        match self {
            Self::File(info) => EntryKey::file(&info.path),
            Self::Directory(path) => EntryKey::directory(path),
        }
    }

    /// The file, if it is one.
    pub fn as_file(&self) -> Option<&FileInfo> {
        match self {
            Self::File(info) => Some(info),
            Self::Directory(_) => None,
        }
    }

    /// The file, or [`NotFound`](crate::ErrorKind::NotFound) for a directory.
    pub fn into_file(self) -> Result<FileInfo, Error> {
        match self {
            Self::File(info) => Ok(info),
            Self::Directory(path) => Err(Error::not_found(&path)),
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }
}

/// The place of an entry in the order of a listing (LIST-2): a file's path, or a directory's path with a `/` behind it,
/// compared bytewise. This is the order in which object stores list; `a-b`, `a.b`, then the directory `a`, then `a0`.
///
/// A key need not belong to an entry that exists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(Arc<str>);

impl EntryKey {
    /// The key of the file at `path`.
    pub fn file(path: &StoragePath) -> Self {
        Self(Arc::from(path.as_str()))
    }

    /// The key of the directory at `path`.
    pub fn directory(path: &StoragePath) -> Self {
        if path.is_root() {
            return Self(Arc::from("/"));
        }
        Self(Arc::from(format!("{path}/")))
    }

    /// Reads a key from text: a path, or a path with a `/` behind it.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text == "/" {
            return Ok(Self::directory(&StoragePath::root()));
        }
        match text.strip_suffix('/') {
            Some("/") => Err(PathError::EmptyComponent),
            Some(directory) => StoragePath::parse(directory).map(|path| Self::directory(&path)),
            None => StoragePath::parse(text).map(|path| Self::file(&path)),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A write that was closed without a commit: kept, invisible, and open to be continued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// The path it was begun for.
    pub path: StoragePath,
    /// How many bytes are kept.
    pub size: u64,
    /// When it was kept last, by the backend's clock.
    pub modified: SystemTime,
}

impl Unfinished {
    /// A kept session.
    pub fn new(path: StoragePath, size: u64, modified: SystemTime) -> Self {
        Self { path, size, modified }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stands_where_its_first_file_would() {
        let keys = ["/a-b", "/a.b", "/a/", "/a/b", "/a0"].map(|text| EntryKey::parse(text).unwrap());
        assert!(keys.is_sorted());
    }

    #[test]
    fn keys_are_refused_as_paths_are() {
        for text in ["", "a", "//", "/a//", "/../", "/a/./"] {
            assert!(EntryKey::parse(text).is_err(), "{text:?}");
        }
    }
}
