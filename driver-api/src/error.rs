//! Errors as values: what kind, may it be repeated, and where it happened.

use std::borrow::Cow;
use std::fmt;

use crate::path::StoragePath;

/// The result of a storage call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the terms a caller branches on. CONTRACT.md has the table of operation, situation and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file or directory is not there. Never used for a missing bucket, a refused or a throttled request.
    NotFound,
    /// The path is not one the operation takes: malformed, or `/` where a file is meant.
    InvalidPath,
    /// The range begins behind the end of the file.
    InvalidRange,
    /// An argument other than the path is out of bounds or contradicts another.
    InvalidArgument,
    /// An if-absent write met a file.
    AlreadyExists,
    /// The state of the store forbids it: a version that does not match, a file where a directory is needed, a session
    /// that somebody else owns.
    Conflict,
    /// More bytes than the caller or the backend allows.
    TooLarge,
    /// The backend refused the credentials or the access.
    PermissionDenied,
    /// The driver does not declare the capability that the call needs.
    Unsupported,
    /// The backend did not answer, or answered that it cannot now: unreachable, 5xx, throttled.
    Unavailable,
    /// No room left: a full disk, an exceeded quota.
    NoSpace,
    /// The backend is not set up as the configuration says: no such bucket, wrong region.
    Misconfigured,
    /// The caller's context was cancelled.
    Cancelled,
    /// The caller's deadline has passed.
    DeadlineExceeded,
    /// What the backend holds is not what was stored.
    Corrupt,
    /// Anything else; the message and the source say what.
    Other,
}

impl ErrorKind {
    /// The kind's name as reports and metrics write it, for example `not_found`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::InvalidPath => "invalid_path",
            Self::InvalidRange => "invalid_range",
            Self::InvalidArgument => "invalid_argument",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::PermissionDenied => "permission_denied",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::NoSpace => "no_space",
            Self::Misconfigured => "misconfigured",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Corrupt => "corrupt",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the failed call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It would fail in the same way.
    Never,
    /// It may succeed, and nothing happened yet, or repeating what happened is harmless.
    Safe,
    /// The answer was lost: it may have happened, or may still happen. Look before repeating.
    MaybeApplied,
}

/// The call in which an error arose; also the label of spans and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs)] // Each is the method of the same name.
pub enum Operation {
    Get,
    Put,
    Reader,
    /// Taking the next chunk from a reader's stream.
    Read,
    Writer,
    Write,
    Close,
    Commit,
    Cancel,
    Unfinished,
    Abandon,
    Stat,
    List,
    Move,
    Delete,
    DeleteFiles,
    UrlFor,
}

impl Operation {
    /// Every operation, in the order in which the trait has them.
    pub const ALL: [Self; 17] = [
        Self::Get,
        Self::Put,
        Self::Reader,
        Self::Read,
        Self::Writer,
        Self::Write,
        Self::Close,
        Self::Commit,
        Self::Cancel,
        Self::Unfinished,
        Self::Abandon,
        Self::Stat,
        Self::List,
        Self::Move,
        Self::Delete,
        Self::DeleteFiles,
        Self::UrlFor,
    ];

    /// The operation's name as errors, spans and metrics write it, for example `get`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Reader => "reader",
            Self::Read => "read",
            Self::Writer => "writer",
            Self::Write => "write",
            Self::Close => "close",
            Self::Commit => "commit",
            Self::Cancel => "cancel",
            Self::Unfinished => "unfinished",
            Self::Abandon => "abandon",
            Self::Stat => "stat",
            Self::List => "list",
            Self::Move => "move",
            Self::Delete => "delete",
            Self::DeleteFiles => "delete_files",
            Self::UrlFor => "url_for",
        }
    }

    /// Whether the operation can change what the store holds.
    pub const fn changes_the_store(self) -> bool {
        match self {
            Self::Get | Self::Reader | Self::Read | Self::Unfinished | Self::Stat | Self::List | Self::UrlFor => false,
            Self::Put
            | Self::Writer
            | Self::Write
            | Self::Close
            | Self::Commit
            | Self::Cancel
            | Self::Abandon
            | Self::Move
            | Self::Delete
            | Self::DeleteFiles => true,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed storage call: a kind to branch on, a retry class, and where it happened.
///
/// Drivers make one with [`Error::new`] and leave out driver, operation and path: [`Storage`](crate::Storage) adds what is
/// missing. A message names no secret: it is shown to users and written to logs.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: Cow<'static, str>,
    driver: Option<String>,
    operation: Option<Operation>,
    path: Option<StoragePath>,
    request_id: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. Its retry class is what the kind alone tells: `Safe` for [`ErrorKind::Unavailable`], else
    /// `Never`; a driver that knows more says so with [`with_retry`](Self::with_retry).
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let retry = if kind == ErrorKind::Unavailable { Retry::Safe } else { Retry::Never };
        Self(Box::new(Inner {
            kind,
            retry,
            message: message.into(),
            driver: None,
            operation: None,
            path: None,
            request_id: None,
            source: None,
        }))
    }

    /// [`ErrorKind::NotFound`] for `path`.
    pub fn not_found(path: &StoragePath) -> Self {
        Self::new(ErrorKind::NotFound, "there is no such file or directory").with_path(path)
    }

    /// [`ErrorKind::Unsupported`]: the driver does not declare `capability`.
    pub fn unsupported(capability: &'static str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("the driver does not have the capability `{capability}`"))
    }

    /// The same error in another retry class.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// The same error, about `path`.
    #[must_use]
    pub fn with_path(mut self, path: &StoragePath) -> Self {
        self.0.path = Some(path.clone());
        self
    }

    /// The same error with the id that the backend gave the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds driver, operation and path where the error does not name them yet.
    #[must_use]
    pub fn in_call(mut self, driver: &str, operation: Operation, path: Option<&StoragePath>) -> Self {
        self.0.driver.get_or_insert_with(|| driver.to_owned());
        self.0.operation.get_or_insert(operation);
        if self.0.path.is_none() {
            self.0.path = path.cloned();
        }
        self
    }

    /// The kind to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the call may be repeated.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What happened, without driver, operation and path.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The name of the driver that failed.
    pub fn driver(&self) -> Option<&str> {
        self.0.driver.as_deref()
    }

    /// The operation that failed.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The path that the failed call was about.
    pub fn path(&self) -> Option<&StoragePath> {
        self.0.path.as_ref()
    }

    /// The id that the backend gave the failed request, for its operator.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Whether the kind is [`ErrorKind::NotFound`].
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// The same error about the path that `map` makes of its own; for drivers that show another name space.
    #[must_use]
    pub fn map_path(mut self, map: impl FnOnce(StoragePath) -> Option<StoragePath>) -> Self {
        self.0.path = self.0.path.take().and_then(map);
        self
    }
}

impl fmt::Display for Error {
    /// One line: `filesystem: get /a/b: there is no such file or directory (not_found)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(driver) = &inner.driver {
            write!(f, "{driver}: ")?;
        }
        match (inner.operation, &inner.path) {
            (Some(operation), Some(path)) => write!(f, "{operation} {path}: ")?,
            (Some(operation), None) => write!(f, "{operation}: ")?,
            (None, Some(path)) => write!(f, "{path}: ")?,
            (None, None) => {}
        }
        write!(f, "{} ({})", inner.message, inner.kind)?;
        if inner.retry == Retry::MaybeApplied {
            write!(f, "; it may have taken effect")?;
        }
        if let Some(request_id) = &inner.request_id {
            write!(f, " [request {request_id}]")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("retry", &inner.retry)
            .field("message", &inner.message)
            .field("driver", &inner.driver)
            .field("operation", &inner.operation)
            .field("path", &inner.path)
            .field("request_id", &inner.request_id)
            .field("source", &inner.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_driver_operation_path_and_kind_in_one_line() {
        let path = StoragePath::parse("/a/b").unwrap();
        let error = Error::not_found(&path).in_call("memory", Operation::Get, Some(&path));
        assert_eq!(error.to_string(), "memory: get /a/b: there is no such file or directory (not_found)");
    }

    #[test]
    fn the_first_to_name_a_place_is_right() {
        let inner = StoragePath::parse("/inner").unwrap();
        let error = Error::not_found(&inner).in_call("s3", Operation::Stat, Some(&inner)).in_call(
            "outer",
            Operation::Get,
            Some(&StoragePath::root()),
        );
        assert_eq!(
            (error.driver(), error.operation(), error.path()),
            (Some("s3"), Some(Operation::Stat), Some(&inner))
        );
    }

    #[test]
    fn is_one_word_so_that_results_stay_small() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }
}
