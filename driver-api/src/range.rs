//! A part of a file.

use std::ops::Range;

use crate::error::{Error, ErrorKind};

/// Which bytes of a file to read: all from `offset` on, or at most `length` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteRange {
    /// The first byte, counted from 0.
    pub offset: u64,
    /// How many bytes at most; all to the end where none is given.
    pub length: Option<u64>,
}

impl ByteRange {
    /// The whole file.
    pub const FULL: Self = Self { offset: 0, length: None };

    /// All from `offset` on.
    pub const fn from(offset: u64) -> Self {
        Self { offset, length: None }
    }

    /// At most `length` bytes from `offset` on.
    pub const fn span(offset: u64, length: u64) -> Self {
        Self { offset, length: Some(length) }
    }

    /// Whether this asks for the whole of any file.
    pub const fn is_full(self) -> bool {
        self.offset == 0 && self.length.is_none()
    }

    /// The bytes this means in a file of `size` bytes (READ-1): an offset at the end is an empty range, an offset
    /// behind the end is [`InvalidRange`](ErrorKind::InvalidRange), a length past the end stops at the end.
    pub fn resolve(self, size: u64) -> Result<Range<u64>, Error> {
        if self.offset > size {
            return Err(Error::new(
                ErrorKind::InvalidRange,
                format!("the range begins at byte {} of a file of {size} bytes", self.offset),
            ));
        }
        let end = self.length.map_or(size, |length| self.offset.saturating_add(length).min(size));
        Ok(self.offset..end)
    }

    /// For drivers over HTTP: the size of the whole file, where an answer with these headers brings exactly the bytes of this
    /// range; none where it brings others. What stands between a client and its service may take no notice of a range.
    pub fn size_of_whole(self, content_range: Option<&str>, content_length: u64) -> Option<u64> {
        let (start, size) = match content_range {
            Some(text) => parse_content_range(text)?,
            None => (0, content_length),
        };
        let coming = start..start.checked_add(content_length)?;
        self.resolve(size).is_ok_and(|wanted| wanted == coming).then_some(size)
    }
}

/// The first byte and the size of the whole in `bytes 2-4/10`.
fn parse_content_range(text: &str) -> Option<(u64, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_at_the_end_and_refuses_to_begin_behind_it() {
        assert_eq!(ByteRange::FULL.resolve(0).unwrap(), 0..0);
        assert_eq!(ByteRange::from(5).resolve(5).unwrap(), 5..5);
        assert_eq!(ByteRange::span(2, u64::MAX).resolve(5).unwrap(), 2..5);
        assert_eq!(ByteRange::span(2, 0).resolve(5).unwrap(), 2..2);
        assert_eq!(ByteRange::from(6).resolve(5).unwrap_err().kind(), ErrorKind::InvalidRange);
    }

    #[test]
    fn an_answer_brings_the_range_or_other_bytes() {
        let range = ByteRange::span(2, 3);
        assert_eq!(range.size_of_whole(Some("bytes 2-4/10"), 3), Some(10));
        assert_eq!(range.size_of_whole(Some("bytes 2-3/4"), 2), Some(4));
        assert_eq!(ByteRange::FULL.size_of_whole(None, 10), Some(10));
        assert_eq!(ByteRange::span(0, 10).size_of_whole(None, 7), Some(7));
        let last = u64::MAX;
        for (text, length) in [
            (Some("bytes 0-2/10"), 3),
            (Some("bytes 2-4/10"), 2),
            (Some("bytes */10"), 3),
            (Some("bytes 2-4/*"), 3),
            (Some("2-4/10"), 3),
            (Some(format!("bytes {last}-{last}/{last}").as_str()), 3),
            (None, 10),
            (None, 1),
        ] {
            assert_eq!(range.size_of_whole(text, length), None, "{text:?}");
        }
    }
}
