//! The bytes of a file: pieces that are shared and never copied, first growing, then immutable.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use driver_api::{Payload, Result};

use crate::budget::Budget;

/// Chunks shorter than this are copied together: one allocation and one handle for each would cost more than the copy, as
/// when a session grows by a byte from close to close.
const SMALL: usize = 4 * 1024;
/// How many bytes of small chunks make a piece.
const GATHERED: usize = 64 * 1024;

/// The bytes of one version of a file; a clone shares them.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    One(Bytes),
    Many(Arc<Vec<Piece>>),
}

#[derive(Debug)]
pub(crate) struct Piece {
    /// Where the piece ends in the file.
    end: u64,
    bytes: Bytes,
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::One(bytes) => bytes.len() as u64,
            Self::Many(pieces) => end(pieces),
        }
    }

    /// The bytes of `range` in one piece. Copies only where the range spans pieces.
    pub(crate) fn bytes(self, range: Range<u64>) -> Bytes {
        if let Self::One(bytes) = self {
            return if range.end - range.start == bytes.len() as u64 { bytes } else { slice(&bytes, range) };
        }
        let length = (range.end - range.start) as usize;
        let mut slices = self.slices(range);
        let first = slices.next().unwrap_or_default();
        if first.len() == length {
            return first;
        }
        let mut whole = BytesMut::with_capacity(length);
        whole.extend_from_slice(&first);
        slices.for_each(|slice| whole.extend_from_slice(&slice));
        whole.freeze()
    }

    /// The bytes of `range`, piece by piece, without a copy.
    pub(crate) fn slices(self, range: Range<u64>) -> Slices {
        let next = match &self {
            Self::One(_) => 0,
            Self::Many(pieces) => pieces.partition_point(|piece| piece.end <= range.start),
        };
        Slices { content: self, next, left: range }
    }
}

impl From<Payload> for Content {
    fn from(payload: Payload) -> Self {
        if payload.chunks().len() <= 1 {
            return Self::One(payload.into_bytes());
        }
        let mut pieces = Vec::with_capacity(payload.chunks().len());
        payload.chunks().iter().for_each(|chunk| push(&mut pieces, chunk.clone()));
        Self::from(pieces)
    }
}

impl From<Vec<Piece>> for Content {
    fn from(mut pieces: Vec<Piece>) -> Self {
        match pieces.len() {
            0 => Self::One(Bytes::new()),
            1 => Self::One(pieces.remove(0).bytes),
            _ => Self::Many(Arc::new(pieces)),
        }
    }
}

/// What is left to read of a content.
pub(crate) struct Slices {
    content: Content,
    /// The piece that holds the first byte left.
    next: usize,
    left: Range<u64>,
}

impl Iterator for Slices {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left.is_empty() {
            return None;
        }
        let Range { start, end } = self.left;
        let (bytes, begin, end) = match &self.content {
            Content::One(bytes) => (bytes, 0, end),
            Content::Many(pieces) => {
                let piece = pieces.get(self.next)?;
                (&piece.bytes, piece.end - piece.bytes.len() as u64, end.min(piece.end))
            }
        };
        let found = slice(bytes, start - begin..end - begin);
        self.next += 1;
        self.left.start = end;
        Some(found)
    }
}

/// Bytes that a writer has accepted. They count against the budget until they are published or dropped.
pub(crate) struct Staged {
    budget: Arc<Budget>,
    pieces: Vec<Piece>,
    /// Small chunks that follow the pieces.
    tail: BytesMut,
}

impl Staged {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, pieces: Vec::new(), tail: BytesMut::new() }
    }

    pub(crate) fn size(&self) -> u64 {
        end(&self.pieces) + self.tail.len() as u64
    }

    /// Appends a chunk, or answers NoSpace and stays as it was.
    pub(crate) fn append(&mut self, chunk: Bytes) -> Result<()> {
        self.budget.exchange(0, chunk.len() as u64)?;
        if chunk.len() < SMALL {
            self.tail.extend_from_slice(&chunk);
            if self.tail.len() >= GATHERED {
                self.end_tail();
            }
        } else {
            self.end_tail();
            push(&mut self.pieces, chunk);
        }
        Ok(())
    }

    /// Gives up all behind the first `size` bytes.
    pub(crate) fn truncate(&mut self, size: u64) {
        let before = self.size();
        let in_pieces = end(&self.pieces);
        self.tail.truncate(size.saturating_sub(in_pieces) as usize);
        let whole = self.pieces.partition_point(|piece| piece.end <= size);
        let cut = self.pieces.drain(whole..).next();
        if let Some(piece) = cut {
            let begin = end(&self.pieces);
            push(&mut self.pieces, slice(&piece.bytes, 0..size - begin));
        }
        self.budget.free(before - self.size());
    }

    /// Takes the bytes to publish them; they go on counting, now as a file's.
    pub(crate) fn publish(&mut self) -> Content {
        self.end_tail();
        std::mem::take(&mut self.pieces).into()
    }

    fn end_tail(&mut self) {
        push(&mut self.pieces, self.tail.split().freeze());
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.budget.free(self.size());
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("size", &self.size()).finish_non_exhaustive()
    }
}

fn end(pieces: &[Piece]) -> u64 {
    pieces.last().map_or(0, |piece| piece.end)
}

fn push(pieces: &mut Vec<Piece>, bytes: Bytes) {
    if !bytes.is_empty() {
        pieces.push(Piece { end: end(pieces) + bytes.len() as u64, bytes });
    }
}

/// A part of `bytes`, counted as files are. What is in memory has no length beyond `usize`.
fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    bytes.slice(range.start as usize..range.end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged() -> Staged {
        Staged::new(Arc::new(Budget::new(None)))
    }

    #[test]
    fn any_range_of_many_pieces_is_that_of_the_whole() {
        let content = Content::from(Payload::from(vec!["ab".into(), Bytes::new(), "cde".into(), "f".into()]));
        let whole = b"abcdef";
        for start in 0..=whole.len() {
            for end in start..=whole.len() {
                let range = start as u64..end as u64;
                assert_eq!(content.clone().bytes(range.clone()), whole[start..end]);
                assert_eq!(content.clone().slices(range).flatten().collect::<Vec<_>>(), whole[start..end]);
            }
        }
    }

    #[test]
    fn nothing_is_copied_but_what_is_small() {
        let (first, second) = (Bytes::from(vec![1; SMALL]), Bytes::from(vec![2; SMALL]));
        let mut staged = staged();
        staged.append(first.clone()).unwrap();
        staged.append(second.clone()).unwrap();
        let content = staged.publish();
        let pointers: Vec<_> = content.clone().slices(0..content.size()).map(|slice| slice.as_ptr()).collect();
        assert_eq!(pointers, [first.as_ptr(), second.as_ptr()]);
        assert_eq!(content.bytes(SMALL as u64..2 * SMALL as u64).as_ptr(), second.as_ptr());
    }

    /// The numbers are what a file takes: a handle for each piece.
    #[test]
    fn chunks_are_gathered_below_4_kib_until_they_are_64() {
        let mut staged = staged();
        staged.append(Bytes::from(vec![1; 4095])).unwrap();
        assert_eq!((staged.pieces.len(), format!("{staged:?}").contains("size: 4095")), (0, true));
        (4095..65_535).for_each(|_| staged.append(Bytes::from_static(b"1")).unwrap());
        assert_eq!(staged.pieces.len(), 0);
        staged.append(Bytes::from_static(b"1")).unwrap();
        assert_eq!(staged.pieces.len(), 1);
        staged.append(Bytes::from(vec![1; 4096])).unwrap();
        assert_eq!(staged.pieces.len(), 2);
    }

    #[test]
    fn less_than_two_pieces_take_no_list() {
        let mut staged = staged();
        assert!(matches!(staged.publish(), Content::One(none) if none.is_empty()));
        staged.append("one".into()).unwrap();
        assert!(matches!(staged.publish(), Content::One(one) if one == "one"));
    }

    #[test]
    fn small_chunks_make_few_pieces() {
        let mut staged = staged();
        (0..2 * GATHERED).for_each(|at| staged.append(Bytes::copy_from_slice(&[at as u8])).unwrap());
        staged.append(Bytes::from(vec![7; SMALL])).unwrap();
        assert_eq!((staged.pieces.len(), staged.size()), (3, (2 * GATHERED + SMALL) as u64));
    }

    #[test]
    fn truncating_cuts_at_every_byte_and_gives_back_the_rest() {
        let chunks = [vec![1; 3], vec![2; SMALL], vec![3; 5], vec![4; SMALL], vec![5; 2]];
        let whole = chunks.concat();
        for size in
            [0, 1, 3, 4, SMALL + 2, SMALL + 3, SMALL + 6, SMALL + 8, whole.len() - 3, whole.len() - 1, whole.len()]
        {
            let mut staged = staged();
            chunks.iter().for_each(|chunk| staged.append(Bytes::from(chunk.clone())).unwrap());
            staged.truncate(size as u64);
            assert_eq!(staged.budget.held(), size as u64);
            staged.append("next".into()).unwrap();
            let content = staged.publish();
            assert_eq!(content.clone().bytes(0..content.size()), [&whole[..size], b"next"].concat());
        }
    }
}
