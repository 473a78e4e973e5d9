//! Contents that tell where they come from: from any 16 bytes of a payload can be read which write made them and at which
//! offset, so that a failure can say whose bytes are where.
//!
//! A payload is a row of cells of 16 bytes. A cell holds the number of the write, the index of the cell and a fixed tag,
//! scrambled so that every byte of it depends on all three: two writes differ in nearly every byte, and a tear shows to the
//! byte. The last cell is cut where the payload ends.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

const CELL: usize = 16;
/// What the low 32 bits of every cell are before it is scrambled; tells a cell from other bytes.
const TAG: u32 = 0x5EED_CE11;
/// Odd, so that multiplying by it modulo 2^128 can be undone.
const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
const FACTOR_INVERSE: u128 = odd_inverse(FACTOR);
/// How many stretches [`explain`] names before it only counts.
const MAX_STRETCHES: usize = 8;

/// The content that the write `write` stores: `size` bytes of its payload.
///
/// ```
/// use conformance::payload::{Content, payload};
/// let content = Content { write: 7, size: 100 };
/// assert_eq!(content.bytes(), payload(7, 100));
/// assert_eq!(Content::identify(&payload(7, 100)), Some(content));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Content {
    /// The number of the write, unique within a check.
    pub write: u64,
    /// The length in bytes.
    pub size: u64,
}

impl Content {
    /// All bytes of it.
    pub fn bytes(self) -> Bytes {
        payload(self.write, self.size)
    }

    /// Whether `found`, read from `offset` on, is what this content has there, as far as `found` goes.
    pub fn has_at(self, found: &[u8], offset: u64) -> bool {
        let end = offset + found.len() as u64;
        end <= self.size && common_prefix(found, self.write, offset) == found.len()
    }

    /// Whether `found` is exactly this content.
    pub fn is(self, found: &[u8]) -> bool {
        found.len() as u64 == self.size && self.has_at(found, 0)
    }

    /// The content that `found` is, from its first byte to its last; none for a mixture, foreign bytes, or less than a cell
    /// (16 bytes), which does not tell its write.
    pub fn identify(found: &[u8]) -> Option<Self> {
        let (write, index) = decode(found)?;
        let content = Self { write, size: found.len() as u64 };
        (index == 0 && content.is(found)).then_some(content)
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {}'s {} bytes", self.write, self.size)
    }
}

/// The first `size` bytes that the write `write` stores.
pub fn payload(write: u64, size: u64) -> Bytes {
    payload_range(write, 0..size)
}

/// The bytes `range` of what the write `write` stores: for files too large to hold, and for chunks of a stream.
pub fn payload_range(write: u64, range: Range<u64>) -> Bytes {
    let length = range.end.saturating_sub(range.start) as usize;
    let skipped = (range.start % CELL as u64) as usize;
    let cells = (skipped + length).div_ceil(CELL);
    let mut bytes = Vec::with_capacity(cells * CELL);
    let first = range.start / CELL as u64;
    for index in first..first + cells as u64 {
        bytes.extend_from_slice(&cell(write, index));
    }
    Bytes::from(bytes).slice(skipped..skipped + length)
}

/// Says in words whose bytes `found` is, where it was read from `offset` on and one of `expected` should stand there; with
/// none expected, only what was found.
/// For reports: it names stretches, not bytes.
///
/// ```
/// use conformance::payload::{Content, explain, payload};
/// let mut torn = payload(7, 8192).to_vec();
/// torn[4096..].copy_from_slice(&payload(9, 8192)[4096..]);
/// assert_eq!(
///     explain(&torn, 0, &[Content { write: 7, size: 8192 }]),
///     "expected write 7's 8192 bytes; found 8192 bytes: bytes 0..4096 are write 7's at the same offset, \
///      bytes 4096..8192 are write 9's at the same offset"
/// );
/// ```
pub fn explain(found: &[u8], offset: u64, expected: &[Content]) -> String {
    let mut text = String::new();
    if !expected.is_empty() {
        let from = if offset > 0 { format!(", read from byte {offset} on") } else { String::new() };
        text.push_str(&format!("expected {}{from}; ", joined(expected, " or ")));
    }
    let stretches = stretches(found, offset, expected);
    if found.is_empty() {
        text.push_str("found not one byte");
    } else {
        let named = &stretches[..stretches.len().min(MAX_STRETCHES)];
        text.push_str(&format!("found {} bytes: {}", found.len(), joined(named, ", ")));
        if stretches.len() > named.len() {
            text.push_str(&format!(", and {} more stretches", stretches.len() - named.len()));
        }
    }
    text.push_str(&difference_in_length(found, offset, expected));
    text
}

/// Says what is missing or too much where all bytes there are stand where they belong to one expected content.
fn difference_in_length(found: &[u8], offset: u64, expected: &[Content]) -> String {
    let end = offset + found.len() as u64;
    for content in expected {
        if end < content.size && content.has_at(found, offset) {
            return format!("; {} bytes of write {} are missing at the end", content.size - end, content.write);
        }
        let due = content.size.saturating_sub(offset) as usize;
        if due < found.len() && content.has_at(&found[..due], offset) {
            return format!("; {} bytes are too much at the end", found.len() - due);
        }
    }
    String::new()
}

/// Bytes that stand together and have one origin.
struct Stretch {
    /// Where they stand in the file.
    at: Range<u64>,
    origin: Origin,
}

enum Origin {
    Payload { write: u64, offset: u64 },
    Zeros,
    Unknown,
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.at;
        match self.origin {
            Origin::Payload { write, offset } if offset == start => {
                write!(f, "bytes {start}..{end} are write {write}'s at the same offset")
            }
            Origin::Payload { write, offset } => {
                write!(f, "bytes {start}..{end} are write {write}'s from its offset {offset}")
            }
            Origin::Zeros => write!(f, "bytes {start}..{end} are zeros"),
            Origin::Unknown => write!(f, "bytes {start}..{end} are of no write known here"),
        }
    }
}

/// Cuts `found` into stretches: looks for the next whole cell, at any alignment, and follows its write both ways.
fn stretches(found: &[u8], offset: u64, expected: &[Content]) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut begin = 0;
    while begin < found.len() {
        let next = (begin..found.len()).find_map(|at| Some((at, decode(&found[at..])?)));
        let Some((at, (write, index))) = next else {
            stretches.push(without_cell(found, begin..found.len(), offset, expected));
            break;
        };
        let origin = index * CELL as u64;
        let before = found[begin..at]
            .iter()
            .rev()
            .zip((0..origin).rev())
            .take_while(|(byte, offset)| **byte == byte_at(write, *offset))
            .count();
        let start = at - before;
        if start > begin {
            stretches.push(without_cell(found, begin..start, offset, expected));
        }
        let end = at + common_prefix(&found[at..], write, origin);
        stretches.push(Stretch {
            at: offset + start as u64..offset + end as u64,
            origin: Origin::Payload { write, offset: origin - before as u64 },
        });
        begin = end;
    }
    stretches
}

/// The origin of a stretch that holds no whole cell: what is expected there, zeros, or unknown.
fn without_cell(found: &[u8], range: Range<usize>, offset: u64, expected: &[Content]) -> Stretch {
    let at = offset + range.start as u64..offset + range.end as u64;
    let bytes = &found[range];
    let owner = expected.iter().find(|content| content.has_at(bytes, at.start));
    let origin = match owner {
        Some(content) => Origin::Payload { write: content.write, offset: at.start },
        None if bytes.iter().all(|byte| *byte == 0) => Origin::Zeros,
        None => Origin::Unknown,
    };
    Stretch { at, origin }
}

/// How many bytes of `found` are those of the write `write` from `offset` on.
fn common_prefix(found: &[u8], write: u64, offset: u64) -> usize {
    let head = ((CELL as u64 - offset % CELL as u64) % CELL as u64).min(found.len() as u64) as usize;
    let differing = (0..head).find(|at| found[*at] != byte_at(write, offset + *at as u64));
    if let Some(at) = differing {
        return at;
    }
    let first = (offset + head as u64) / CELL as u64;
    for (index, piece) in (first..).zip(found[head..].chunks(CELL)) {
        let cell = cell(write, index);
        if *piece != cell[..piece.len()] {
            let same = piece.iter().zip(&cell).take_while(|(found, due)| found == due).count();
            return head + (index - first) as usize * CELL + same;
        }
    }
    found.len()
}

fn byte_at(write: u64, offset: u64) -> u8 {
    cell(write, offset / CELL as u64)[(offset % CELL as u64) as usize]
}

/// The cell `index` of the write `write`. The index is kept in 32 bits, which is enough for 64 GiB.
fn cell(write: u64, index: u64) -> [u8; CELL] {
    let plain = u128::from(write) << 64 | u128::from(index as u32) << 32 | u128::from(TAG);
    scramble(plain).to_le_bytes()
}

/// Reads the write and the index off a cell at the beginning of `bytes`.
fn decode(bytes: &[u8]) -> Option<(u64, u64)> {
    let plain = unscramble(u128::from_le_bytes(*bytes.first_chunk::<CELL>()?));
    (plain as u32 == TAG).then_some(((plain >> 64) as u64, u64::from((plain >> 32) as u32)))
}

// Two rounds of a multiplication, which carries each bit upwards, and a shift, which carries the upper half down.
const fn scramble(plain: u128) -> u128 {
    let once = plain.wrapping_mul(FACTOR);
    let twice = (once ^ once >> 64).wrapping_mul(FACTOR);
    twice ^ twice >> 64
}

const fn unscramble(scrambled: u128) -> u128 {
    let twice = (scrambled ^ scrambled >> 64).wrapping_mul(FACTOR_INVERSE);
    (twice ^ twice >> 64).wrapping_mul(FACTOR_INVERSE)
}

/// The inverse of an odd number modulo 2^128, by Newton's iteration: each step doubles the correct low bits, beginning with 3.
const fn odd_inverse(odd: u128) -> u128 {
    let mut inverse = odd;
    let mut correct_bits = 3;
    while correct_bits < 128 {
        inverse = inverse.wrapping_mul(2u128.wrapping_sub(odd.wrapping_mul(inverse)));
        correct_bits *= 2;
    }
    inverse
}

fn joined(items: &[impl fmt::Display], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_length_is_a_prefix_of_the_next() {
        let whole = payload(3, 64);
        for size in 0..=64 {
            assert_eq!(payload(3, size), whole[..size as usize]);
        }
    }

    #[test]
    fn says_what_is_missing_and_what_is_too_much() {
        let expected = Content { write: 4, size: 100 };
        assert_eq!(
            explain(&payload(4, 60), 0, &[expected]),
            "expected write 4's 100 bytes; found 60 bytes: bytes 0..60 are write 4's at the same offset; \
             40 bytes of write 4 are missing at the end"
        );
        let doubled = [payload(4, 100), payload(4, 100)].concat();
        assert_eq!(
            explain(&doubled, 0, &[expected]),
            "expected write 4's 100 bytes; found 200 bytes: bytes 0..100 are write 4's at the same offset, \
             bytes 100..200 are write 4's from its offset 0; 100 bytes are too much at the end"
        );
        assert_eq!(
            explain(b"", 0, &[expected]),
            "expected write 4's 100 bytes; found not one byte; 100 bytes of write 4 are missing at the end"
        );
    }

    #[test]
    fn tells_holes_and_foreign_bytes() {
        let mut holed = payload(4, 96).to_vec();
        holed[16..48].fill(0);
        holed[80..96].copy_from_slice(b"nobody wrote it!");
        assert_eq!(
            explain(&holed, 0, &[]),
            "found 96 bytes: bytes 0..16 are write 4's at the same offset, bytes 16..48 are zeros, \
             bytes 48..80 are write 4's at the same offset, bytes 80..96 are of no write known here"
        );
    }

    #[test]
    fn writes_differ_in_nearly_every_byte() {
        let same = payload(1, 65536).iter().zip(payload(2, 65536).iter()).filter(|(a, b)| a == b).count();
        assert!(same < 65536 / 100, "{same} bytes are the same");
    }

    proptest! {
        #[test]
        fn a_range_is_that_part_of_the_whole(write: u64, start in 0u64..100, length in 0u64..100) {
            let whole = payload(write, 200);
            let part = payload_range(write, start..start + length);
            prop_assert_eq!(&part, &whole[start as usize..(start + length) as usize]);
            let content = Content { write, size: 200 };
            prop_assert!(content.has_at(&part, start));
        }

        #[test]
        fn a_whole_content_is_identified(write: u64, size in 16u64..200) {
            prop_assert_eq!(Content::identify(&payload(write, size)), Some(Content { write, size }));
        }

        #[test]
        fn a_changed_byte_is_noticed(write: u64, size in 1u64..200, at: prop::sample::Index, bit in 0u32..8) {
            let mut bytes = payload(write, size).to_vec();
            bytes[at.index(size as usize)] ^= 1 << bit;
            let content = Content { write, size };
            prop_assert!(!content.is(&bytes));
            prop_assert_eq!(Content::identify(&bytes), None);
        }

        #[test]
        fn a_lone_slice_is_attributed(write: u64, start in 0u64..1000, length in 31u64..100) {
            let slice = payload_range(write, start..start + length);
            let origins: Vec<_> = stretches(&slice, 0, &[]).into_iter().map(|stretch| stretch.origin).collect();
            prop_assert!(
                matches!(origins[..], [Origin::Payload { write: w, offset }] if (w, offset) == (write, start)),
                "{}", explain(&slice, 0, &[])
            );
        }

        #[test]
        fn a_tear_is_found_to_the_byte_or_nearly(tear in 16usize..184) {
            let mut torn = payload(1, 200).to_vec();
            torn[tear..].copy_from_slice(&payload(2, 200)[tear..]);
            let found = stretches(&torn, 0, &[]);
            prop_assert_eq!(found.len(), 2);
            // A byte that both writes have in common may go to either side.
            prop_assert!(found[0].at.end.abs_diff(tear as u64) <= 2);
        }

        #[test]
        fn explaining_never_panics_and_covers_every_byte(bytes: Vec<u8>, offset in 0u64..100) {
            let found = stretches(&bytes, offset, &[Content { write: 1, size: 10 }]);
            let mut next = offset;
            for stretch in &found {
                prop_assert_eq!(stretch.at.start, next);
                next = stretch.at.end;
            }
            prop_assert_eq!(next, offset + bytes.len() as u64);
            explain(&bytes, offset, &[Content { write: 1, size: 10 }]);
        }
    }
}
