//! Multipart uploads: parts, and how they become an object.

use std::collections::BTreeMap;
use std::time::SystemTime;

use md5::{Digest, Md5};
use s3s::dto::CompletedPart;
use s3s::{S3Result, s3_error};

use crate::content::{Content, hex};
use crate::objects::{Headers, Object};
use crate::server::ServerOptions;

#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) content: Content,
    pub(crate) sum: [u8; 16],
    pub(crate) modified: SystemTime,
}

impl Part {
    pub(crate) fn new(content: Content) -> Self {
        Self { sum: content.md5(), content, modified: SystemTime::now() }
    }

    pub(crate) fn etag(&self) -> String {
        hex(&self.sum)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) initiated: SystemTime,
    pub(crate) headers: Headers,
    pub(crate) parts: BTreeMap<i32, Part>,
}

impl Upload {
    /// The object that the parts named by the client make. It is dated by the upload's initiation, as Amazon does.
    pub(crate) fn complete(&self, named: &[CompletedPart], options: &ServerOptions) -> S3Result<Object> {
        if named.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        if !named.is_sorted_by_key(|part| part.part_number) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let parts = named.iter().map(|part| self.named(part)).collect::<S3Result<Vec<_>>>()?;
        let (_, all_but_last) = parts.split_last().ok_or_else(|| s3_error!(MalformedXML))?;
        if all_but_last.iter().any(|part| part.content.size() < options.part_minimum) {
            return Err(s3_error!(EntityTooSmall));
        }
        let mut sum = Md5::new();
        parts.iter().for_each(|part| sum.update(part.sum));
        let sum: [u8; 16] = sum.finalize().into();
        Ok(Object {
            etag: format!("{}-{}", hex(&sum), parts.len()),
            content: Content::join(parts.iter().map(|part| &part.content)),
            modified: self.initiated,
            headers: self.headers.clone(),
        })
    }

    fn named(&self, part: &CompletedPart) -> S3Result<&Part> {
        part.part_number
            .and_then(|number| self.parts.get(&number))
            .filter(|found| part.e_tag.as_ref().is_some_and(|tag| tag.value() == found.etag()))
            .ok_or_else(|| s3_error!(InvalidPart))
    }
}

/// A multipart upload that was neither completed nor aborted, as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingUpload {
    /// The key of the object that it would make.
    pub key: String,
    /// Its id.
    pub upload_id: String,
    /// The sizes of its parts, by number.
    pub parts: BTreeMap<i32, u64>,
}
