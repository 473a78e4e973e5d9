//! Why access control cannot be as it is configured. Nothing here repeats what is in a file: there are secrets in them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why access control cannot be as it is configured.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccessError {
    /// A value of the configuration is none that can be.
    Option {
        /// Its key, below `auth`.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A file cannot be read, or cannot be made.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is in a file is not what it should be.
    Content {
        /// Which file.
        path: PathBuf,
        /// In which line, from 1; none where it is the whole.
        line: Option<usize>,
        /// What is wrong with it.
        problem: String,
    },
}

impl AccessError {
    pub(super) fn option(key: &'static str, problem: impl Into<String>) -> Self {
        Self::Option { key, problem: problem.into() }
    }

    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(super) fn content(path: &Path, line: impl Into<Option<usize>>, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), line: line.into(), problem: problem.into() }
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { key, problem } => write!(f, "{key}: {problem}"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Content { path, line: Some(line), problem } => write!(f, "{}:{line}: {problem}", path.display()),
            Self::Content { path, line: None, problem } => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl std::error::Error for AccessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}
