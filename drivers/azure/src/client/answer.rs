//! What the service says of a blob, in the headers of an answer.

use std::collections::HashMap;
use std::pin::Pin;

use azure_storage_blobs::blob::CopyStatus;
use bytes::Bytes;
use driver_api::ByteRange;
use futures_util::Stream;
use reqwest::header::HeaderMap;

use crate::client::{BlobFacts, CopyState, Failure, Published, copy_state, version};

/// What precedes the name of each piece of metadata.
pub(super) const METADATA: &str = "x-ms-meta-";

/// The body of an answer, as it comes.
pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send + Sync>>;

/// A success, as it came from the service.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: BodyStream,
}

impl Answer {
    /// A header; none where it is no text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What the answer says of the blob. Only the service names its type: what stands in between can have all the rest.
    pub(super) fn facts(&self) -> Result<BlobFacts, Failure> {
        self.header("x-ms-blob-type").ok_or_else(|| incomplete("type"))?;
        let Published { modified, version } = self.state()?;
        Ok(BlobFacts {
            size: self.length().ok_or_else(|| incomplete("length"))?,
            modified,
            version,
            metadata: self.metadata(),
            copy: self.copy()?,
        })
    }

    /// Which version of the blob a write has made. Only the service gives its answers an id.
    pub(super) fn published(&self) -> Result<Published, Failure> {
        self.header("x-ms-request-id").ok_or_else(|| Failure::Senseless("the answer has no id".to_owned()))?;
        self.state()
    }

    fn state(&self) -> Result<Published, Failure> {
        let modified = self.header("last-modified").and_then(|date| azure_core::date::parse_rfc1123(date).ok());
        Ok(Published {
            modified: modified.ok_or_else(|| incomplete("time"))?.into(),
            version: version(self.header("etag").ok_or_else(|| incomplete("version"))?),
        })
    }

    fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    fn metadata(&self) -> HashMap<String, String> {
        let pair = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            let name = name.as_str().strip_prefix(METADATA)?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        };
        self.headers.iter().filter_map(pair).collect()
    }

    fn copy(&self) -> Result<Option<CopyState>, Failure> {
        let Some(status) = self.header("x-ms-copy-status") else { return Ok(None) };
        let unknown = |_| Failure::Senseless("the service tells an unknown state of a copy".to_owned());
        let status: CopyStatus = status.parse().map_err(unknown)?;
        Ok(Some(copy_state(status, self.header("x-ms-copy-id").unwrap_or_default().to_owned())))
    }

    /// The length of the whole, where the bytes that come are those that `asked` wants of it.
    pub(super) fn whole_length(&self, asked: ByteRange) -> Option<u64> {
        asked.size_of_whole(self.header("content-range"), self.length()?)
    }

    /// Whether the answer is a part without bytes, which emulators write with its end before its start.
    pub(super) fn is_empty_part(&self) -> bool {
        self.header("content-range").is_some_and(is_empty_part)
    }
}

fn incomplete(what: &str) -> Failure {
    Failure::Senseless(format!("the answer of the service has no {what} of the blob"))
}

/// Such as `bytes 5-4/5`, and `bytes 0--1/0`.
fn is_empty_part(content_range: &str) -> bool {
    let bounds = content_range.strip_prefix("bytes ").and_then(|range| range.split_once('/')?.0.split_once('-'));
    let bounds = bounds.and_then(|(start, end)| Some((start.parse::<i128>().ok()?, end.parse::<i128>().ok()?)));
    bounds.is_some_and(|(start, end)| end < start)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const HEADERS: [(&str, &str); 6] = [
        ("content-length", "5"),
        ("etag", "\"0x1\""),
        ("last-modified", "Sun, 29 Nov 2026 21:44:41 GMT"),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-meta-write", "nonce"),
        ("x-ms-copy-status", "pending"),
    ];

    fn answer(headers: impl IntoIterator<Item = (&'static str, &'static str)>) -> Answer {
        let headers =
            headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Answer { status: 200, headers: headers.collect(), body: Box::pin(futures_util::stream::empty()) }
    }

    #[test]
    fn what_is_said_of_a_blob_is_read() {
        let facts = answer(HEADERS).facts().unwrap();
        assert_eq!((facts.size, facts.version.as_str(), facts.metadata["write"].as_str()), (5, "0x1", "nonce"));
        assert_eq!(facts.modified, std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_988_681));
        assert_eq!(facts.copy, Some(CopyState::Pending(String::new())));
    }

    #[test]
    fn an_answer_without_what_only_the_service_says_makes_no_sense() {
        for missing in ["content-length", "etag", "last-modified", "x-ms-blob-type"] {
            let facts = answer(HEADERS.into_iter().filter(|(name, _)| *name != missing)).facts();
            assert!(matches!(facts, Err(Failure::Senseless(_))), "without {missing}");
        }
        let published = [("x-ms-request-id", "1"), HEADERS[1], HEADERS[2]];
        assert_eq!(answer(published).published().unwrap().version.as_str(), "0x1");
        for missing in ["x-ms-request-id", "etag", "last-modified"] {
            let published = answer(published.into_iter().filter(|(name, _)| *name != missing)).published();
            assert!(matches!(published, Err(Failure::Senseless(_))), "without {missing}");
        }
        let other = HEADERS.map(|(name, value)| (name, if name == "x-ms-copy-status" { "paused" } else { value }));
        assert!(matches!(answer(other).facts(), Err(Failure::Senseless(_))));
    }

    #[test]
    fn content_ranges_tell_whether_there_are_bytes() {
        assert!(is_empty_part("bytes 5-4/5") && is_empty_part("bytes 0--1/0"));
        assert!(!is_empty_part("bytes 0-0/1") && !is_empty_part("bytes */5"));
    }
}
