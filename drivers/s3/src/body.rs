//! Bodies of requests and answers, without copies.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use driver_api::{Error, ErrorKind, Result};
use futures_util::Stream;
use futures_util::stream::unfold;
use http_body::{Body, Frame, SizeHint};

/// The body of an upload that stands in several pieces.
struct Pieces {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(piece) = self.pieces.pop_front() else { return Poll::Ready(None) };
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A body of these pieces. One in a single piece is signed with its sum; several are not, which saves putting them together.
pub(crate) fn of_pieces(pieces: &[Bytes]) -> ByteStream {
    if let [piece] = pieces {
        return ByteStream::from(piece.clone());
    }
    let pieces: VecDeque<_> = pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect();
    match (pieces.front(), pieces.len()) {
        (None, _) => ByteStream::from_static(b""),
        (Some(piece), 1) => ByteStream::from(piece.clone()),
        _ => {
            let left = pieces.iter().map(|piece| piece.len() as u64).sum();
            ByteStream::new(SdkBody::from_body_1_x(Pieces { pieces, left }))
        }
    }
}

/// The pieces of an answer's body. Waiting longer than `stall` for one ends it; the time between two calls does not count.
pub(crate) fn pieces(body: ByteStream, stall: Duration) -> impl Stream<Item = Result<Bytes>> + Send {
    unfold(Some(body), move |body| async move {
        let mut body = body?;
        match tokio::time::timeout(stall, body.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(body))),
            Ok(Some(Err(error))) => {
                let broken = Error::new(ErrorKind::Unavailable, "the connection broke while the file was read");
                Some((Err(broken.with_source(error)), None))
            }
            Err(_) => {
                let message = format!("no more of the file came for {stall:?}");
                Some((Err(Error::new(ErrorKind::Unavailable, message)), None))
            }
        }
    })
}
