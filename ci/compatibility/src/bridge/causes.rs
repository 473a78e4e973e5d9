//! The kinds of errors that the other crates have no kind for, from the I/O error behind them.

use std::error::Error as StdError;
use std::io;

use driver_api::ErrorKind;

/// What a failed call was about to do. A file where a directory is needed means that what is looked for is not there, and
/// that what is to be written has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Change,
}

impl Access {
    /// The kind of an error about a path that leads through a file, or ends at a directory.
    pub(super) fn wrong_shape(self) -> ErrorKind {
        match self {
            Self::Read => ErrorKind::NotFound,
            Self::Change => ErrorKind::Conflict,
        }
    }

    /// The kind of the I/O error that caused `error`, if one did.
    pub(super) fn kind_of_cause(self, error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
        let mut cause = error;
        let cause = loop {
            match cause.downcast_ref::<io::Error>() {
                Some(found) => break found,
                None => cause = cause.source()?,
            }
        };
        match cause.kind() {
            io::ErrorKind::NotFound => Some(ErrorKind::NotFound),
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Some(self.wrong_shape()),
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => Some(ErrorKind::Conflict),
            io::ErrorKind::PermissionDenied => Some(ErrorKind::PermissionDenied),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(ErrorKind::NoSpace),
            io::ErrorKind::FileTooLarge => Some(ErrorKind::TooLarge),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with a cause, as the crates make them.
    #[derive(Debug)]
    struct Outer(io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_cause_decides_however_deep_it_is() {
        for (cause, read, change) in [
            (io::ErrorKind::NotADirectory, Some(ErrorKind::NotFound), Some(ErrorKind::Conflict)),
            (io::ErrorKind::IsADirectory, Some(ErrorKind::NotFound), Some(ErrorKind::Conflict)),
            (io::ErrorKind::StorageFull, Some(ErrorKind::NoSpace), Some(ErrorKind::NoSpace)),
            (io::ErrorKind::BrokenPipe, None, None),
        ] {
            let error = Outer(cause.into());
            assert_eq!(Access::Read.kind_of_cause(&error), read, "{cause}");
            assert_eq!(Access::Change.kind_of_cause(&error), change, "{cause}");
        }
        assert_eq!(Access::Read.kind_of_cause(&std::fmt::Error), None);
    }
}
