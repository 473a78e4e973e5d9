//! A file opened for reading.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::unfold;

use crate::driver::ByteStream;
use crate::entry::FileInfo;
use crate::error::{Error, ErrorKind, Result};

/// A file opened for reading: what it is, which bytes come, and the stream of them.
pub struct Reader {
    /// The file as it was when it was opened; the stream yields this version.
    pub info: FileInfo,
    /// The bytes that the stream yields.
    pub range: Range<u64>,
    /// The bytes.
    pub stream: ByteStream,
}

impl Reader {
    /// A reader of `range` of the file `info`.
    pub fn new(info: FileInfo, range: Range<u64>, stream: ByteStream) -> Self {
        Self { info, range, stream }
    }

    /// How many bytes the stream yields in all.
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether the stream yields nothing.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Takes the next piece; none at the end.
    pub async fn next_chunk(&mut self) -> Option<Result<Bytes>> {
        self.stream.next().await
    }

    /// Takes all that is left into memory; [`TooLarge`](ErrorKind::TooLarge) where the range is longer than `max_bytes`.
    pub async fn read_to_end(mut self, max_bytes: u64) -> Result<Bytes> {
        if self.len() > max_bytes {
            return Err(too_large(self.len(), max_bytes).with_path(&self.info.path));
        }
        let first = match self.next_chunk().await {
            None => return Ok(Bytes::new()),
            Some(chunk) => chunk?,
        };
        if first.len() as u64 == self.len() {
            return Ok(first);
        }
        // `len` is what the driver says; memory grows with what really comes.
        let mut whole = BytesMut::from(first);
        while let Some(chunk) = self.next_chunk().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole.freeze())
    }
}

/// The same stream, ended by an error where it would be shorter or longer than `length` bytes (READ-3).
pub(crate) fn exact<S>(stream: S, length: u64) -> impl Stream<Item = Result<Bytes>> + Send
where
    S: Stream<Item = Result<Bytes>> + Send + Unpin,
{
    let ends_wrongly = |left: u64| {
        let message = if left == 0 {
            "the stream goes on behind the end of the file".to_owned()
        } else {
            format!("the stream ended {left} bytes before its end")
        };
        Some((Err(Error::new(ErrorKind::Corrupt, message)), None))
    };
    unfold(Some((stream, length)), move |state| async move {
        let (mut stream, left) = state?;
        match stream.next().await {
            None if left == 0 => None,
            None => ends_wrongly(left),
            Some(Ok(chunk)) => match left.checked_sub(chunk.len() as u64) {
                None => ends_wrongly(0),
                Some(left) => Some((Ok(chunk), Some((stream, left)))),
            },
            Some(Err(error)) => Some((Err(error), None)),
        }
    })
}

/// The error of reading `size` bytes into memory where `max_bytes` are allowed; for drivers and their callers alike.
pub fn too_large(size: u64, max_bytes: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("{size} bytes are more than the {max_bytes} that the caller takes"))
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("info", &self.info).field("range", &self.range).finish_non_exhaustive()
    }
}
