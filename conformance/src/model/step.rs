//! What a random sequence is made of: steps over symbols (a slot, the current version, half of the file) that mean
//! something in whatever state they meet, so that steps can be left out while a failure is shrunk.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Paths that collide: parents and children, shared prefixes, and characters next to `/` in the order of bytes.
pub(super) const PATHS: [&str; 11] = ["/a", "/a/b", "/ab", "/a/b/c", "/a.", "/a-", "/a/c", "/A", "/x/x", "/x", "/a-/b"];
/// Keys to begin a listing behind; most are no entry.
pub(super) const KEYS: [&str; 8] = ["/a", "/a/", "/a-", "/a/b", "/a/b/", "/0", "/a0", "/z"];
/// Around the cell of a payload, the size at which `Writer` stops gathering, and pages of memory.
const SIZES: [u64; 11] = [17, 1, 0, 15, 16, 100, 4095, 4096, 65_535, 65_536, 200_000];
/// How many writers are open at a time at most.
pub(super) const WRITERS: usize = 2;
/// How many readers are open at a time at most.
pub(super) const READERS: usize = 2;

/// How many of the paths a sequence knows at most: one that meets nothing twice tests nothing.
const PLACES: usize = 4;

/// A path of the sequence, by its number.
pub(super) type Place = usize;

/// Steps, and the paths that their places mean.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) paths: Vec<&'static str>,
    pub(super) steps: Vec<Step>,
}

/// One step. A place that is none is `/`.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Put {
        path: Place,
        size: u64,
        when: When,
    },
    Get {
        path: Place,
        part: Part,
        which: Option<Which>,
        limited: Option<Limit>,
    },
    Read {
        path: Place,
        part: Part,
        which: Option<Which>,
    },
    OpenReader {
        slot: usize,
        path: Place,
        part: Part,
    },
    ReadOn {
        slot: usize,
        to_the_end: bool,
    },
    Stat {
        path: Option<Place>,
    },
    List {
        path: Option<Place>,
        recursive: bool,
        start_after: Option<&'static str>,
        page_size: Option<usize>,
    },
    Unfinished {
        prefix: Option<Place>,
    },
    OpenWriter {
        slot: usize,
        path: Place,
        begin: Begin,
    },
    /// Opens a writer where something is kept: at one of those paths, by its number.
    Resume {
        slot: usize,
        nth: usize,
        begin: Begin,
    },
    Write {
        slot: usize,
        size: u64,
    },
    Close {
        slot: usize,
    },
    Commit {
        slot: usize,
        to: Option<Place>,
        when: When,
    },
    Cancel {
        slot: usize,
    },
    DropWriter {
        slot: usize,
    },
    Abandon {
        path: Place,
    },
    Move {
        from: Place,
        to: Place,
    },
    Delete {
        path: Place,
        tree: bool,
        which: Option<Which>,
    },
    DeleteFiles {
        paths: Vec<Place>,
    },
}

/// The condition of a put or commit.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Always,
    IfAbsent,
    IfMatch(Which),
}

/// A version to match.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// That of the file at the path.
    Current,
    /// That of an earlier content of the path.
    Stale,
}

/// A range, relative to the size of the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Whole,
    SecondHalf,
    /// The middle third.
    Middle,
    /// Nothing, at offset 0.
    Nothing,
    /// From the end on.
    AtEnd,
    /// From the byte behind the end on.
    BehindEnd,
    /// Longer than the file.
    TooLong,
}

/// A `max_bytes`, relative to the range asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    Exact,
    OneLess,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    Truncate,
    Append,
    /// Append, expecting what the model believes to be kept.
    Expecting,
    /// Append, expecting another size.
    ExpectingWrong,
}

/// Sequences of up to `steps` steps.
pub(super) fn sequences(steps: usize) -> impl Strategy<Value = Sequence, Tree: Send> {
    let paths = subsequence(&PATHS[..], 2..=PLACES);
    (paths, vec(step(), 1..=steps.max(1))).prop_map(|(paths, steps)| Sequence { paths, steps })
}

fn step() -> impl Strategy<Value = Step, Tree: Send> {
    prop_oneof![22 => change(), 23 => question(), 39 => session()]
}

/// Changes of published files.
fn change() -> impl Strategy<Value = Step, Tree: Send> {
    prop_oneof![
        10 => (path(), size(), when()).prop_map(|(path, size, when)| Step::Put { path, size, when }),
        6 => (path(), path()).prop_map(|(from, to)| Step::Move { from, to }),
        5 => (path(), any::<bool>(), prop::option::weighted(0.3, which()))
            .prop_map(|(path, tree, which)| Step::Delete { path, tree, which }),
        1 => vec(path(), 0..4).prop_map(|paths| Step::DeleteFiles { paths }),
    ]
}

/// Calls that change nothing.
fn question() -> impl Strategy<Value = Step, Tree: Send> {
    prop_oneof![
        4 => (path(), part(), maybe_which(), limit())
            .prop_map(|(path, part, which, limited)| Step::Get { path, part, which, limited }),
        3 => (path(), part(), maybe_which()).prop_map(|(path, part, which)| Step::Read { path, part, which }),
        2 => (0..READERS, path(), part()).prop_map(|(slot, path, part)| Step::OpenReader { slot, path, part }),
        4 => (0..READERS, any::<bool>()).prop_map(|(slot, to_the_end)| Step::ReadOn { slot, to_the_end }),
        3 => directory().prop_map(|path| Step::Stat { path }),
        4 => (directory(), any::<bool>(), prop::option::of(select(&KEYS[..])), prop::option::of(1usize..4))
            .prop_map(|(path, recursive, start_after, page_size)| {
                Step::List { path, recursive, start_after, page_size }
            }),
        3 => directory().prop_map(|prefix| Step::Unfinished { prefix }),
    ]
}

/// Writers and what they keep.
fn session() -> impl Strategy<Value = Step, Tree: Send> {
    prop_oneof![
        6 => (0..WRITERS, path(), begin()).prop_map(|(slot, path, begin)| Step::OpenWriter { slot, path, begin }),
        6 => (0..WRITERS, 0..PLACES, begin()).prop_map(|(slot, nth, begin)| Step::Resume { slot, nth, begin }),
        12 => (0..WRITERS, size()).prop_map(|(slot, size)| Step::Write { slot, size }),
        6 => (0..WRITERS).prop_map(|slot| Step::Close { slot }),
        6 => (0..WRITERS, prop::option::weighted(0.3, path()), when())
            .prop_map(|(slot, to, when)| Step::Commit { slot, to, when }),
        2 => (0..WRITERS).prop_map(|slot| Step::Cancel { slot }),
        2 => (0..WRITERS).prop_map(|slot| Step::DropWriter { slot }),
        2 => path().prop_map(|path| Step::Abandon { path }),
    ]
}

fn path() -> impl Strategy<Value = Place, Tree: Send> {
    0..PLACES
}

fn directory() -> impl Strategy<Value = Option<Place>, Tree: Send> {
    prop::option::weighted(0.6, path())
}

fn size() -> impl Strategy<Value = u64, Tree: Send> {
    prop_oneof![5 => select(&SIZES[..6]), 1 => select(&SIZES[..])]
}

fn when() -> impl Strategy<Value = When, Tree: Send> {
    prop_oneof![5 => Just(When::Always), 2 => Just(When::IfAbsent), 2 => which().prop_map(When::IfMatch)]
}

fn which() -> impl Strategy<Value = Which, Tree: Send> {
    prop_oneof![Just(Which::Current), Just(Which::Stale)]
}

fn maybe_which() -> impl Strategy<Value = Option<Which>, Tree: Send> {
    prop::option::weighted(0.2, which())
}

fn part() -> impl Strategy<Value = Part, Tree: Send> {
    prop_oneof![
        4 => Just(Part::Whole),
        1 => Just(Part::SecondHalf),
        1 => Just(Part::Middle),
        1 => Just(Part::Nothing),
        1 => Just(Part::AtEnd),
        1 => Just(Part::BehindEnd),
        1 => Just(Part::TooLong),
    ]
}

fn limit() -> impl Strategy<Value = Option<Limit>, Tree: Send> {
    prop_oneof![6 => Just(None), 1 => Just(Some(Limit::Exact)), 1 => Just(Some(Limit::OneLess))]
}

fn begin() -> impl Strategy<Value = Begin, Tree: Send> {
    prop_oneof![
        3 => Just(Begin::Truncate),
        4 => Just(Begin::Append),
        1 => Just(Begin::Expecting),
        1 => Just(Begin::ExpectingWrong),
    ]
}
