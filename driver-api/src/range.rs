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
}
