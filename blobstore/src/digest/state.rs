//! Saved states of hashers, as Go encodes them.
//!
//! `crypto/sha256` and `crypto/sha512` of Go (`MarshalBinary`): a magic of four bytes, the eight words of the state big-endian,
//! a block whose used part is what waits for the rest of a block, and the number of bytes hashed, 64 bits big-endian. The hash
//! library promises its own encoding only between versions that differ in their last number, so that it is never stored.

use std::fmt;

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::digest::typenum::Unsigned;
use sha2::{Sha256, Sha512};

/// What the two encodings of a function look like.
pub(super) trait Encoded: SerializableState {
    const MAGIC: &'static [u8; 4];
    /// Bytes in a word of the state.
    const WORD: usize;
    /// Bytes in the library's count of blocks.
    const COUNT: usize;

    const WORDS: usize = 8 * Self::WORD;
    const BLOCK: usize = 16 * Self::WORD;
    /// Bytes of a state of Go.
    const LENGTH: usize = 4 + Self::WORDS + Self::BLOCK + 8;
}

impl Encoded for Sha256 {
    const MAGIC: &'static [u8; 4] = b"sha\x03";
    const WORD: usize = 4;
    const COUNT: usize = 8;
}

impl Encoded for Sha512 {
    const MAGIC: &'static [u8; 4] = b"sha\x07";
    const WORD: usize = 8;
    const COUNT: usize = 16;
}

// What the code below takes apart has the parts it thinks it has: the words, the count of blocks, and the bytes that wait for
// the rest of a block, with how many they are before them.
const _: () = assert!(<Sha256 as SerializableState>::SerializedStateSize::USIZE == 32 + 8 + 1 + 63);
const _: () = assert!(<Sha512 as SerializableState>::SerializedStateSize::USIZE == 64 + 16 + 1 + 127);

/// A stored state that is none: of another function or version, damaged, or after another number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusableState;

impl fmt::Display for UnusableState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the saved state of the hash cannot be used")
    }
}

impl std::error::Error for UnusableState {}

/// The words with their bytes the other way round.
fn swap_words<H: Encoded>(words: &[u8]) -> impl Iterator<Item = u8> {
    words.chunks(H::WORD).flat_map(|word| word.iter().rev().copied())
}

pub(super) fn save<H: Encoded>(hasher: &H) -> Vec<u8> {
    let library = hasher.serialize();
    let (words, rest) = library.split_at(H::WORDS);
    let (count, rest) = rest.split_at(H::COUNT);
    let (used, block) = (usize::from(rest[0]), &rest[1..]);
    // The library counts blocks in as many as 128 bits; nobody hashes 2^64 bytes.
    let blocks = count.iter().take(8).rev().fold(0, |blocks: u64, byte| blocks << 8 | u64::from(*byte));
    let hashed = blocks.wrapping_mul(H::BLOCK as u64).wrapping_add(used as u64);
    let mut state = Vec::with_capacity(H::LENGTH);
    state.extend_from_slice(H::MAGIC);
    state.extend(swap_words::<H>(words));
    state.extend_from_slice(&block[..used]);
    state.resize(H::LENGTH - 8, 0);
    state.extend_from_slice(&hashed.to_be_bytes());
    state
}

pub(super) fn restore<H: Encoded>(state: &[u8], hashed: u64) -> Result<H, UnusableState> {
    let body = state.strip_prefix(H::MAGIC).filter(|_| state.len() == H::LENGTH).ok_or(UnusableState)?;
    let (words, rest) = body.split_at(H::WORDS);
    let (block, count) = rest.split_at(H::BLOCK);
    // SHA-256 counts bits in 64 of them, and the library takes for granted that they fit.
    if count != hashed.to_be_bytes() || hashed.leading_zeros() < 3 {
        return Err(UnusableState);
    }
    let block_bytes = H::BLOCK as u64;
    // Less than a block, and so less than a byte can hold.
    let used = (hashed % block_bytes) as usize;
    let mut library = Vec::with_capacity(H::LENGTH);
    library.extend(swap_words::<H>(words));
    library.extend_from_slice(&(hashed / block_bytes).to_le_bytes());
    library.resize(H::WORDS + H::COUNT, 0);
    library.push(used as u8);
    // Go leaves old bytes behind the used ones, which the library would refuse.
    library.extend_from_slice(&block[..used]);
    library.resize(H::WORDS + H::COUNT + H::BLOCK, 0);
    let library = <&SerializedState<H>>::try_from(library.as_slice()).map_err(|_| UnusableState)?;
    H::deserialize(library).map_err(|_| UnusableState)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Algorithm, Digest, Hasher};
    use super::*;

    /// What Go 1.19 says after five bytes: only whole blocks are folded in, so that the words are those of the beginning.
    #[test]
    fn the_state_is_that_of_go() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"hello");
        let state = hasher.save();
        assert_eq!(state.len(), 108);
        assert_eq!(state[..8], [b's', b'h', b'a', 3, 0x6a, 0x09, 0xe6, 0x67]);
        assert_eq!(state[36..41], *b"hello");
        assert!(state[41..100].iter().all(|byte| *byte == 0));
        assert_eq!(state[100..], 5_u64.to_be_bytes());
        let state = Hasher::new(Algorithm::Sha512).save();
        assert_eq!((state.len(), &state[..8]), (204, [b's', b'h', b'a', 7, 0x6a, 0x09, 0xe6, 0x67].as_slice()));
    }

    #[test]
    fn what_go_leaves_behind_the_used_bytes_does_not_matter() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"hello");
        let mut state = hasher.save();
        state[41..100].fill(7);
        let mut restored = Hasher::restore(Algorithm::Sha256, &state, 5).unwrap();
        restored.update(b" world");
        assert_eq!(restored.digest(), Digest::of(b"hello world"));
    }

    #[test]
    fn a_state_that_is_none_is_refused() {
        let state = Hasher::new(Algorithm::Sha256).save();
        let restore = |state: &[u8], hashed| Hasher::restore(Algorithm::Sha256, state, hashed).map(drop);
        assert_eq!(restore(&state, 0), Ok(()));
        assert_eq!(restore(&state, 64), Err(UnusableState));
        assert_eq!(restore(&state[..107], 0), Err(UnusableState));
        assert_eq!(restore(&[state.as_slice(), b"\n"].concat(), 0), Err(UnusableState));
        assert_eq!(restore(b"", 0), Err(UnusableState));
        assert_eq!(restore(&Hasher::new(Algorithm::Sha512).save(), 0), Err(UnusableState));
    }

    proptest! {
        #[test]
        fn a_restored_hasher_goes_on(
            algorithm in prop::sample::select(&Algorithm::ALL),
            before in prop::collection::vec(any::<u8>(), 0..400),
            behind in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&before);
            let mut restored = Hasher::restore(algorithm, &hasher.save(), before.len() as u64).unwrap();
            prop_assert_eq!(restored.save(), hasher.save());
            restored.update(&behind);
            prop_assert_eq!(restored.digest(), Digest::with(algorithm, &[before, behind].concat()));
        }

        #[test]
        fn no_stored_bytes_make_it_panic(state in prop::collection::vec(any::<u8>(), 0..250), hashed: u64) {
            for algorithm in Algorithm::ALL {
                let _ = Hasher::restore(algorithm, &state, hashed);
                let state = [b"sha\x03".as_slice(), &state].concat();
                let _ = Hasher::restore(algorithm, &state, hashed);
            }
        }
    }
}
