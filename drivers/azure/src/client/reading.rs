//! Reads of exactly the bytes that are wanted.
//!
//! The crate turns every read into reads of pieces, each with a range and a wish for a checksum that it then does not look
//! at: an empty blob is an error, two pieces can be of two versions, and some emulators refuse it. So its range is replaced
//! before the request is signed.

use std::sync::Arc;

use azure_core::headers::{HeaderName, HeaderValue, Headers, MS_RANGE, RANGE_GET_CONTENT_CRC64};
use azure_core::{Context, Policy, PolicyResult, Request};
use driver_api::{ByteRange, async_trait};

/// The last byte that a header can speak of: the service reads 64 bits with a sign.
pub(crate) const LAST_OFFSET: u64 = i64::MAX as u64;

/// What one read wants. Travels in the context of the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading(pub(super) ByteRange);

impl Reading {
    fn header(self) -> Option<String> {
        let ByteRange { offset, length } = self.0;
        match length {
            None if offset == 0 => None,
            None => Some(format!("bytes={offset}-")),
            Some(length) => {
                let last = offset.saturating_add(length.saturating_sub(1)).min(LAST_OFFSET);
                Some(format!("bytes={offset}-{last}"))
            }
        }
    }
}

/// Puts the range of a [`Reading`] into its request.
#[derive(Debug)]
pub(super) struct ExactRange;

#[async_trait]
impl Policy for ExactRange {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some(reading) = context.get::<Reading>() else { return forward(context, request, next).await };
        let mut headers = Headers::new();
        for (name, value) in request.headers().iter() {
            if *name != MS_RANGE && *name != RANGE_GET_CONTENT_CRC64 {
                headers.insert::<HeaderName, HeaderValue>(name.clone(), value.clone());
            }
        }
        if let Some(range) = reading.header() {
            headers.insert(MS_RANGE, range);
        }
        // The crate gives no way to take a header out of a request.
        let mut exact = Request::new(request.url().clone(), *request.method());
        for (name, value) in headers {
            exact.insert_header(name, value);
        }
        forward(context, &mut exact, next).await
    }
}

pub(super) async fn forward(context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
    match next.split_first() {
        Some((first, rest)) => first.send(context, request, rest).await,
        None => Err(azure_core::Error::message(azure_core::error::ErrorKind::Other, "the pipeline has no end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_they_are_meant() {
        let header = |range| Reading(range).header();
        assert_eq!(header(ByteRange::FULL), None);
        assert_eq!(header(ByteRange::from(5)).unwrap(), "bytes=5-");
        assert_eq!(header(ByteRange::span(0, 1)).unwrap(), "bytes=0-0");
        assert_eq!(header(ByteRange::span(3, u64::MAX)).unwrap(), format!("bytes=3-{}", i64::MAX));
    }
}
