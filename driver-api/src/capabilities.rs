//! What a driver declares of itself. Every declaration is a claim that the conformance suite tests, both ways.

use std::time::Duration;

use crate::path::MAX_PATH_BYTES;

/// What a driver can do, and how far it can be relied on. Constant from the driver's construction on.
///
/// A driver begins with [`Capabilities::minimal`] and raises what it keeps:
///
/// ```
/// use driver_api::{Capabilities, Durability};
/// let mut capabilities = Capabilities::minimal();
/// capabilities.durability = Durability::Process;
/// capabilities.put.if_absent = true;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether a path can be a file and a directory at once.
    pub namespace: Namespace,
    /// What others can see while a move runs, or after it was interrupted.
    pub moves: MoveLevel,
    /// What an acknowledged change means to the next call.
    pub consistency: Consistency,
    /// What an acknowledged change survives.
    pub durability: Durability,
    /// What it costs to begin a listing in the middle.
    pub listing: ListingLevel,
    /// Who can continue an unfinished write.
    pub sessions: Sessions,
    /// Whether corruption on the way from the backend is noticed.
    pub integrity: Integrity,
    /// Whether other processes on the same backend see an acknowledged change at once.
    pub shared: bool,
    /// The conditions that put takes.
    pub put: Conditions,
    /// The conditions that a writer's commit takes.
    pub commit: Conditions,
    /// Whether delete of a file takes a version to match.
    pub delete_if_match: bool,
    /// Whether get and reader take a version to match.
    pub read_if_match: bool,
    /// Whether a writer publishes at another path than its own in one step; else `Storage` commits and then moves.
    pub commit_elsewhere: bool,
    /// Whether a directory is gone with its last file, also after a crash. Without it, directories that a crash or another
    /// program left may show until they are swept.
    pub exact_directories: bool,
    /// Whether `url_for` gives URLs.
    pub signed_urls: bool,
    /// The numbers.
    pub limits: Limits,
}

impl Capabilities {
    /// The least that a driver can keep.
    pub const fn minimal() -> Self {
        Self {
            namespace: Namespace::Tree,
            moves: MoveLevel::CopyThenDelete,
            consistency: Consistency::ReadAfterWrite,
            durability: Durability::Memory,
            listing: ListingLevel::Scan,
            sessions: Sessions::Local,
            integrity: Integrity::Unchecked,
            shared: false,
            put: Conditions::NONE,
            commit: Conditions::NONE,
            delete_if_match: false,
            read_if_match: false,
            commit_elsewhere: false,
            exact_directories: false,
            signed_urls: false,
            limits: Limits {
                path_bytes: MAX_PATH_BYTES,
                object_bytes: None,
                page: 1000,
                delete_batch: 1000,
                staging_lifetime: None,
                url_lifetime: None,
            },
        }
    }

    /// Whether the capability that contract clauses call `name` is declared; none where no capability has that name.
    pub fn declares(&self, name: &str) -> Option<bool> {
        CAPABILITY_NAMES.iter().find(|(known, _)| *known == name).map(|(_, declared)| declared(self))
    }
}

type Declared = fn(&Capabilities) -> bool;

/// The names that the contract's clauses use (`cap: put_if_absent`), each with the question it asks.
const CAPABILITY_NAMES: &[(&str, Declared)] = &[
    ("tree", |c| c.namespace == Namespace::Tree),
    ("flat", |c| c.namespace == Namespace::Flat),
    ("atomic_move", |c| c.moves == MoveLevel::Atomic),
    ("linearizable", |c| c.consistency == Consistency::Linearizable),
    ("persistent", |c| c.durability >= Durability::Process),
    ("durable", |c| c.durability >= Durability::Power),
    ("seek_listing", |c| c.listing == ListingLevel::Seek),
    ("shared_sessions", |c| c.sessions >= Sessions::Shared),
    ("fenced_sessions", |c| c.sessions >= Sessions::Fenced),
    ("checksummed_reads", |c| c.integrity == Integrity::Checksummed),
    ("shared", |c| c.shared),
    ("put_if_absent", |c| c.put.if_absent),
    ("put_if_match", |c| c.put.if_match),
    ("commit_if_absent", |c| c.commit.if_absent),
    ("commit_if_match", |c| c.commit.if_match),
    ("delete_if_match", |c| c.delete_if_match),
    ("read_if_match", |c| c.read_if_match),
    ("commit_elsewhere", |c| c.commit_elsewhere),
    ("exact_directories", |c| c.exact_directories),
    ("signed_url", |c| c.signed_urls),
];

/// The names of all capabilities that [`Capabilities::declares`] knows.
pub fn capability_names() -> impl Iterator<Item = &'static str> {
    CAPABILITY_NAMES.iter().map(|(name, _)| *name)
}

/// Whether a path can be a file and a directory at once (PUT-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// It can't: a write at a directory, or below a file, is a Conflict.
    Tree,
    /// It can: `stat` tells the file, `list` the children.
    Flat,
}

/// What can be seen of a move that runs or was interrupted (MOVE-6, MOVE-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveLevel {
    /// The bytes are at the source, at the target, or at both. The caller must not write the source meanwhile.
    CopyThenDelete,
    /// The bytes are at one of the two, and a move is linearizable with put and get on both paths.
    Atomic,
}

/// What an acknowledged change means to the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consistency {
    /// What was acknowledged is seen by every later call.
    ReadAfterWrite,
    /// And concurrent calls on one path have one order that all agree on (CONC-1).
    Linearizable,
}

/// What an acknowledged change survives (DUR-1, DUR-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: it is gone with the process.
    Memory,
    /// The kill of the process.
    Process,
    /// The loss of power.
    Power,
}

/// What it costs to begin a listing behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingLevel {
    /// As much as reading all that stands before the key.
    Scan,
    /// As much as beginning at the first entry.
    Seek,
}

/// Who can continue a write that was closed and not committed (WRITE-5, WRITE-13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sessions {
    /// The driver value that began it.
    Local,
    /// Any process on the same backend; two at once are noticed only by the size they expect.
    Shared,
    /// Any process on the same backend, one at a time: a second is a Conflict.
    Fenced,
}

/// Whether bytes that changed on the way are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// No: who cares verifies.
    Unchecked,
    /// Every read is checked against a sum that was made when the bytes were written.
    Checksummed,
}

/// The conditions that an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Publish only where no file is.
    pub if_absent: bool,
    /// Publish only over a given version.
    pub if_match: bool,
}

impl Conditions {
    /// No condition.
    pub const NONE: Self = Self { if_absent: false, if_match: false };
    /// Both conditions.
    pub const ALL: Self = Self { if_absent: true, if_match: true };
}

/// The numbers of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest path, in bytes: [`MAX_PATH_BYTES`], and less only below a [`Prefix`](crate::layers::Prefix). A driver that
    /// could not keep every path of that length refuses to be constructed.
    pub path_bytes: usize,
    /// The largest file, in bytes.
    pub object_bytes: Option<u64>,
    /// The most entries in one page of a listing.
    pub page: usize,
    /// The most files in one call of `delete_files`.
    pub delete_batch: usize,
    /// How long a kept session lives when nobody touches it; none where it lives until it is abandoned.
    pub staging_lifetime: Option<Duration>,
    /// The longest lifetime of a signed URL.
    pub url_lifetime: Option<Duration>,
}
