//! Which operation a request is, read off the wire, and how many there were of each.

use std::collections::BTreeMap;

use http::{Method, Uri};
use parking_lot::Mutex;

/// An operation of S3, as its method, path, query and headers tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the operation of this name in S3's reference")]
pub enum Operation {
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CopyObject,
    CreateMultipartUpload,
    DeleteObject,
    DeleteObjects,
    GetObject,
    HeadBucket,
    HeadObject,
    ListMultipartUploads,
    ListObjects,
    ListParts,
    PutObject,
    UploadPart,
    UploadPartCopy,
    /// Whatever this server does not know.
    Other,
}

impl Operation {
    /// The operation of a request; `copies` where it names a source to copy.
    pub(crate) fn of(method: &Method, uri: &Uri, copies: bool) -> Self {
        let query = uri.query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let is_object = uri.path().trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
        match (method.as_str(), is_object) {
            ("PUT", true) if has("partNumber") && copies => Self::UploadPartCopy,
            ("PUT", true) if has("partNumber") => Self::UploadPart,
            ("PUT", true) if copies => Self::CopyObject,
            ("PUT", true) => Self::PutObject,
            ("GET", true) if has("uploadId") => Self::ListParts,
            ("GET", true) => Self::GetObject,
            ("HEAD", true) => Self::HeadObject,
            ("POST", true) if has("uploads") => Self::CreateMultipartUpload,
            ("POST", true) if has("uploadId") => Self::CompleteMultipartUpload,
            ("DELETE", true) if has("uploadId") => Self::AbortMultipartUpload,
            ("DELETE", true) => Self::DeleteObject,
            ("GET", false) if has("uploads") => Self::ListMultipartUploads,
            ("GET", false) if has("list-type") => Self::ListObjects,
            ("POST", false) if has("delete") => Self::DeleteObjects,
            ("HEAD", false) => Self::HeadBucket,
            _ => Self::Other,
        }
    }
}

/// How many requests of each operation came over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<Operation, usize>);

impl Requests {
    /// How many were of `operation`.
    pub fn of(&self, operation: Operation) -> usize {
        self.0.get(&operation).copied().unwrap_or(0)
    }

    /// How many there were in all.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl<const N: usize> From<[(Operation, usize); N]> for Requests {
    fn from(counts: [(Operation, usize); N]) -> Self {
        Self(counts.into())
    }
}

/// Counts requests as they come.
#[derive(Debug, Default)]
pub(crate) struct Counter(Mutex<Requests>);

impl Counter {
    pub(crate) fn count(&self, operation: Operation) {
        *self.0.lock().0.entry(operation).or_default() += 1;
    }

    /// What was counted since this was asked last.
    pub(crate) fn take(&self) -> Requests {
        std::mem::take(&mut self.0.lock())
    }
}
