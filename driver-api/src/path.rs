//! Paths: valid by construction, cheap to clone, compared bytewise.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Retry};

/// The name of a file or a directory in a store: `/`, or one or more components, each a `/` followed by
/// 1 to 255 of `A-Z a-z 0-9 . _ -`, at most 200 components and 900 bytes in all. `.` and `..` are no components.
///
/// A value of this type is valid by construction, so no driver ever meets another.
///
/// ```
/// use driver_api::StoragePath;
/// let blobs = StoragePath::parse("/registry/blobs")?;
/// assert_eq!(blobs.child("sha256")?.as_str(), "/registry/blobs/sha256");
/// assert!(StoragePath::parse("/registry/../etc").is_err());
/// # Ok::<(), driver_api::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoragePath(Arc<str>);

/// The most bytes a path may have (contract clause PATH-3).
pub const MAX_PATH_BYTES: usize = 900;
/// The most bytes a component of a path may have (PATH-3).
pub const MAX_COMPONENT_BYTES: usize = 255;
/// The most components a path may have (PATH-3).
pub const MAX_COMPONENTS: usize = 200;

/// Why a text is no [`StoragePath`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// It does not begin with `/`.
    NotAbsolute,
    /// A component is empty: `//`, or a `/` at the end.
    EmptyComponent,
    /// A component is `.` or `..`.
    DotComponent,
    /// A character stands in it that is not one of `A-Z a-z 0-9 . _ -`.
    Character(char),
    /// A component is longer than [`MAX_COMPONENT_BYTES`].
    ComponentTooLong,
    /// The path is longer than [`MAX_PATH_BYTES`].
    TooLong,
    /// The path has more than [`MAX_COMPONENTS`] components.
    TooDeep,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => write!(f, "a path begins with `/`"),
            Self::EmptyComponent => write!(f, "a path has no empty component and no `/` at its end"),
            Self::DotComponent => write!(f, "`.` and `..` are not allowed in a path"),
            Self::Character(found) => {
                write!(f, "{found:?} is not allowed in a path; allowed are A-Z a-z 0-9 . _ -")
            }
            Self::ComponentTooLong => write!(f, "a component has at most {MAX_COMPONENT_BYTES} bytes"),
            Self::TooLong => write!(f, "a path has at most {MAX_PATH_BYTES} bytes"),
            Self::TooDeep => write!(f, "a path has at most {MAX_COMPONENTS} components"),
        }
    }
}

impl std::error::Error for PathError {}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        Self::new(ErrorKind::InvalidPath, error.to_string()).with_retry(Retry::Never)
    }
}

/// Whether `name` can stand as one component of a path. Drivers pass over whatever else they find in a backend.
pub fn is_valid_component(name: &[u8]) -> bool {
    check_component(name).is_ok()
}

fn check_component(name: &[u8]) -> Result<(), PathError> {
    match name {
        b"" => Err(PathError::EmptyComponent),
        b"." | b".." => Err(PathError::DotComponent),
        _ if name.len() > MAX_COMPONENT_BYTES => Err(PathError::ComponentTooLong),
        _ => match name.iter().position(|byte| !is_path_byte(*byte)) {
            None => Ok(()),
            Some(at) => Err(PathError::Character(
                String::from_utf8_lossy(&name[at..]).chars().next().unwrap_or(char::REPLACEMENT_CHARACTER),
            )),
        },
    }
}

const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

impl StoragePath {
    /// `/`, the directory that always exists.
    pub fn root() -> Self {
        Self(Arc::from("/"))
    }

    /// Reads a path from text, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text == "/" {
            return Ok(Self::root());
        }
        let inner = text.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let mut components = 0;
        for component in inner.split('/') {
            check_component(component.as_bytes())?;
            components += 1;
        }
        if components > MAX_COMPONENTS {
            return Err(PathError::TooDeep);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The path as text, with its leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The path without its leading `/`: empty for the root, and what object stores use as a key.
    pub fn relative(&self) -> &str {
        &self.0[1..]
    }

    /// The components from the root down; none for `/`.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.relative().split('/').filter(|component| !component.is_empty())
    }

    /// The last component; none for `/`.
    pub fn name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The directory this lies in; none for `/`.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rfind('/') {
            _ if self.is_root() => None,
            None | Some(0) => Some(Self::root()),
            Some(at) => Some(Self(Arc::from(&self.0[..at]))),
        }
    }

    /// All directories this lies in, the nearest first and `/` last.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// The path of the entry `name` in this directory.
    pub fn child(&self, name: &str) -> Result<Self, PathError> {
        check_component(name.as_bytes())?;
        Self::parse(&format!("{}/{name}", self.without_trailing_slash()))
    }

    /// `below`, taken from this directory instead of from the root.
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        if below.is_root() {
            return Ok(self.clone());
        }
        Self::parse(&format!("{}{below}", self.without_trailing_slash()))
    }

    /// What is left of this path below `directory`, as a path; `/` for the directory itself, none for what lies elsewhere.
    /// Siblings that merely share a prefix (`/ab` and `/a`) lie elsewhere.
    pub fn strip_directory(&self, directory: &Self) -> Option<Self> {
        if directory.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(directory.as_str())? {
            "" => Some(Self::root()),
            rest if rest.starts_with('/') => Some(Self(Arc::from(rest))),
            _ => None,
        }
    }

    /// Whether this lies in `directory`, at any depth; a path does not lie in itself.
    pub fn is_below(&self, directory: &Self) -> bool {
        self != directory
            && (directory.is_root()
                || self.0.strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }

    fn without_trailing_slash(&self) -> &str {
        if self.is_root() { "" } else { &self.0 }
    }
}

impl FromStr for StoragePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for StoragePath {
    type Error = PathError;

    fn try_from(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl AsRef<str> for StoragePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoragePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StoragePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> StoragePath {
        StoragePath::parse(text).unwrap()
    }

    #[test]
    fn accepts_what_registries_have_always_used() {
        for text in
            ["/", "/a", "/2", "/a.a", "/0-9/abcdefg", "/abc./abc", "/.abc", "/a--b", "/_.abc", "/Docker/x", "/..."]
        {
            assert_eq!(path(text).as_str(), text);
        }
    }

    #[test]
    fn refuses_what_could_leave_a_root_or_be_renamed_by_a_backend() {
        use PathError::*;
        for (text, error) in [
            ("", NotAbsolute),
            ("a", NotAbsolute),
            ("//a", EmptyComponent),
            ("/a/", EmptyComponent),
            ("/a//b", EmptyComponent),
            ("/.", DotComponent),
            ("/a/../b", DotComponent),
            ("/a b", Character(' ')),
            ("/a\0", Character('\0')),
            ("/é", Character('é')),
            ("/a~", Character('~')),
            ("/a\\b", Character('\\')),
        ] {
            assert_eq!(StoragePath::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let longest_component = format!("/{}", "c".repeat(MAX_COMPONENT_BYTES));
        assert_eq!(path(&longest_component).as_str().len(), 256);
        assert_eq!(StoragePath::parse(&format!("{longest_component}c")), Err(PathError::ComponentTooLong));

        let longest = "/12345678".repeat(100);
        assert_eq!(path(&longest).as_str().len(), MAX_PATH_BYTES);
        assert_eq!(StoragePath::parse(&format!("{longest}9")), Err(PathError::TooLong));

        let deepest = "/d".repeat(MAX_COMPONENTS);
        assert_eq!(path(&deepest).components().count(), MAX_COMPONENTS);
        assert_eq!(StoragePath::parse(&format!("{deepest}/d")), Err(PathError::TooDeep));
    }

    #[test]
    fn a_shared_prefix_is_not_a_directory() {
        assert!(path("/a/b").is_below(&path("/a")));
        assert!(!path("/ab").is_below(&path("/a")));
        assert!(!path("/a").is_below(&path("/a")));
        assert_eq!(path("/ab").strip_directory(&path("/a")), None);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".*") {
            if let Ok(parsed) = StoragePath::parse(&text) {
                prop_assert_eq!(parsed.as_str(), &text);
            }
        }

        #[test]
        fn parent_and_child_are_inverse(text in "(/[a-zA-Z0-9_-]{1,8}){1,6}") {
            let parsed = path(&text);
            let parent = parsed.parent().unwrap();
            prop_assert_eq!(&parent.child(parsed.name().unwrap()).unwrap(), &parsed);
            prop_assert!(parsed.is_below(&parent));
            let below = parsed.strip_directory(&parent).unwrap();
            prop_assert_eq!(parent.join(&below).unwrap(), parsed);
        }
    }
}
