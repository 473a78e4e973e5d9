//! How bytes become a file in one request, and how it is found out whether they did when the answer was lost.

use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use driver_api::{Condition, Error, ErrorKind, FileInfo, Result, Retry, StoragePath};
use uuid::Uuid;

use crate::bucket::{Bucket, Head, info};
use crate::errors::Failure;

/// Where an object's metadata has its nonce.
const NONCE: &str = "nonce";

/// What tells the object of one write from that of any other, and stands in its metadata: after a lost answer it decides whose
/// object is there (ERR-8).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Nonce(String);

impl Nonce {
    /// One that nobody else has.
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// One that was written down.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        HashMap::from([(NONCE.to_owned(), self.0.clone())])
    }

    fn is_in(&self, metadata: &HashMap<String, String>) -> bool {
        metadata.get(NONCE) == Some(&self.0)
    }

    /// Whether two objects have one and the same.
    pub(crate) fn is_common(one: &HashMap<String, String>, other: &HashMap<String, String>) -> bool {
        one.get(NONCE).is_some_and(|nonce| other.get(NONCE) == Some(nonce))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error of a condition that did not hold.
pub(crate) fn unmet(condition: &Condition, path: &StoragePath) -> Error {
    let error = match condition {
        Condition::IfAbsent => Error::new(ErrorKind::AlreadyExists, "a file is there already"),
        _ => Error::new(ErrorKind::Conflict, "the file has another version, or is not there"),
    };
    error.with_path(path)
}

/// The error of a write that may have taken effect, and been replaced since.
pub(crate) fn unsure(path: &StoragePath) -> Error {
    let message = "an earlier attempt had no answer, and what is there now is not what it wrote";
    Error::new(ErrorKind::Unavailable, message).with_retry(Retry::MaybeApplied).with_path(path)
}

/// What tells one's own object, and when it may be stored.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) nonce: &'a Nonce,
    /// A writer has one nonce for all that it tries to publish, and gets longer in between.
    pub(crate) size: u64,
    pub(crate) condition: &'a Condition,
}

impl Own<'_> {
    fn is(self, head: &Head) -> bool {
        self.nonce.is_in(&head.metadata) && head.size == self.size
    }
}

/// What was found where one's own object might be.
pub(crate) enum Look {
    Own(Head),
    Other(Head),
    Nothing,
    Failed(Failure),
}

/// What an object is stored with, and what is known of who asked for it.
pub(crate) struct Put<'a> {
    /// Where it goes.
    pub(crate) key: &'a str,
    /// What errors call it.
    pub(crate) path: &'a StoragePath,
    pub(crate) pieces: &'a [Bytes],
    pub(crate) nonce: &'a Nonce,
    /// What stands in its metadata beside the nonce.
    pub(crate) notes: Vec<(&'static str, String)>,
    pub(crate) condition: &'a Condition,
    /// Whether an earlier attempt with this nonce may have taken effect, or do so later.
    pub(crate) tried: bool,
}

impl Bucket {
    /// Publishes `pieces` at `path` in one request.
    pub(crate) async fn publish(
        &self,
        path: &StoragePath,
        pieces: &[Bytes],
        condition: &Condition,
        nonce: &Nonce,
        tried: bool,
    ) -> Result<FileInfo> {
        let key = self.keys.file(path);
        self.store(Put { key: &key, path, pieces, nonce, notes: Vec::new(), condition, tried }).await
    }

    /// Stores an object in one request, and looks for it where the answer was lost.
    pub(crate) async fn store(&self, put: Put<'_>) -> Result<FileInfo> {
        let Put { key, path, pieces, nonce, notes, condition, tried } = put;
        let mut metadata = nonce.metadata();
        metadata.extend(notes.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let own = Own { nonce, size: pieces.iter().map(|piece| piece.len() as u64).sum(), condition };
        match self.put(key, pieces, metadata, condition).await {
            Ok(stored) => Ok(info(path, own.size, stored.at, Some(&stored.etag))),
            Err(failure) if failure.is_unsure() => self.look_whose(key, path, own, failure).await,
            // What does not meet the condition may be the work of the earlier attempt.
            Err(failure) if failure.is_unmet(condition) && tried => match self.look_at_own(key, own).await {
                Look::Own(head) => Ok(head.info(path)),
                _ => Err(unsure(path)),
            },
            Err(failure) if failure.is_unmet(condition) => Err(unmet(condition, path)),
            Err(failure) => Err(failure.of_change(path)),
        }
    }

    /// Looks whether the object is one's own.
    pub(crate) async fn look_at_own(&self, key: &str, own: Own<'_>) -> Look {
        match self.head(key).await {
            Ok(head) if own.is(&head) => Look::Own(head),
            Ok(head) => Look::Other(head),
            Err(look) if look.is_missing_key() => match self.expect_absence(key).await {
                Ok(_) => Look::Nothing,
                Err(look) => Look::Failed(look),
            },
            Err(look) => Look::Failed(look),
        }
    }

    /// Whether a write whose answer was lost took effect: it did if the object is its own. If it is not, the write may have
    /// been replaced since, or may come yet.
    pub(crate) async fn look_whose(
        &self,
        key: &str,
        path: &StoragePath,
        own: Own<'_>,
        failure: Failure,
    ) -> Result<FileInfo> {
        let found = match self.look_at_own(key, own).await {
            Look::Own(head) => return Ok(head.info(path)),
            Look::Other(head) => Some(head),
            Look::Nothing => None,
            Look::Failed(_) => return Err(failure.of_change(path)),
        };
        // Repeated, the write would meet what is there now. Where its condition would not hold, that could be because it took
        // effect and was replaced (ERR-8).
        let is_repeatable = match (own.condition, found) {
            (Condition::None, _) | (Condition::IfAbsent, None) => true,
            (Condition::IfMatch(version), Some(head)) => head.etag.as_deref() == Some(version.as_str()),
            (Condition::IfAbsent, Some(_)) | (Condition::IfMatch(_), None) => false,
        };
        Err(if is_repeatable { failure.not_applied() } else { failure }.of_change(path))
    }
}
