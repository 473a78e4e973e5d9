//! The bodies of requests and of answers.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use driver_api::Context;
use futures_util::stream::{self, BoxStream};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use blobstore::blob::BlobReader;

/// Any failure of a connection or of what is sent over it.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer: nothing, bytes at hand, or the content of a blob as it is read.
pub struct Body(Kind);

enum Kind {
    Full(Option<Bytes>),
    Streamed { rest: u64, chunks: BoxStream<'static, blobstore::Result<Bytes>> },
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Body").field(&http_body::Body::size_hint(self)).finish()
    }
}

impl Body {
    pub(crate) const fn empty() -> Self {
        Self(Kind::Full(None))
    }

    pub(crate) fn full(content: Bytes) -> Self {
        Self(Kind::Full((!content.is_empty()).then_some(content)))
    }

    /// The rest of a blob, chunk by chunk: nothing is read that the client does not take.
    pub(crate) fn blob(context: Context, reader: BlobReader) -> Self {
        let range = reader.range();
        let chunks = stream::try_unfold((context, reader), async |(context, mut reader)| {
            Ok(reader.next_chunk(&context).await?.map(|chunk| (chunk, (context, reader))))
        });
        Self(Kind::Streamed { rest: range.end - range.start, chunks: Box::pin(chunks) })
    }

    /// The bytes, where they are at hand.
    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Full(content) => Some(content.as_deref().unwrap_or_default()),
            Kind::Streamed { .. } => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Full(content) => Poll::Ready(content.take().map(|content| Ok(Frame::data(content)))),
            Kind::Streamed { rest, chunks } => match chunks.as_mut().poll_next(task) {
                Poll::Ready(Some(Ok(chunk))) => {
                    *rest = rest.saturating_sub(chunk.len() as u64);
                    Poll::Ready(Some(Ok(Frame::data(chunk))))
                }
                Poll::Ready(Some(Err(error))) => {
                    // The status has been sent: that the connection ends is all that can tell the client.
                    tracing::warn!(%error, "a blob could not be read to its end");
                    Poll::Ready(Some(Err(error.into())))
                }
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(content) => content.is_none(),
            Kind::Streamed { rest, .. } => *rest == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.0 {
            Kind::Full(content) => content.as_ref().map_or(0, |content| content.len() as u64),
            Kind::Streamed { rest, .. } => *rest,
        })
    }
}

/// The body of a request, of which nothing is read before it is asked for.
pub(crate) struct RequestBody {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    /// How long the next bytes may take.
    patience: Duration,
}

/// Why no more of a body comes.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The connection ended, or what came over it was no HTTP.
    Broken(BoxError),
    /// The client sent nothing for too long.
    Slow(Duration),
    /// It is larger than it may be: so many bytes.
    TooLarge(u64),
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "the connection ended before the body did: {error}"),
            Self::Slow(patience) => write!(f, "nothing more of the body came for {} seconds", patience.as_secs()),
            Self::TooLarge(most) => write!(f, "the body has more than {most} bytes"),
        }
    }
}

/// What is still read of a body whose request was refused, so that the client gets to read the answer: one that closes a
/// connection with unread bytes in it takes back what it has sent.
const DRAINED_BYTES: usize = 1024 * 1024;
const DRAINED_FOR: Duration = Duration::from_secs(2);

impl RequestBody {
    pub(crate) fn new<B>(body: B, patience: Duration) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self { inner: body.map_err(Into::into).boxed_unsync(), patience }
    }

    /// How many bytes it has, where that was said beforehand.
    pub(crate) fn declared(&self) -> Option<u64> {
        http_body::Body::size_hint(&self.inner).exact()
    }

    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if http_body::Body::is_end_stream(&self.inner) {
                return Ok(None);
            }
            let frame = tokio::time::timeout(self.patience, self.inner.frame()).await;
            match frame.map_err(|_| BodyError::Slow(self.patience))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(BodyError::Broken(error)),
                // Trailers say nothing to a registry.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => {}
                },
            }
        }
    }

    /// All of it, in memory.
    pub(crate) async fn collect(&mut self, most: u64) -> Result<Bytes, BodyError> {
        if self.declared().is_some_and(|bytes| bytes > most) {
            return Err(BodyError::TooLarge(most));
        }
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let mut collected = Vec::new();
        let mut next = self.next().await?;
        if next.is_none() && first.len() as u64 <= most {
            return Ok(first);
        }
        collected.extend_from_slice(&first);
        while let Some(chunk) = next {
            collected.extend_from_slice(&chunk);
            if collected.len() as u64 > most {
                return Err(BodyError::TooLarge(most));
            }
            next = self.next().await?;
        }
        if collected.len() as u64 > most { Err(BodyError::TooLarge(most)) } else { Ok(collected.into()) }
    }

    /// Reads what is left, if it is little.
    pub(crate) async fn drain(mut self) {
        let mut left = DRAINED_BYTES;
        if self.declared().is_some_and(|bytes| bytes > left as u64) {
            return;
        }
        let _ = tokio::time::timeout(DRAINED_FOR, async {
            while let Ok(Some(chunk)) = self.next().await {
                match left.checked_sub(chunk.len()) {
                    Some(less) => left = less,
                    None => return,
                }
            }
        })
        .await;
    }
}
