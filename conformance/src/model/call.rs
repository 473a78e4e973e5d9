//! A step made concrete: the call with its arguments, its answer, and both as a line of a script.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use driver_api::{
    ByteRange, Condition, DeleteScope, Entry, EntryKey, Error, FileInfo, StoragePath, Unfinished, Version, WriteMode,
};

use crate::payload::Content;

#[derive(Debug, Clone)]
pub(super) enum Call {
    Storage(StorageCall),
    OpenReader { slot: usize, path: StoragePath, range: ByteRange },
    ReadOn { slot: usize, to_the_end: bool },
    OpenWriter { slot: usize, path: StoragePath, mode: WriteMode },
    Writer { slot: usize, call: WriterCall },
}

/// A call that needs nothing but the storage.
#[derive(Debug, Clone)]
pub(super) enum StorageCall {
    Put { path: StoragePath, content: Content, condition: Condition },
    Get { path: StoragePath, range: ByteRange, if_match: Option<Version>, max_bytes: Option<u64> },
    Read { path: StoragePath, range: ByteRange, if_match: Option<Version> },
    Stat { path: StoragePath },
    List { path: StoragePath, recursive: bool, start_after: Option<EntryKey>, page_size: Option<usize> },
    Unfinished { prefix: StoragePath },
    Abandon { path: StoragePath },
    Move { from: StoragePath, to: StoragePath },
    Delete { path: StoragePath, scope: DeleteScope, if_match: Option<Version> },
    DeleteFiles { paths: Vec<StoragePath> },
}

/// A call on a writer that is open.
#[derive(Debug, Clone)]
pub(super) enum WriterCall {
    Write { write: u64, range: Range<u64> },
    Close,
    Commit { to: Option<StoragePath>, condition: Condition },
    Cancel,
    Drop,
}

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    Done,
    File(FileInfo),
    Bytes(FileInfo, Bytes),
    /// What a stream gave before it ended, or was left.
    Stream(Streamed),
    Entry(Entry),
    Pages(Vec<Vec<Entry>>),
    Sessions(Vec<Unfinished>),
    /// The size of a writer, or what a close kept.
    Size(u64),
    Failures(Vec<Error>),
    /// An error, and whether a writer that was to end is still there.
    Failed {
        error: Error,
        writer_kept: bool,
    },
}

#[derive(Debug)]
pub(super) struct Streamed {
    /// What the reader said before the first byte.
    pub(super) opened: Option<(FileInfo, Range<u64>)>,
    pub(super) bytes: Bytes,
    pub(super) end: StreamEnd,
}

#[derive(Debug)]
pub(super) enum StreamEnd {
    /// It was not read to its end.
    Open,
    Finished,
    Failed(Error),
}

impl Answer {
    pub(super) fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed { error, .. } => Some(error),
            _ => None,
        }
    }

    /// `ok`, or the kind of the error: what coverage counts.
    pub(super) fn outcome(&self) -> &'static str {
        self.error().map_or("ok", |error| error.kind().as_str())
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self::Failed { error, writer_kept: false }
    }
}

impl Call {
    /// The operation and what distinguishes its use, as coverage counts it.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Storage(call) => call.label(),
            Self::OpenReader { .. } => "reader kept open",
            Self::ReadOn { .. } => "read on",
            Self::OpenWriter { mode: WriteMode::Truncate, .. } => "writer truncate",
            Self::OpenWriter { mode: WriteMode::Append { expected_size: None }, .. } => "writer append",
            Self::OpenWriter { .. } => "writer append expecting",
            Self::Writer { call, .. } => call.label(),
        }
    }
}

impl StorageCall {
    fn label(&self) -> &'static str {
        match self {
            Self::Put { condition, .. } => ["put", "put if-absent", "put if-match"][index_of(condition)],
            Self::Get { if_match: Some(_), .. } => "get if-match",
            Self::Get { max_bytes: Some(_), .. } => "get max-bytes",
            Self::Get { .. } => "get",
            Self::Read { if_match: Some(_), .. } => "reader if-match",
            Self::Read { .. } => "reader",
            Self::Stat { .. } => "stat",
            Self::List { start_after: Some(_), .. } => "list start-after",
            Self::List { recursive: true, .. } => "list recursive",
            Self::List { .. } => "list",
            Self::Unfinished { .. } => "unfinished",
            Self::Abandon { .. } => "abandon",
            Self::Move { .. } => "move",
            Self::Delete { scope: DeleteScope::Tree, .. } => "delete tree",
            Self::Delete { if_match: Some(_), .. } => "delete if-match",
            Self::Delete { .. } => "delete file",
            Self::DeleteFiles { .. } => "delete_files",
        }
    }
}

impl WriterCall {
    fn label(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Close => "close",
            Self::Commit { to: Some(_), .. } => "commit to",
            Self::Commit { condition, .. } => ["commit", "commit if-absent", "commit if-match"][index_of(condition)],
            Self::Cancel => "cancel",
            Self::Drop => "drop writer",
        }
    }
}

const fn index_of(condition: &Condition) -> usize {
    match condition {
        Condition::None => 0,
        Condition::IfAbsent => 1,
        Condition::IfMatch(_) => 2,
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(call) => call.fmt(f),
            Self::OpenReader { slot, path, range } => write!(f, "R{slot} = reader {path}{}", Bounds(*range)),
            Self::ReadOn { slot, to_the_end: true } => write!(f, "R{slot}: read to the end"),
            Self::ReadOn { slot, to_the_end: false } => write!(f, "R{slot}: read one chunk"),
            Self::OpenWriter { slot, path, mode } => match mode {
                WriteMode::Truncate => write!(f, "W{slot} = writer {path} truncate"),
                WriteMode::Append { expected_size: None } => write!(f, "W{slot} = writer {path} append"),
                WriteMode::Append { expected_size: Some(size) } => {
                    write!(f, "W{slot} = writer {path} append expecting {size}")
                }
            },
            Self::Writer { slot, call } => write!(f, "W{slot}: {call}"),
        }
    }
}

impl fmt::Display for StorageCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { path, content, condition } => write!(f, "put {path} = {content}{}", Clause(condition)),
            Self::Get { path, range, if_match, max_bytes } => {
                write!(f, "get {path}{}{}", Bounds(*range), Match(if_match))?;
                max_bytes.map_or(Ok(()), |bytes| write!(f, " max_bytes {bytes}"))
            }
            Self::Read { path, range, if_match } => {
                write!(f, "read the stream of {path}{}{}", Bounds(*range), Match(if_match))
            }
            Self::Stat { path } => write!(f, "stat {path}"),
            Self::List { path, recursive, start_after, page_size } => {
                write!(f, "list {path}{}", if *recursive { " recursive" } else { "" })?;
                start_after.as_ref().map_or(Ok(()), |key| write!(f, " start_after {key}"))?;
                page_size.map_or(Ok(()), |entries| write!(f, " page_size {entries}"))
            }
            Self::Unfinished { prefix } => write!(f, "unfinished {prefix}"),
            Self::Abandon { path } => write!(f, "abandon {path}"),
            Self::Move { from, to } => write!(f, "move {from} to {to}"),
            Self::Delete { path, scope: DeleteScope::Tree, .. } => write!(f, "delete tree {path}"),
            Self::Delete { path, if_match, .. } => write!(f, "delete file {path}{}", Match(if_match)),
            Self::DeleteFiles { paths } => write!(f, "delete_files {paths:?}"),
        }
    }
}

impl fmt::Display for WriterCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { write, range } => write!(f, "write bytes {}..{} of write {write}", range.start, range.end),
            Self::Close => f.write_str("close"),
            Self::Commit { to, condition } => {
                write!(f, "commit{}", Clause(condition))?;
                to.as_ref().map_or(Ok(()), |to| write!(f, " to {to}"))
            }
            Self::Cancel => f.write_str("cancel"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("ok"),
            Self::File(info) => write!(f, "ok, {} bytes{}", info.size, Told(info)),
            Self::Bytes(info, bytes) => write!(f, "{} bytes{}", bytes.len(), Told(info)),
            Self::Stream(stream) => {
                write!(f, "{} bytes", stream.bytes.len())?;
                match &stream.end {
                    StreamEnd::Open => f.write_str(", not at its end"),
                    StreamEnd::Finished => Ok(()),
                    StreamEnd::Failed(error) => write!(f, ", then {error}"),
                }
            }
            Self::Entry(Entry::File(info)) => write!(f, "a file of {} bytes{}", info.size, Told(info)),
            Self::Entry(Entry::Directory(_)) => f.write_str("a directory"),
            Self::Pages(pages) => {
                let keys: Vec<Vec<_>> = pages.iter().map(|page| page.iter().map(Entry::key).collect()).collect();
                write!(f, "{keys:?}")
            }
            Self::Sessions(sessions) => {
                let kept: Vec<_> = sessions.iter().map(|kept| (&kept.path, kept.size)).collect();
                write!(f, "{kept:?}")
            }
            Self::Size(size) => write!(f, "ok, size {size}"),
            Self::Failures(failures) if failures.is_empty() => f.write_str("ok"),
            Self::Failures(failures) => write!(f, "failures {failures:?}"),
            Self::Failed { error, .. } => write!(f, "{error}"),
        }
    }
}

struct Clause<'a>(&'a Condition);

impl fmt::Display for Clause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Condition::None => Ok(()),
            Condition::IfAbsent => f.write_str(" if absent"),
            Condition::IfMatch(version) => write!(f, " if version is {version:?}"),
        }
    }
}

struct Match<'a>(&'a Option<Version>);

impl fmt::Display for Match<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |version| write!(f, " if version is {version:?}"))
    }
}

struct Bounds(ByteRange);

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            range if range.is_full() => Ok(()),
            ByteRange { offset, length: None } => write!(f, " from {offset}"),
            ByteRange { offset, length: Some(length) } => write!(f, " from {offset}, at most {length} bytes"),
        }
    }
}

struct Told<'a>(&'a FileInfo);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.version.as_ref().map_or(Ok(()), |version| write!(f, ", version {version:?}"))
    }
}
