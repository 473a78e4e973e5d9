//! How the command ends: a code that a script can use, and a message that a person can.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use driver_api::{Error, ErrorKind, Retry, WriterError};
use driver_factory::ConfigErrors;

/// The codes, as `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  failed
    2  the arguments or the configuration are wrong; nothing was done
    3  there is no such file or directory
    4  something else is there: the file exists, or has changed
    5  the backend did not answer, or cannot now: trying again may help
    6  it is not known whether the change took effect
  130  interrupted";

const CONFIGURATION: u8 = 2;
const NOT_FOUND: u8 = 3;
const CONFLICT: u8 = 4;
const UNAVAILABLE: u8 = 5;
const MAYBE_APPLIED: u8 = 6;
/// What shells say of a command that SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why the command did not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    /// Nothing where there is nobody to tell.
    message: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { code: 1, message: Some(message.into()) }
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self { code: CONFIGURATION, message: Some(message.into()) }
    }

    /// A failure of the command's own side: a local file, standard input or output.
    pub(crate) fn local(what: impl Display, error: &io::Error) -> Self {
        // Who closed the pipe has all that it wanted.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { code: 0, message: None };
        }
        Self::new(format!("{what}: {error}"))
    }

    /// The same failure with advice behind its message.
    #[must_use]
    pub(crate) fn advising(mut self, advice: &str) -> Self {
        self.message = self.message.map(|message| format!("{message}; {advice}"));
        self
    }

    /// Prints the message; what is left is the code.
    #[must_use]
    pub(crate) fn told(self) -> Self {
        if let Some(message) = &self.message {
            eprintln!("blobstore: {message}");
        }
        Self { message: None, ..self }
    }

    /// Prints the message. The code to end with.
    pub(crate) fn tell(self) -> ExitCode {
        ExitCode::from(self.told().code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Cancelled => INTERRUPTED,
            _ if error.retry() == Retry::MaybeApplied => MAYBE_APPLIED,
            ErrorKind::NotFound => NOT_FOUND,
            ErrorKind::AlreadyExists | ErrorKind::Conflict => CONFLICT,
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => UNAVAILABLE,
            ErrorKind::Misconfigured | ErrorKind::InvalidPath | ErrorKind::InvalidArgument => CONFIGURATION,
            _ => 1,
        };
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            message = format!("{message}: {source}");
            cause = source.source();
        }
        Self { code, message: Some(message) }
    }
}

impl From<blobstore::Error> for Failure {
    fn from(error: blobstore::Error) -> Self {
        match error {
            blobstore::Error::Storage(error) => error.into(),
            error if error.is_unknown() => Self { code: NOT_FOUND, message: Some(error.to_string()) },
            error => Self::new(error.to_string()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(ErrorKind::Misconfigured, failure.message.unwrap_or_default())
    }
}

impl From<WriterError> for Failure {
    fn from(failure: WriterError) -> Self {
        failure.error.into()
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::configuration(format!("the configuration is wrong\n{errors}"))
    }
}
