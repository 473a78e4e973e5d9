//! Bytes as a list of pieces, so that completing an upload and copying an object copy no bytes.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use md5::{Digest, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};

/// The bytes of an object or of a part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pieces: Arc<[Bytes]>,
    size: u64,
}

impl Content {
    /// Takes a request's body into memory.
    pub(crate) async fn receive(body: Option<StreamingBlob>) -> S3Result<Self> {
        let mut pieces = Vec::new();
        if let Some(mut body) = body {
            while let Some(piece) = body.next().await {
                pieces.push(piece.map_err(|error| s3_error!(IncompleteBody, "{error}"))?);
            }
        }
        Ok(pieces.into())
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of `range`, which lies within.
    pub(crate) fn slice(&self, range: Range<u64>) -> Self {
        let mut offset = 0;
        let mut pieces = Vec::new();
        for piece in self.pieces.iter() {
            let end = offset + piece.len() as u64;
            let (from, to) = (range.start.max(offset), range.end.min(end));
            if from < to {
                pieces.push(piece.slice((from - offset) as usize..(to - offset) as usize));
            }
            offset = end;
        }
        pieces.into()
    }

    pub(crate) fn join<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        parts.flat_map(|part| part.pieces.iter().cloned()).collect::<Vec<_>>().into()
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = Bytes> + Send + Sync + use<> {
        let pieces = self.pieces.clone();
        (0..pieces.len()).map(move |at| pieces[at].clone())
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    pub(crate) fn md5(&self) -> [u8; 16] {
        let mut sum = Md5::new();
        self.pieces.iter().for_each(|piece| sum.update(piece));
        sum.finalize().into()
    }
}

impl From<Vec<Bytes>> for Content {
    fn from(pieces: Vec<Bytes>) -> Self {
        Self { size: pieces.iter().map(|piece| piece.len() as u64).sum(), pieces: pieces.into() }
    }
}

/// The digits of a sum, as entity tags have them.
pub(crate) fn hex(sum: &[u8]) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
