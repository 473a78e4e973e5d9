//! What checks compare, each with the clause that a difference breaks. What is described comes last, so that it is only
//! made into text where a check fails, and no half-made text lives across an await.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

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

/// How far the time that a put tells may be from the file's own.
const DATE_OF_ANSWER: Duration = Duration::from_secs(2);

/// Fails unless the file that a put or a commit, `source`, told is the one that stat tells (PUT-8).
pub(crate) fn told_as_by_stat(told: &FileInfo, stat: &FileInfo, source: &str) -> Verdict {
    let clause = "PUT-8";
    same(clause, &told.path, &stat.path, format_args!("the path that {source} tells"))?;
    same(clause, told.size, stat.size, format_args!("the size that {source} tells"))?;
    let apart = told.modified.duration_since(stat.modified).unwrap_or_else(|error| error.duration());
    ensure(
        apart <= DATE_OF_ANSWER,
        clause,
        format_args!("the time that {source} tells to be that of stat, {:?}", stat.modified),
        format_args!("{:?}", told.modified),
    )?;
    match (&told.version, &stat.version) {
        (Some(told), Some(later)) => same(clause, told, later, format_args!("the version that {source} tells")),
        _ => Ok(()),
    }
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
    refused(clause, &error, kind, what)?;
    Ok(error)
}

/// Fails unless the error is one of `kind`, as a definite answer.
pub(crate) fn refused(clause: &'static str, error: &Error, kind: ErrorKind, what: impl fmt::Display) -> Verdict {
    ensure(error.kind() == kind, clause, format_args!("{what} to be {kind}"), describe(error))?;
    let retry = match kind {
        ErrorKind::Unavailable | ErrorKind::Cancelled | ErrorKind::DeadlineExceeded => Retry::Safe,
        _ => Retry::Never,
    };
    ensure(
        error.retry() == retry,
        "ERR-9",
        format_args!("the {kind} of {what} in the class {retry:?}"),
        describe(error),
    )
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// Garage dates an object by the end of its upload, and its answer by the second in which it is sent.
    #[test]
    fn a_put_may_tell_the_date_of_its_answer_and_no_other_file() {
        let path = StoragePath::parse("/a").unwrap();
        let info = |size: u64, seconds: u64, version: &str| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(100 + seconds);
            FileInfo::new(path.clone(), size, time).with_version(driver_api::Version::new(version))
        };
        let stat = info(7, 2, "one");
        for seconds in 0..=4 {
            assert!(told_as_by_stat(&info(7, seconds, "one"), &stat, "put").is_ok());
        }
        for other in [info(7, 5, "one"), info(8, 2, "one"), info(7, 2, "two")] {
            assert!(told_as_by_stat(&other, &stat, "put").is_err());
        }
    }
}
