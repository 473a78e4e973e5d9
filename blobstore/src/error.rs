//! What can go wrong in the stores.

use std::fmt;

use driver_api::{ErrorKind, Retry, StoragePath, WriterError};

use crate::digest::Digest;
use crate::names::{RepositoryName, UploadId};

/// The answer of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store could not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no such blob, or none that can be read where it was asked for.
    BlobUnknown(Digest),
    /// There is no such manifest in the repository; the text is the tag or the digest that was asked for.
    ManifestUnknown(RepositoryName, String),
    /// There is no such repository.
    RepositoryUnknown(RepositoryName),
    /// There is no such upload: it has ended, was given up, or never began.
    UploadUnknown(UploadId),
    /// Somebody else is writing to the upload.
    UploadBusy(UploadId),
    /// The upload has another size than its client thinks.
    UploadElsewhere {
        /// Bytes that its client thinks are kept.
        expected: u64,
        /// Bytes that are kept.
        kept: u64,
    },
    /// Content is not what its digest says.
    DigestMismatch {
        /// What was promised.
        expected: Digest,
        /// What the bytes that came have.
        found: Box<Digest>,
    },
    /// Content is longer or shorter than was said.
    SizeMismatch {
        /// Bytes that were promised.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
    /// A manifest is none; the text says why.
    ManifestInvalid(String),
    /// A manifest names contents that are not in its repository.
    ReferencesUnknown(Vec<Digest>),
    /// Deleting is not allowed here.
    DeleteDisabled,
    /// A file of the store is damaged. It names what cannot be made out any more; `verify` lists all such files.
    Damaged {
        /// Where it is.
        path: StoragePath,
        /// What is wrong with it.
        reason: String,
    },
    /// The storage failed.
    Storage(driver_api::Error),
}

impl Error {
    /// Whether what was asked for does not exist, as far as the store knows.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::BlobUnknown(_) | Self::ManifestUnknown(..) | Self::RepositoryUnknown(_) | Self::UploadUnknown(_) => {
                true
            }
            Self::Storage(error) => error.is_not_found(),
            _ => false,
        }
    }

    /// Whether the same call may succeed later, without anybody having done anything wrong.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::UploadBusy(_) => true,
            Self::Storage(error) => {
                error.retry() != Retry::Never
                    || matches!(
                        error.kind(),
                        ErrorKind::Unavailable | ErrorKind::DeadlineExceeded | ErrorKind::Cancelled
                    )
            }
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlobUnknown(digest) => write!(f, "there is no blob {digest} here"),
            Self::ManifestUnknown(repository, reference) => {
                write!(f, "there is no manifest {reference} in {repository}")
            }
            Self::RepositoryUnknown(repository) => write!(f, "there is no repository {repository}"),
            Self::UploadUnknown(id) => write!(f, "there is no upload {id}: begin another"),
            Self::UploadBusy(id) => write!(f, "upload {id} is being written to by another request: wait for it"),
            Self::UploadElsewhere { expected, kept } => {
                write!(f, "the upload has {kept} bytes, not {expected}: go on behind those")
            }
            Self::DigestMismatch { expected, found } => {
                write!(f, "the content that came has the digest {found}, not {expected}")
            }
            Self::SizeMismatch { expected, found } => {
                write!(f, "the content that came has {found} bytes, not {expected}")
            }
            Self::ManifestInvalid(reason) => write!(f, "this is no valid manifest: {reason}"),
            Self::ReferencesUnknown(digests) => {
                f.write_str("the manifest names what is not in its repository; push it first:")?;
                digests.iter().try_for_each(|digest| write!(f, " {digest}"))
            }
            Self::DeleteDisabled => f.write_str("deleting is not allowed here; `storage.delete.enabled` allows it"),
            Self::Damaged { path, reason } => write!(f, "{path} is damaged: {reason}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its text is ours, so that its source comes next.
            Self::Storage(error) => error.source(),
            _ => None,
        }
    }
}

impl From<driver_api::Error> for Error {
    fn from(error: driver_api::Error) -> Self {
        Self::Storage(error)
    }
}

impl From<WriterError> for Error {
    fn from(failure: WriterError) -> Self {
        Self::Storage(failure.error)
    }
}
