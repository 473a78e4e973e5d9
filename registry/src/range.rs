//! Ranges of bytes, as requests have them in their headers.

use driver_api::ByteRange;
use http::HeaderMap;
use http::header::{CONTENT_RANGE, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE};

use crate::error::{ApiError, Code};

/// Which part of a blob is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no range was given, none that is understood, or more than one.
    Whole,
    /// A part of it.
    Part(ByteRange),
    /// A part that it does not have.
    Nothing,
}

impl Wanted {
    /// What the headers of a request ask for of a blob of `size` bytes that has the entity tag `etag`.
    pub(crate) fn read(headers: &HeaderMap, etag: &str, size: u64) -> Self {
        // Of another version than the one at hand nothing can be continued.
        let is_other = headers.get(IF_RANGE).is_some_and(|wanted| wanted.as_bytes() != etag.as_bytes());
        let text = headers.get(RANGE).and_then(|range| range.to_str().ok());
        match text.and_then(|text| text.trim().strip_prefix("bytes=")) {
            Some(range) if !is_other => Self::parse(range, size).unwrap_or(Self::Whole),
            _ => Self::Whole,
        }
    }

    /// One range of RFC 9110, 14.1.2; none where it is no such range.
    fn parse(range: &str, size: u64) -> Option<Self> {
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let span = |start: u64, end: u64| {
            if start < size && start <= end {
                Self::Part(ByteRange::span(start, end.min(size - 1) - start + 1))
            } else {
                Self::Nothing
            }
        };
        match (first, last) {
            (Some(first), Some(last)) => Some(span(first, last)),
            (Some(first), None) => Some(span(first, u64::MAX)),
            (None, Some(0)) => Some(Self::Nothing),
            (None, Some(suffix)) => Some(span(size.saturating_sub(suffix), u64::MAX)),
            (None, None) => None,
        }
    }
}

/// The number that digits write: `Some(None)` where there are none of them. One that is larger than any size is the largest.
fn number(digits: &str) -> Option<Option<u64>> {
    let digits = digits.trim();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX)))
}

/// Whether the client has what has the entity tag `etag`.
pub(crate) fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    let bare = etag.trim_matches('"');
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag == etag || tag == bare
    })
}

/// Which bytes of an upload a request brings: the place of the first, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl Chunk {
    /// Reads `Content-Range`, which has the form `FIRST-LAST` here; that of RFC 9110, `bytes FIRST-LAST/…`, is taken as well.
    /// `declared` is how many bytes the request says it has.
    ///
    /// Errors: RANGE_INVALID; SIZE_INVALID.
    pub(crate) fn read(headers: &HeaderMap, declared: Option<u64>) -> Result<Option<Self>, ApiError> {
        let Some(header) = headers.get(CONTENT_RANGE) else { return Ok(None) };
        let invalid = || ApiError::new(Code::RangeInvalid, "`Content-Range` is FIRST-LAST, both counted from 0");
        let chunk = Self::parse(header).ok_or_else(invalid)?;
        match declared {
            Some(declared) if declared != chunk.length => Err(ApiError::new(
                Code::SizeInvalid,
                format_args!("`Content-Range` has {} bytes and the body {declared}", chunk.length),
            )),
            _ => Ok(Some(chunk)),
        }
    }

    fn parse(header: &HeaderValue) -> Option<Self> {
        let text = header.to_str().ok()?.trim();
        let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches(['=', ' ']));
        let range = text.split_once('/').map_or(text, |(range, _)| range);
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)??, number(last)??);
        // An empty chunk behind `first` bytes can't be written in this form; clients write the last byte before it.
        let length = (last.checked_add(1)?).checked_sub(first)?;
        Some(Self { start: first, length })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(range: &str, size: u64) -> Wanted {
        let headers = HeaderMap::from_iter([(RANGE, range.parse().unwrap())]);
        Wanted::read(&headers, "\"etag\"", size)
    }

    #[test]
    fn ranges_of_the_specification() {
        let part = |start, length| Wanted::Part(ByteRange::span(start, length));
        for (range, expected) in [
            ("bytes=500-1499", part(500, 1000)),
            ("bytes=500-", part(500, 3500)),
            ("bytes=-500", part(3500, 500)),
            ("bytes=-9000", part(0, 4000)),
            ("bytes=2000-5000", part(2000, 2000)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=500-0", Wanted::Nothing),
            ("bytes=4000-", Wanted::Nothing),
            ("bytes=5000-10000", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=abc", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
        ] {
            assert_eq!(wanted(range, 4000), expected, "{range}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn a_part_of_another_version_is_not_continued() {
        let range = |if_range: &str| {
            let headers = [(RANGE, "bytes=1-".parse().unwrap()), (IF_RANGE, if_range.parse().unwrap())];
            Wanted::read(&HeaderMap::from_iter(headers), "\"etag\"", 10)
        };
        assert_eq!(range("\"etag\""), Wanted::Part(ByteRange::span(1, 9)));
        assert_eq!(range("\"other\""), Wanted::Whole);
        assert_eq!(range("Sat, 28 Nov 2026 00:00:00 GMT"), Wanted::Whole);
    }

    #[test]
    fn what_the_client_has_already() {
        let has = |text: &str| has_already(&HeaderMap::from_iter([(IF_NONE_MATCH, text.parse().unwrap())]), "\"a:b\"");
        for text in ["\"a:b\"", "a:b", "\"x\", \"a:b\"", "W/\"a:b\"", "*"] {
            assert!(has(text), "{text}");
        }
        for text in ["", "\"a:c\"", "a"] {
            assert!(!has(text), "{text}");
        }
    }

    #[test]
    fn chunks_of_uploads() {
        let read = |text: &str, declared| {
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, text.parse().unwrap())]);
            Chunk::read(&headers, declared).map_err(|error| error.code())
        };
        let chunk = |start, length| Ok(Some(Chunk { start, length }));
        assert_eq!(read("0-9", Some(10)), chunk(0, 10));
        assert_eq!(read("10-19", None), chunk(10, 10));
        assert_eq!(read("bytes 10-19/*", Some(10)), chunk(10, 10));
        assert_eq!(read("bytes=10-19/100", Some(10)), chunk(10, 10));
        assert_eq!(read("10-9", Some(0)), chunk(10, 0));
        assert_eq!(read("0-9", Some(11)), Err(Code::SizeInvalid));
        for text in ["", "x", "5-", "-5", "9-0", "0-18446744073709551615", "1-2-3"] {
            assert_eq!(read(text, None), Err(Code::RangeInvalid), "{text}");
        }
        assert_eq!(Chunk::read(&HeaderMap::new(), None).map_err(|error| error.code()), Ok(None));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(text in "(bytes[ =])?[0-9]{0,22}-[0-9]{0,22}(/[0-9*]{0,3})?|[ -~]{0,40}", size: u64) {
            if let Wanted::Part(range) = wanted(&format!("bytes={text}"), size) {
                let resolved = range.resolve(size).unwrap();
                prop_assert!(resolved.end <= size);
            }
            let _ = Chunk::parse(&text.parse().unwrap());
        }
    }
}
