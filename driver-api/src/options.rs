//! The options of every call. All are `#[non_exhaustive]`: begin with `default()` and change what you need.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::entry::{EntryKey, Version};
use crate::path::StoragePath;
use crate::range::ByteRange;

/// When a write may publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Always; whatever is there is replaced.
    #[default]
    None,
    /// Only where no file is; else [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    IfAbsent,
    /// Only over this version; else [`Conflict`](crate::ErrorKind::Conflict), also where no file is.
    IfMatch(Version),
}

/// Options of `get`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetOptions {
    /// The bytes to read.
    pub range: ByteRange,
    /// Read only this version; another is a [`Conflict`](crate::ErrorKind::Conflict).
    pub if_match: Option<Version>,
    /// The most bytes to take into memory; more is [`TooLarge`](crate::ErrorKind::TooLarge) before they are read.
    pub max_bytes: Option<u64>,
}

/// Options of `put`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// When the put may publish.
    pub condition: Condition,
}

/// Options of `reader`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The bytes to read.
    pub range: ByteRange,
    /// Read only this version; another is a [`Conflict`](crate::ErrorKind::Conflict).
    pub if_match: Option<Version>,
}

/// How a writer begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// With nothing; what was kept at the path and not committed is given up.
    #[default]
    Truncate,
    /// With what was kept at the path and not committed, or with nothing where nothing was kept.
    Append {
        /// How many bytes the caller believes are kept; another number is a [`Conflict`](crate::ErrorKind::Conflict).
        expected_size: Option<u64>,
    },
}

/// Options of `writer`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WriteOptions {
    /// How the writer begins.
    pub mode: WriteMode,
    /// About how many bytes the file will have; a driver may plan with it and must not rely on it.
    pub size_hint: Option<u64>,
}

/// Options of a writer's `commit`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CommitOptions {
    /// Where to publish; at the writer's own path where none is given. A driver meets one only if it declares
    /// [`commit_elsewhere`](crate::Capabilities::commit_elsewhere).
    pub to: Option<StoragePath>,
    /// When the commit may publish.
    pub condition: Condition,
}

/// Options of `stat`; none yet.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StatOptions {}

/// Options of `list`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListOptions {
    /// Begin strictly behind this key; it need not exist.
    pub start_after: Option<EntryKey>,
    /// Yield every file below instead of the direct descendants.
    pub recursive: bool,
    /// The most entries in a page; the driver's own limit where none is given or this is larger.
    pub page_size: Option<NonZeroUsize>,
}

/// Options of `move_to`; none yet.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MoveOptions {}

/// What a delete takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeleteScope {
    /// The file at the path; a directory is [`NotFound`](crate::ErrorKind::NotFound).
    #[default]
    File,
    /// The file at the path and every file below it.
    Tree,
}

/// Options of `delete`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeleteOptions {
    /// What to delete.
    pub scope: DeleteScope,
    /// Delete only this version; another is a [`Conflict`](crate::ErrorKind::Conflict). Only for a file.
    pub if_match: Option<Version>,
}

/// The HTTP method that a signed URL is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UrlMethod {
    /// To read the content.
    #[default]
    Get,
    /// To read the headers.
    Head,
}

/// Options of `url_for`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UrlOptions {
    /// What the URL is for.
    pub method: UrlMethod,
    /// For how long it works, at least; up to [`url_lifetime`](crate::Limits::url_lifetime).
    pub lifetime: Duration,
}

impl Default for UrlOptions {
    fn default() -> Self {
        Self { method: UrlMethod::Get, lifetime: Duration::from_secs(20 * 60) }
    }
}

macro_rules! setters {
    ($($options:ident { $($(#[$doc:meta])* $setter:ident => $field:ident: $kind:ty),+ $(,)? })+) => {$(
        impl $options {$(
            $(#[$doc])*
            #[must_use]
            pub fn $setter(mut self, $field: $kind) -> Self {
                self.$field = $field.into();
                self
            }
        )+}
    )+};
}

setters! {
    GetOptions {
        /// Sets the bytes to read.
        with_range => range: ByteRange,
        /// Sets the version to read.
        with_if_match => if_match: Version,
        /// Sets the most bytes to take into memory.
        with_max_bytes => max_bytes: u64,
    }
    PutOptions {
        /// Sets when the put may publish.
        with_condition => condition: Condition,
    }
    ReadOptions {
        /// Sets the bytes to read.
        with_range => range: ByteRange,
        /// Sets the version to read.
        with_if_match => if_match: Version,
    }
    WriteOptions {
        /// Sets how the writer begins.
        with_mode => mode: WriteMode,
        /// Sets about how many bytes there will be.
        with_size_hint => size_hint: u64,
    }
    CommitOptions {
        /// Sets where to publish.
        with_to => to: StoragePath,
        /// Sets when the commit may publish.
        with_condition => condition: Condition,
    }
    ListOptions {
        /// Sets the key to begin behind.
        with_start_after => start_after: EntryKey,
        /// Sets whether every file below is meant.
        with_recursive => recursive: bool,
        /// Sets the most entries in a page.
        with_page_size => page_size: NonZeroUsize,
    }
    DeleteOptions {
        /// Sets what to delete.
        with_scope => scope: DeleteScope,
        /// Sets the version to delete.
        with_if_match => if_match: Version,
    }
    UrlOptions {
        /// Sets what the URL is for.
        with_method => method: UrlMethod,
        /// Sets for how long it works.
        with_lifetime => lifetime: Duration,
    }
}

impl WriteOptions {
    /// To continue what was kept at the path.
    pub fn append() -> Self {
        Self::default().with_mode(WriteMode::Append { expected_size: None })
    }
}

impl DeleteOptions {
    /// To delete a whole subtree.
    pub fn tree() -> Self {
        Self::default().with_scope(DeleteScope::Tree)
    }
}

impl ListOptions {
    /// To list every file below.
    pub fn recursive() -> Self {
        Self::default().with_recursive(true)
    }
}
