//! The bytes of a journal: a header, and records behind it.
//!
//! A file is a header and then records, all numbers little-endian:
//!
//! | | bytes | |
//! | --- | --- | --- |
//! | header | 8 | `evjrnl01` |
//! | | 8 | the number of the first event that is written to the file |
//! | | 8 | up to which number events were delivered when the file was begun |
//! | | 4 | CRC-32 of the 24 bytes before |
//! | record | 4 | CRC-32 of the rest of the record |
//! | | 4 | how many bytes of content it has |
//! | | 1 | 1: an event; 2: everything up to the number is delivered |
//! | | 8 | the number |
//! | | … | the content |

use std::io::{self, Read};

use bytes::Bytes;

pub(crate) const HEADER_BYTES: usize = 28;
pub(crate) const PREFIX_BYTES: usize = 17;
const MAGIC: &[u8; 8] = b"evjrnl01";

const EVENT: u8 = 1;
const DELIVERED: u8 = 2;

/// The largest event. What claims to be larger is no record.
pub(crate) const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// No event has a number as large: where numbers are counted up, nothing can overflow.
const MAX_NUMBER: u64 = 1 << 62;

/// How a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The number of the first event that is written to it.
    pub(crate) first: u64,
    /// Events up to this number were delivered when it was begun.
    pub(crate) delivered: u64,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.delivered.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// None where the bytes are no header.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let header = Self { first: number(&bytes[8..16]), delivered: number(&bytes[16..24]) };
        let is_right = bytes[..8] == *MAGIC
            && crc32fast::hash(&bytes[..24]).to_le_bytes() == bytes[24..]
            && header.delivered < header.first
            && header.first < MAX_NUMBER;
        is_right.then_some(header)
    }
}

/// What stands in a file behind its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Event {
        number: u64,
        content: Bytes,
    },
    /// Everything up to this number was delivered.
    Delivered(u64),
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, number, content) = match self {
            Self::Event { number, content } => (EVENT, *number, content.as_ref()),
            Self::Delivered(number) => (DELIVERED, *number, &[][..]),
        };
        let mut bytes = Vec::with_capacity(PREFIX_BYTES + content.len());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(content);
        let sum = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// How many bytes it has in a file.
    pub(crate) fn encoded_bytes(&self) -> u64 {
        let content = match self {
            Self::Event { content, .. } => content.len(),
            Self::Delivered(_) => 0,
        };
        (PREFIX_BYTES + content) as u64
    }

    /// The next record; none at the end, and where what comes is none: a record that was not written to its end, or damaged.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut prefix = [0; PREFIX_BYTES];
        if !fill(from, &mut prefix)? {
            return Ok(None);
        }
        let length = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]) as usize;
        if length > MAX_EVENT_BYTES {
            return Ok(None);
        }
        // Not allocated at once: what claims to be so long may be damaged, or end early.
        let mut content = Vec::new();
        if from.take(length as u64).read_to_end(&mut content)? < length {
            return Ok(None);
        }
        let mut sum = crc32fast::Hasher::new();
        sum.update(&prefix[4..]);
        sum.update(&content);
        if sum.finalize().to_le_bytes() != prefix[..4] {
            return Ok(None);
        }
        let number = number(&prefix[9..]);
        Ok(match prefix[8] {
            EVENT => Some(Self::Event { number, content: content.into() }),
            DELIVERED if content.is_empty() => Some(Self::Delivered(number)),
            _ => None,
        })
    }
}

/// Fills `into`; false where there is less.
pub(crate) fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// A number of eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let event = (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(number, content)| Record::Event { number, content: content.into() });
        proptest::collection::vec(prop_oneof![event, any::<u64>().prop_map(Record::Delivered)], 0..8)
    }

    fn read_all(mut bytes: &[u8]) -> Vec<Record> {
        std::iter::from_fn(|| Record::read(&mut bytes).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(written in records()) {
            let bytes: Vec<u8> = written.iter().flat_map(Record::encode).collect();
            prop_assert_eq!(bytes.len() as u64, written.iter().map(Record::encoded_bytes).sum::<u64>());
            prop_assert_eq!(read_all(&bytes), written);
        }

        #[test]
        fn whatever_is_cut_or_damaged_no_other_record_is_read(
            written in records(),
            keep in any::<prop::sample::Index>(),
            damaged in any::<prop::sample::Index>(),
            bits in 1u8..,
        ) {
            let mut bytes: Vec<u8> = written.iter().flat_map(Record::encode).collect();
            bytes.truncate(keep.index(bytes.len() + 1));
            prop_assert!(written.starts_with(&read_all(&bytes)));
            if !bytes.is_empty() {
                let place = damaged.index(bytes.len());
                bytes[place] ^= bits;
                let read = read_all(&bytes);
                prop_assert!(written.starts_with(&read), "{read:?}");
                prop_assert!(read.len() < written.len());
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_records(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(read_all(&bytes), vec![]);
        }

        #[test]
        fn a_header_is_read_as_it_was_written(first in 1..MAX_NUMBER, delivered in any::<u64>(), place in 0..HEADER_BYTES, bits in 1u8..) {
            let header = Header { first, delivered: delivered % first };
            let mut bytes = header.encode();
            prop_assert_eq!(Header::decode(&bytes), Some(header));
            bytes[place] ^= bits;
            prop_assert_eq!(Header::decode(&bytes), None);
        }
    }
}
