//! Where the bytes of an upload are.

use driver_api::{
    CommitOptions, Context, ErrorKind, FileInfo, ReadOptions, Storage, StoragePath, WriteMode, WriteOptions, Writer,
};

use super::hashing::algorithms;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Error, Result};

/// The bytes of an upload.
#[derive(Debug)]
pub(super) enum Body {
    /// None came so far, and nobody asked the storage for a place.
    Nothing,
    /// They go to the storage as they come. Nothing shows.
    Open(Writer),
    /// They are all there, in a file of the upload's own: an earlier commit came this far.
    Whole(u64),
    /// A call on them was interrupted and went on without its caller.
    Gone,
}

impl Body {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Nothing | Self::Gone => 0,
            Self::Open(writer) => writer.size(),
            Self::Whole(size) => *size,
        }
    }

    /// Goes on with what is kept at `path`.
    ///
    /// Errors: UploadElsewhere where that is not what is expected; it stays as it was, for the one who knows its size.
    pub(super) async fn resume(
        storage: &Storage,
        context: &Context,
        path: &StoragePath,
        expected: Option<u64>,
    ) -> Result<Self> {
        let mode = WriteMode::Append { expected_size: None };
        let body = match storage.writer(context, path, WriteOptions::default().with_mode(mode)).await {
            Ok(writer) => Self::Open(writer),
            // A file that is not empty takes no more bytes; is that what is there?
            Err(error) if error.kind() == ErrorKind::Conflict => match storage.stat(context, path).await {
                Ok(entry) => Self::Whole(entry.into_file()?.size),
                Err(_) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        let kept = body.size();
        match expected.filter(|expected| *expected != kept) {
            None => Ok(body),
            Some(expected) => {
                if let Self::Open(writer) = body {
                    writer.close(context).await?;
                }
                Err(Error::UploadElsewhere { expected, kept })
            }
        }
    }

    /// The writer, opened where nobody has done so.
    pub(super) async fn writer(
        &mut self,
        storage: &Storage,
        context: &Context,
        path: &StoragePath,
        hint: Option<u64>,
    ) -> Result<&mut Writer> {
        if let Self::Nothing = self {
            let mut options = WriteOptions::default();
            options.size_hint = hint;
            *self = Self::Open(storage.writer(context, path, options).await?);
        }
        match self {
            Self::Open(writer) => Ok(writer),
            Self::Nothing | Self::Whole(_) | Self::Gone => Err(ended().into()),
        }
    }

    /// Publishes the bytes at `to`.
    pub(super) async fn publish(
        &mut self,
        storage: &Storage,
        context: &Context,
        path: &StoragePath,
        to: &StoragePath,
    ) -> Result<()> {
        match std::mem::replace(self, Self::Gone) {
            Self::Open(writer) => {
                self.commit(context, writer, CommitOptions::default().with_to(to.clone())).await?;
            }
            Self::Whole(size) => {
                *self = Self::Whole(size);
                if path != to {
                    storage.move_to(context, path, to).await?;
                }
            }
            other => {
                *self = other;
                return Err(ended().into());
            }
        }
        Ok(())
    }

    async fn commit(&mut self, context: &Context, writer: Writer, options: CommitOptions) -> Result<FileInfo> {
        writer.commit(context, options).await.map_err(|failure| {
            if let Some(writer) = failure.writer {
                *self = Self::Open(*writer);
            }
            failure.error.into()
        })
    }

    /// Makes the bytes a file of the upload's own, and hashes it: what is left to do where they could not be hashed as they came.
    pub(super) async fn read_again(
        &mut self,
        storage: &Storage,
        context: &Context,
        path: &StoragePath,
        other: Option<Algorithm>,
    ) -> Result<Vec<Digest>> {
        if let Self::Open(_) = self {
            self.publish(storage, context, path, path).await?;
        }
        let mut reader = storage.reader(context, path, ReadOptions::default()).await?;
        *self = Self::Whole(reader.info.size);
        let mut hashing = super::hashing::Hashing::resumed(algorithms(other).map(Hasher::new).collect(), 0);
        while let Some(chunk) = reader.next_chunk().await {
            hashing.take(chunk?).await;
        }
        let hashers = hashing.finish().await.ok_or_else(ended)?;
        Ok(hashers.iter().map(Hasher::digest).collect())
    }
}

fn ended() -> driver_api::Error {
    driver_api::Error::new(ErrorKind::Conflict, "this upload takes no more bytes: an earlier call has ended it")
}
