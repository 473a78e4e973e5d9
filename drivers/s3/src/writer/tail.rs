//! The bytes that no part has yet.

use bytes::Bytes;

/// Pieces in order; joining and cutting copies no bytes.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pieces: Vec<Bytes>,
    len: u64,
}

impl Tail {
    pub(super) fn new(pieces: Vec<Bytes>) -> Self {
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, len }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.len += piece.len() as u64;
        self.pieces.push(piece);
    }

    /// Takes the first `size` bytes, of which there are as many.
    pub(super) fn cut(&mut self, size: u64) -> Vec<Bytes> {
        let (mut left, mut whole) = (size, 0);
        while let Some(piece) = self.pieces.get(whole)
            && piece.len() as u64 <= left
        {
            left -= piece.len() as u64;
            whole += 1;
        }
        let mut cut: Vec<_> = self.pieces.drain(..whole).collect();
        if left > 0
            && let Some(piece) = self.pieces.first_mut()
        {
            // `left` is less than the piece has.
            cut.push(piece.split_to(left as usize));
        }
        self.len -= size.min(self.len);
        cut
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cutting_and_pushing_keep_the_bytes_in_order(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20),
            cuts in proptest::collection::vec(0_u64..30, 0..20),
        ) {
            let whole = pieces.concat();
            let mut tail = Tail::new(pieces.into_iter().map(Bytes::from).collect());
            let mut seen = Vec::new();
            for cut in cuts {
                let size = cut.min(tail.len());
                let taken = tail.cut(size).concat();
                prop_assert_eq!(taken.len() as u64, size);
                seen.extend(taken);
            }
            prop_assert_eq!(tail.len(), tail.pieces().concat().len() as u64);
            seen.extend(tail.pieces().concat());
            prop_assert_eq!(seen, whole);
        }
    }
}
