//! Streams: reader.

use bytes::Bytes;
use driver_api::{ByteRange, Error, ErrorKind, FileInfo, GetOptions, ReadOptions, Reader, Result, async_trait};
use futures_util::{StreamExt, stream};

use super::Counted;
use crate::Mutant;
use crate::mutation::{Call, Mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<ShortRange>(
        "short-range",
        "a stream lacks the last byte, and says so",
        "READ-1",
        &["READ-8", "READ-3"],
    ),
    Mutant::new::<ShortStream>("short-read", "a stream ends early without an error", "READ-1", &["READ-3", "READ-6"]),
    Mutant::new::<BehindTheEnd>(
        "behind-the-end-is-empty",
        "a range behind the end is an empty stream",
        "READ-2",
        &["READ-1"],
    ),
    Mutant::new::<MissingIsEmpty>("missing-is-empty", "a missing file is an empty stream", "READ-2", &["READ-1"]),
    Mutant::new::<MixedStream>(
        "mixed-stream",
        "a stream takes each piece of the file there is then",
        "READ-3",
        &["PUT-1", "CONC-1"],
    ),
    Mutant::new::<LoneReader>("lone-reader", "a file has one reader at a time", "READ-6", &["READ-3", "READ-5"]),
    Mutant::new::<LeakyReader>("leaky-reader", "every reader leaves a task behind", "READ-5", &[]),
];

const PIECE: u64 = 4096;

#[derive(Debug, Default)]
struct ShortRange;

#[async_trait]
impl Mutation for ShortRange {
    async fn reader(&self, mut call: Call<'_, ReadOptions>) -> Result<Reader> {
        if call.options.range.is_full() {
            let (info, _) = call.inner.get(call.context, call.path, GetOptions::default()).await?;
            call.options.range = ByteRange::span(0, info.size.saturating_sub(1));
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct ShortStream;

#[async_trait]
impl Mutation for ShortStream {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let Reader { info, range, stream } = call.forward().await?;
        let bytes: Vec<_> = stream.collect().await;
        let kept = if range.end - range.start > PIECE { bytes.len() - 1 } else { bytes.len() };
        Ok(Reader::new(info, range, Box::pin(stream::iter(bytes.into_iter().take(kept)))))
    }
}

fn empty(info: FileInfo) -> Reader {
    let end = info.size;
    Reader::new(info, end..end, Box::pin(stream::empty()))
}

#[derive(Debug, Default)]
struct BehindTheEnd;

#[async_trait]
impl Mutation for BehindTheEnd {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let whole = call.inner.get(call.context, call.path, GetOptions::default()).await;
        match (call.forward().await, whole) {
            (Err(error), Ok((info, _))) if error.kind() == ErrorKind::InvalidRange => Ok(empty(info)),
            (answer, _) => answer,
        }
    }
}

#[derive(Debug, Default)]
struct MissingIsEmpty;

#[async_trait]
impl Mutation for MissingIsEmpty {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let path = call.path.clone();
        match call.forward().await {
            Err(error) if error.is_not_found() => Ok(empty(FileInfo::new(path, 0, std::time::SystemTime::now()))),
            answer => answer,
        }
    }
}

#[derive(Debug, Default)]
struct MixedStream;

#[async_trait]
impl Mutation for MixedStream {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let (inner, path, context) = (call.inner.clone(), call.path.clone(), call.context.clone());
        let Reader { info, range, .. } = call.forward().await?;
        let pieces = (range.start..range.end).step_by(PIECE as usize);
        let ends = range.end;
        let stream = stream::iter(pieces).then(move |start| {
            let (inner, path, context) = (inner.clone(), path.clone(), context.clone());
            async move {
                let span = ByteRange::span(start, PIECE.min(ends - start));
                let (_, bytes) = inner.get(&context, &path, GetOptions::default().with_range(span)).await?;
                Ok::<Bytes, Error>(bytes)
            }
        });
        Ok(Reader::new(info, range, Box::pin(stream)))
    }
}

#[derive(Debug, Default)]
struct LoneReader {
    readers: Counted,
}

#[async_trait]
impl Mutation for LoneReader {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let claim = self.readers.claim(call.path);
        if self.readers.of(call.path) > 1 {
            return Err(Error::new(ErrorKind::Unavailable, "the file is being read"));
        }
        let Reader { info, range, stream } = call.forward().await?;
        let stream = stream.map(move |piece| {
            let _held_with_the_stream = &claim;
            piece
        });
        Ok(Reader::new(info, range, Box::pin(stream)))
    }
}

#[derive(Debug, Default)]
struct LeakyReader;

#[async_trait]
impl Mutation for LeakyReader {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        tokio::spawn(std::future::pending::<()>());
        call.forward().await
    }
}
