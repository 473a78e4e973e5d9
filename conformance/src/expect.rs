//! What checks compare, each with the clause that a difference breaks. What is described comes last, so that it is only
//! made into text where a check fails, and no half-made text lives across an await.

use std::fmt;
use std::ops::Range;

use driver_api::{Entry, Error, ErrorKind, FileInfo, Retry, StoragePath};

use crate::case::Case;
use crate::check::{Failure, Verdict, describe};
use crate::payload::{Content, explain};

/// Fails with `clause` unless `holds`.
pub(crate) fn ensure(
    holds: bool,
    clause: &'static str,
    expected: impl fmt::Display,
    found: impl fmt::Display,
) -> Verdict {
    if holds { Ok(()) } else { Err(Failure::new(clause, expected, found).into()) }
}

/// Fails with `clause` unless both are the same; `what` says of what.
pub(crate) fn same<T: PartialEq + fmt::Debug>(
    clause: &'static str,
    found: T,
    expected: T,
    what: impl fmt::Display,
) -> Verdict {
    ensure(found == expected, clause, format_args!("{what} to be {expected:?}"), format_args!("{found:?}"))
}

/// The answer, where a call that `clause` makes succeed did.
pub(crate) fn succeeds<T>(
    clause: &'static str,
    answer: Result<T, impl Into<Error>>,
    what: impl fmt::Display,
) -> Verdict<T> {
    answer.map_err(|error| Failure::new(clause, format_args!("{what} to succeed"), describe(&error.into())).into())
}

/// The error, where a call that `clause` makes fail did so with `kind`, as a definite answer.
pub(crate) fn fails<T>(
    clause: &'static str,
    answer: Result<T, impl Into<Error>>,
    kind: ErrorKind,
    what: impl fmt::Display,
) -> Verdict<Error> {
    let error = match answer {
        Ok(_) => return Err(Failure::new(clause, format_args!("{what} to be {kind}"), "success").into()),
        Err(error) => error.into(),
    };
    ensure(error.kind() == kind, clause, format_args!("{what} to be {kind}"), describe(&error))?;
    let retry = match kind {
        ErrorKind::Unavailable | ErrorKind::Cancelled | ErrorKind::DeadlineExceeded => Retry::Safe,
        _ => Retry::Never,
    };
    ensure(
        error.retry() == retry,
        "ERR-9",
        format_args!("the {kind} of {what} in the class {retry:?}"),
        describe(&error),
    )?;
    Ok(error)
}

/// Fails with `clause` unless `found` is exactly `expected`.
pub(crate) fn same_bytes(clause: &'static str, found: &[u8], expected: Content, what: impl fmt::Display) -> Verdict {
    let holds = expected.is(found);
    ensure(
        holds,
        clause,
        format_args!("{what} to be {expected}"),
        Explained { found, offset: 0, contents: &[expected] },
    )
}

/// Fails with `clause` unless `found`, read from `offset` on, is exactly what `expected` has in `offset..end`.
pub(crate) fn same_part(
    clause: &'static str,
    found: &[u8],
    expected: Content,
    part: Range<u64>,
    what: impl fmt::Display,
) -> Verdict {
    let holds = found.len() as u64 == part.end - part.start && expected.has_at(found, part.start);
    let due = format_args!("{what} to be bytes {}..{} of {expected}", part.start, part.end);
    ensure(holds, clause, due, Explained { found, offset: part.start, contents: &[expected] })
}

/// Bytes, explained only where a check fails.
struct Explained<'a> {
    found: &'a [u8],
    offset: u64,
    contents: &'a [Content],
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&explain(self.found, self.offset, self.contents))
    }
}

/// The file, or a failure of `clause` where the entry is a directory.
pub(crate) fn file(clause: &'static str, entry: Entry) -> Verdict<FileInfo> {
    match entry {
        Entry::File(info) => Ok(info),
        Entry::Directory(path) => Err(Failure::new(clause, format_args!("a file at {path}"), "a directory").into()),
    }
}

impl Case {
    /// Fails with `clause` unless the file at `path` is exactly `expected`.
    pub(crate) async fn holds(&self, clause: &'static str, path: &StoragePath, expected: Content) -> Verdict {
        let found = succeeds(clause, self.get(path).await, format_args!("get of {path}, which holds {expected},"))?;
        same_bytes(clause, &found, expected, format_args!("the file at {path}"))
    }

    /// Fails with `clause` unless nothing is at `path`.
    pub(crate) async fn misses(&self, clause: &'static str, path: &StoragePath) -> Verdict {
        fails(clause, self.get(path).await, ErrorKind::NotFound, format_args!("get of {path}, where no file is,"))?;
        fails(clause, self.stat(path).await, ErrorKind::NotFound, format_args!("stat of {path}, where nothing is,"))?;
        Ok(())
    }
}
