//! What is kept of a session between a close and the next writer.
//!
//! The blocks of a session wait, uncommitted, on the very name that they will be published at. A marker beside the files tells
//! that the session exists, which blocks are its own and in which order, and holds the bytes that are too few for a block. Its
//! body is text, one fact a line, and behind an empty line the bytes:
//!
//! ```text
//! unfinished write 1
//! session 1f0c22a94be83d57
//! stored 16777216
//! run 8a11b0c3 2
//! tail 5
//!
//! bytes
//! ```

use bytes::{Bytes, BytesMut};
use driver_api::{Error, ErrorKind, Result};

use crate::plan::MOST_BLOCKS;

const FIRST_LINE: &str = "unfinished write 1";
/// The metadata of a marker, so that a listing tells all that `unfinished` needs.
const SIZE: &str = "size";
const FIRST_BLOCK: &str = "firstblock";

/// A session that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) blocks: BlockIds,
    /// How many bytes are in the blocks.
    pub(crate) stored: u64,
    /// The bytes behind them.
    pub(crate) tail: Bytes,
}

/// The ids of the blocks of one session.
///
/// An id is the session, the writer that put the block, and the number of the block: of equal length, as the service demands;
/// in order when sorted; and never the same for two writers, so that bytes of two never mix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockIds {
    session: u64,
    /// How many blocks in a row each writer put.
    runs: Vec<(u32, u64)>,
}

impl BlockIds {
    /// Those of a new session.
    pub(crate) fn new() -> Self {
        Self { session: fastrand::u64(..), runs: Vec::new() }
    }

    pub(crate) fn session(&self) -> u64 {
        self.session
    }

    pub(crate) fn count(&self) -> u64 {
        self.runs.iter().map(|(_, count)| count).sum()
    }

    /// Whether the last of the writers has put none.
    pub(crate) fn last_run_is_empty(&self) -> bool {
        self.runs.last().is_none_or(|(_, count)| *count == 0)
    }

    /// An id beside all others, for a block that is never part of a file.
    pub(crate) fn beside(&self) -> Bytes {
        id(self.session, 0, u64::from(u32::MAX))
    }

    /// Begins what another writer puts.
    pub(crate) fn begin_run(&mut self) {
        self.runs.retain(|(_, count)| *count > 0);
        self.runs.push((fastrand::u32(..), 0));
    }

    /// The id of one more block, behind all others.
    pub(crate) fn push(&mut self) -> Bytes {
        if self.runs.is_empty() {
            self.begin_run();
        }
        let number = self.count();
        let mut writer = 0;
        if let Some((last, count)) = self.runs.last_mut() {
            *count += 1;
            writer = *last;
        }
        id(self.session, writer, number)
    }

    /// All ids, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Bytes> {
        let writers = self.runs.iter().flat_map(|(writer, count)| std::iter::repeat_n(*writer, *count as usize));
        writers.zip(0..).map(|(writer, number)| id(self.session, writer, number))
    }
}

fn id(session: u64, writer: u32, number: u64) -> Bytes {
    format!("{session:016x}{writer:08x}{number:08x}").into()
}

impl Marker {
    /// The bytes kept.
    pub(crate) fn size(&self) -> u64 {
        self.stored + self.tail.len() as u64
    }

    /// The metadata of the blob.
    pub(crate) fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut metadata = vec![(SIZE, self.size().to_string())];
        if let Some(first) = self.blocks.iter().next() {
            metadata.push((FIRST_BLOCK, String::from_utf8_lossy(&first).into_owned()));
        }
        metadata
    }

    /// The body of the blob.
    pub(crate) fn body(&self) -> Bytes {
        let mut text = format!("{FIRST_LINE}\nsession {:016x}\nstored {}\n", self.blocks.session, self.stored);
        for (writer, count) in &self.blocks.runs {
            text.push_str(&format!("run {writer:08x} {count}\n"));
        }
        text.push_str(&format!("tail {}\n\n", self.tail.len()));
        let mut body = BytesMut::from(text.as_bytes());
        body.extend_from_slice(&self.tail);
        body.freeze()
    }

    /// Reads a body; Corrupt where it is none, or of a later format.
    pub(crate) fn parse(mut body: Bytes) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt, "the marker of the unfinished write is not of a known format");
        let end = body.windows(2).position(|pair| pair == b"\n\n").ok_or_else(corrupt)?;
        let head = body.split_to(end + 2);
        let head = std::str::from_utf8(&head).map_err(|_| corrupt())?;
        let mut lines = head.lines();
        let mut fact = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        fact("unfinished write").filter(|version| *version == "1").ok_or_else(corrupt)?;
        let session = fact("session").and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or_else(corrupt)?;
        let stored = fact("stored").and_then(|text| text.parse().ok()).ok_or_else(corrupt)?;
        let mut blocks = BlockIds { session, runs: Vec::new() };
        for line in lines.filter(|line| !line.is_empty()) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["run", writer, count] => {
                    let writer = u32::from_str_radix(writer, 16).map_err(|_| corrupt())?;
                    let count = count.parse().ok().filter(|count| *count <= MOST_BLOCKS).ok_or_else(corrupt)?;
                    blocks.runs.push((writer, count));
                }
                ["tail", length] if length.parse() == Ok(body.len()) => {}
                _ => return Err(corrupt()),
            }
        }
        // Blocks are looked for before they are believed, and the bytes of no blocks are none.
        if blocks.count() > MOST_BLOCKS || blocks.count() == 0 && stored > 0 {
            return Err(corrupt());
        }
        Ok(Self { blocks, stored, tail: body })
    }
}

/// What the metadata of a marker tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) size: u64,
    /// The id of the first block; none where all is in the marker.
    pub(crate) first_block: Option<String>,
}

impl Summary {
    /// None where the blob is no marker.
    pub(crate) fn of(metadata: &std::collections::HashMap<String, String>) -> Option<Self> {
        Some(Self { size: metadata.get(SIZE)?.parse().ok()?, first_block: metadata.get(FIRST_BLOCK).cloned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker() -> Marker {
        let mut blocks = BlockIds::new();
        blocks.push();
        blocks.push();
        blocks.begin_run();
        blocks.push();
        Marker { blocks, stored: 24, tail: Bytes::from_static(b"\n\ntail\0") }
    }

    #[test]
    fn a_marker_reads_back_as_it_was_written() {
        for marker in [marker(), Marker { blocks: BlockIds::new(), stored: 0, tail: Bytes::new() }] {
            assert_eq!(Marker::parse(marker.body()).unwrap(), marker);
            let metadata = marker.metadata().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let summary = Summary::of(&metadata).unwrap();
            assert_eq!((summary.size, summary.first_block.is_some()), (marker.size(), marker.stored > 0));
        }
    }

    #[test]
    fn what_is_no_marker_is_corrupt_and_no_panic() {
        let body = marker().body();
        let later = Bytes::from(String::from_utf8_lossy(&body).replace("write 1", "write 2"));
        for damaged in [Bytes::new(), Bytes::from_static(b"\n\n"), later, body.slice(..body.len() - 1), body.slice(3..)]
        {
            assert_eq!(Marker::parse(damaged).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn a_marker_of_more_than_there_can_be_is_corrupt() {
        let body = |facts: &str| Bytes::from(format!("{FIRST_LINE}\nsession 1\n{facts}tail 0\n\n"));
        let most = u64::MAX;
        for facts in [
            "stored 5\n".to_owned(),
            "stored 5\nrun 1 0\n".to_owned(),
            format!("stored 5\nrun 1 {most}\nrun 2 {most}\n"),
            "stored 5\nrun 1 50000\nrun 2 1\n".to_owned(),
        ] {
            assert_eq!(Marker::parse(body(&facts)).unwrap_err().kind(), ErrorKind::Corrupt, "{facts}");
        }
        assert_eq!(Marker::parse(body("stored 5\nrun 1 50000\n")).unwrap().size(), 5);
    }

    #[test]
    fn ids_are_equally_long_in_order_and_of_one_writer_each() {
        let (one, mut other) = (marker().blocks, marker().blocks);
        other.session = one.session;
        let ids: Vec<_> = one.iter().collect();
        assert_eq!((ids.len() as u64, one.count()), (3, 3));
        assert!(ids.iter().all(|id| id.len() == 32));
        assert!(other.iter().all(|id| !ids.contains(&id)));
        assert!(one.beside().len() == 32 && !ids.contains(&one.beside()));
    }
}
