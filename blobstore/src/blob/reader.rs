//! The content of a blob, read when it is asked for.

use std::ops::Range;

use bytes::Bytes;
use driver_api::{ByteRange, Context, ReadOptions, Reader, Storage};

use crate::descriptor::Descriptor;
use crate::error::{Error, Result};
use crate::layout::Place;

/// A blob that is open for reading: it has a size, a position, and asks the storage for bytes when they are read.
#[derive(Debug)]
pub struct BlobReader {
    storage: Storage,
    descriptor: Descriptor,
    range: Range<u64>,
    stream: Option<Reader>,
}

impl BlobReader {
    /// A reader of the blob that `descriptor` describes; its size is taken from there.
    pub(crate) fn new(storage: Storage, descriptor: Descriptor) -> Self {
        let range = 0..descriptor.size;
        Self { storage, descriptor, range, stream: None }
    }

    /// What is being read.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Which bytes are still to come.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Goes to another part of the blob: the bytes of `range` come next, and nothing behind them.
    ///
    /// Errors: Storage with InvalidRange where it begins behind the end.
    pub fn seek(&mut self, range: ByteRange) -> Result<()> {
        let range = range.resolve(self.descriptor.size)?;
        // Where nothing changes the stream at hand is the right one.
        if range != self.range {
            self.range = range;
            self.stream = None;
        }
        Ok(())
    }

    /// Asks the storage for the bytes, so that it shows now whether they can be had; who has promised a size to somebody can't
    /// take it back later.
    ///
    /// Errors: BlobUnknown where the content is not there, whatever the descriptor says.
    pub async fn ready(&mut self, context: &Context) -> Result<()> {
        if self.stream.is_some() || self.range.is_empty() {
            return Ok(());
        }
        let range = ByteRange::span(self.range.start, self.range.end - self.range.start);
        let path = Place::Blob(self.descriptor.digest).path();
        let reader = match self.storage.reader(context, &path, ReadOptions::default().with_range(range)).await {
            Ok(reader) => reader,
            Err(error) if error.is_not_found() => return Err(Error::BlobUnknown(self.descriptor.digest)),
            Err(error) => return Err(error.into()),
        };
        if reader.info.size != self.descriptor.size {
            return Err(Error::Damaged {
                path,
                reason: format!("it has {} bytes and should have {}", reader.info.size, self.descriptor.size),
            });
        }
        self.stream = Some(reader);
        Ok(())
    }

    /// The next bytes; none at the end.
    pub async fn next_chunk(&mut self, context: &Context) -> Result<Option<Bytes>> {
        if self.range.is_empty() {
            return Ok(None);
        }
        self.ready(context).await?;
        let Some(stream) = &mut self.stream else { return Ok(None) };
        // The storage sees to it that a stream is as long as it said (READ-2), and ends with an error otherwise.
        match stream.next_chunk().await {
            Some(Ok(chunk)) => {
                self.range.start += chunk.len() as u64;
                Ok(Some(chunk))
            }
            Some(Err(error)) => {
                // Who reads on begins where this ended.
                self.stream = None;
                Err(error.into())
            }
            None => {
                self.range.start = self.range.end;
                Ok(None)
            }
        }
    }
}
