//! Reading: whole files, ranges, and what stands at a path.

use bytes::{Bytes, BytesMut};
use driver_api::{
    ByteRange, Entry, Error, ErrorKind, FileInfo, GetOptions, ReadOptions, Reader, Result, StoragePath, Version,
    too_large,
};
use futures_util::{StreamExt, stream};

use crate::client::{BlobFacts, BodyStream, CopyState, Effect, Failure, LAST_OFFSET};
use crate::store::{Store, info};

/// The most memory that is taken for a file before its bytes come: 8 MiB.
const FIRST_BUFFER: u64 = 8 * 1024 * 1024;

impl Store {
    pub(crate) async fn get(&self, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        let (info, range, mut body) = self.open(path, options.range, options.if_match.as_ref()).await?;
        let length = range.end - range.start;
        if let Some(max_bytes) = options.max_bytes.filter(|max_bytes| length > *max_bytes) {
            return Err(too_large(length, max_bytes));
        }
        // What was announced is not believed beyond a few megabytes; memory grows with what really comes.
        let mut whole = BytesMut::with_capacity(length.min(FIRST_BUFFER) as usize);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(broken)?;
            if piece.len() as u64 == length && whole.is_empty() {
                return Ok((info, piece));
            }
            whole.extend_from_slice(&piece);
        }
        if whole.len() as u64 != length {
            let message = format!("{} bytes came where {length} were announced", whole.len());
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok((info, whole.freeze()))
    }

    pub(crate) async fn reader(&self, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        let (info, range, body) = self.open(path, options.range, options.if_match.as_ref()).await?;
        Ok(Reader::new(info, range, Box::pin(body.map(|piece| piece.map_err(broken)))))
    }

    /// Begins to read a range by one request; by one more where the range is empty or begins at or behind the end, which the
    /// service has no answer for, and by a third where the file has grown between the two.
    async fn open(
        &self,
        path: &StoragePath,
        range: ByteRange,
        version: Option<&Version>,
    ) -> Result<(FileInfo, std::ops::Range<u64>, BodyStream)> {
        let name = self.names.file(path);
        for _ in 0..2 {
            if range.length != Some(0) && range.offset <= LAST_OFFSET {
                match self.container.get(&name, range, version).await {
                    Ok(download) => {
                        let facts = whole(&download.facts, version)?;
                        return Ok((info(path, facts), range.resolve(facts.size)?, download.body));
                    }
                    Err(failure) if is_beyond_the_end(&failure) => {}
                    Err(failure) => return Err(unread(path, failure)),
                }
            }
            let facts = self.container.head(&name).await.map_err(|failure| unread(path, failure))?;
            let facts = whole(&facts, version)?;
            let resolved = range.resolve(facts.size)?;
            if resolved.is_empty() {
                return Ok((info(path, facts), resolved, Box::pin(stream::empty())));
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the service refuses a range that it says the file has"))
    }

    pub(crate) async fn stat(&self, path: &StoragePath) -> Result<Entry> {
        if path.is_root() {
            return Ok(Entry::Directory(path.clone()));
        }
        match self.container.head(&self.names.file(path)).await {
            Ok(facts) => Ok(Entry::File(info(path, whole(&facts, None)?))),
            Err(failure) if failure.is_missing() => {
                if self.is_directory(path).await? {
                    Ok(Entry::Directory(path.clone()))
                } else {
                    Err(Error::not_found(path))
                }
            }
            Err(failure) => Err(failure.into_error(Effect::None)),
        }
    }
}

/// The facts of a file that has its bytes, and is of `version` where that is given: what stands between here and the service may
/// take no notice of a condition.
fn whole<'a>(facts: &'a BlobFacts, version: Option<&Version>) -> Result<&'a BlobFacts> {
    if version.is_some_and(|version| *version != facts.version) {
        return Err(other_version());
    }
    // The target of a copy is there, without bytes, before they come, and stays so where they never do.
    match &facts.copy {
        None | Some(CopyState::Done) => Ok(facts),
        Some(CopyState::Pending(_)) => Err(Error::new(ErrorKind::Unavailable, "the file is still being copied")),
        Some(CopyState::Failed) => Err(Error::new(
            ErrorKind::Corrupt,
            "the copy that was to make this file failed; write it again, or delete it",
        )),
    }
}

fn is_beyond_the_end(failure: &Failure) -> bool {
    failure.code() == Some("InvalidRange")
}

fn unread(path: &StoragePath, failure: Failure) -> Error {
    if failure.is_missing() {
        Error::not_found(path)
    } else if failure.is_unmet_condition() {
        other_version()
    } else {
        failure.into_error(Effect::None)
    }
}

fn other_version() -> Error {
    Error::new(ErrorKind::Conflict, "the file is not of the version that was given")
}

fn broken(failure: Failure) -> Error {
    failure.into_error(Effect::None)
}
