//! What is kept beside the bytes of an upload: when it began, and the states of its hash.

use driver_api::{Context, DeleteOptions, GetOptions, PutOptions, Storage};
use futures_util::future::{join_all, try_join_all};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcDateTime};

use super::hashing::{Hashing, algorithms};
use crate::digest::{Algorithm, Hasher};
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::names::{RepositoryName, UploadId};

/// More than any of these files has.
const MAX_BYTES: u64 = 1024;

/// The files beside the bytes of one upload.
#[derive(Debug, Clone)]
pub(crate) struct States {
    storage: Storage,
    repository: RepositoryName,
    id: UploadId,
}

impl States {
    pub(crate) const fn new(storage: Storage, repository: RepositoryName, id: UploadId) -> Self {
        Self { storage, repository, id }
    }

    /// Notes that the upload began at `time`.
    pub(super) async fn begin(&self, context: &Context, time: UtcDateTime) -> Result<()> {
        let text = time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339);
        let text = text.map_err(|error| Error::Damaged { path: self.started().path(), reason: error.to_string() })?;
        self.storage.put(context, &self.started().path(), text, PutOptions::default()).await?;
        Ok(())
    }

    /// When the upload began.
    ///
    /// Errors: UploadUnknown; Damaged.
    pub(crate) async fn began(&self, context: &Context) -> Result<UtcDateTime> {
        let path = self.started().path();
        let text = match self.storage.get(context, &path, GetOptions::default().with_max_bytes(MAX_BYTES)).await {
            Ok((_, text)) => text,
            Err(error) if error.is_not_found() => return Err(Error::UploadUnknown(self.id)),
            Err(error) => return Err(error.into()),
        };
        let time = std::str::from_utf8(&text).ok().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        let time = time.ok_or_else(|| Error::Damaged { path, reason: "it is no time of RFC 3339".to_owned() })?;
        Ok(time.to_utc())
    }

    /// Hashers that go on behind `size` bytes; none where one of their states is missing or cannot be used, which costs reading
    /// the bytes again and nothing else.
    pub(super) async fn hashing(
        &self,
        context: &Context,
        size: u64,
        other: Option<Algorithm>,
    ) -> Result<Option<Hashing>> {
        if size == 0 {
            return Ok(Some(Hashing::new(other)));
        }
        let states = algorithms(other).map(|algorithm| async move {
            let path = self.state(algorithm, size).path();
            match self.storage.get(context, &path, GetOptions::default().with_max_bytes(MAX_BYTES)).await {
                Ok((_, state)) => Ok(Hasher::restore(algorithm, &state, size).ok()),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(Error::from(error)),
            }
        });
        let hashers: Option<Vec<_>> = try_join_all(states).await?.into_iter().collect();
        Ok(hashers.map(|hashers| Hashing::resumed(hashers, size)))
    }

    /// Keeps the states of hashers behind `size` bytes, and takes away those behind `before` bytes. What fails costs a later
    /// request some reading.
    pub(super) async fn keep(&self, context: &Context, hashers: &[Hasher], size: u64, before: Option<u64>) {
        let states = hashers.iter().map(|hasher| (self.state(hasher.algorithm(), size).path(), hasher.save()));
        let states: Vec<_> = states.collect();
        let kept =
            join_all(states.into_iter().map(|(path, state)| async move {
                self.storage.put(context, &path, state, PutOptions::default()).await
            }));
        if let Some(error) = kept.await.into_iter().find_map(Result::err) {
            tracing::warn!(%error, "the state of a hash was not kept; its upload will be read again");
            return;
        }
        let Some(before) = before.filter(|before| *before != size && *before > 0) else { return };
        let old: Vec<_> = hashers.iter().map(|hasher| self.state(hasher.algorithm(), before).path()).collect();
        if let Err(error) = self.storage.delete_files(context, old).await {
            tracing::debug!(%error, "an old state of a hash stays until the upload ends");
        }
    }

    /// Takes everything of the upload away, with what is kept of its bytes.
    pub(crate) async fn remove(&self, context: &Context) -> Result<()> {
        let directory = Directory::Upload(&self.repository, self.id).path();
        match self.storage.delete(context, &directory, DeleteOptions::tree()).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn started(&self) -> Place {
        Place::UploadStarted(self.repository.clone(), self.id)
    }

    fn state(&self, algorithm: Algorithm, size: u64) -> Place {
        Place::HashState(self.repository.clone(), self.id, algorithm, size)
    }
}
