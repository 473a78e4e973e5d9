//! The objects of a bucket, and the conditions on reading, writing and deleting them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use s3s::dto::{ETag, ETagCondition, Metadata, ObjectCannedACL, ServerSideEncryption, StorageClass, Timestamp};
use s3s::{S3Error, S3Result, s3_error};

use crate::content::{Content, hex};

/// What an upload says about the object beside its bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers {
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) storage_class: Option<StorageClass>,
    pub(crate) encryption: Option<ServerSideEncryption>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) acl: Option<ObjectCannedACL>,
}

#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) content: Content,
    pub(crate) etag: String,
    pub(crate) modified: SystemTime,
    pub(crate) headers: Headers,
}

impl Object {
    pub(crate) fn new(content: Content, modified: SystemTime, headers: Headers) -> Self {
        Self { etag: hex(&content.md5()), content, modified, headers }
    }

    pub(crate) fn e_tag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }

    pub(crate) fn last_modified(&self) -> Timestamp {
        in_whole_seconds(self.modified)
    }

    pub(crate) fn matches(&self, condition: &ETagCondition) -> bool {
        match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(tag) => tag.value() == self.etag,
        }
    }
}

/// Amazon's times have whole seconds, in listings too.
pub(crate) fn in_whole_seconds(time: SystemTime) -> Timestamp {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    (SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).into()
}

/// The conditions of a request that changes or reads one object.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl Conditions {
    /// Whether a write over `current` may go on: 412 where a condition does not hold, 404 where one names a version of nothing.
    pub(crate) fn allow_write(&self, current: Option<&Object>) -> S3Result<()> {
        if let Some(condition) = &self.if_match {
            match current {
                None => return Err(s3_error!(NoSuchKey)),
                Some(object) if !object.matches(condition) => return Err(precondition_failed()),
                Some(_) => {}
            }
        }
        match (&self.if_none_match, current) {
            (Some(condition), Some(object)) if object.matches(condition) => Err(precondition_failed()),
            _ => Ok(()),
        }
    }

    /// Whether `object` may be read.
    pub(crate) fn allow_read(&self, object: &Object) -> S3Result<()> {
        if self.if_match.as_ref().is_some_and(|condition| !object.matches(condition)) {
            return Err(precondition_failed());
        }
        if self.if_none_match.as_ref().is_some_and(|condition| object.matches(condition)) {
            return Err(s3_error!(NotModified));
        }
        Ok(())
    }
}

pub(crate) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// An object as a test sees it, past the protocol.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoredObject {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Its user metadata, without the prefix `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its storage class, where one was asked for.
    pub storage_class: Option<String>,
    /// The server-side encryption that was asked for.
    pub encryption: Option<String>,
    /// The key of that encryption.
    pub kms_key_id: Option<String>,
    /// The canned ACL that was asked for.
    pub acl: Option<String>,
}

impl From<&Object> for StoredObject {
    fn from(object: &Object) -> Self {
        let Headers { content_type, metadata, storage_class, encryption, kms_key_id, acl } = object.headers.clone();
        Self {
            content: object.content.to_vec(),
            metadata: metadata.into_iter().flatten().collect(),
            content_type,
            storage_class: storage_class.map(|class| class.as_str().to_owned()),
            encryption: encryption.map(|encryption| encryption.as_str().to_owned()),
            kms_key_id,
            acl: acl.map(|acl| acl.as_str().to_owned()),
        }
    }
}

impl From<Bytes> for Object {
    fn from(bytes: Bytes) -> Self {
        Self::new(vec![bytes].into(), SystemTime::now(), Headers::default())
    }
}
