//! Answers that are taken into memory whole: tokens, and XML, which the crate has a closed type for each part of.

use std::pin::pin;

use azure_core::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};

use crate::client::Failure;

/// Travels in the context of a request whose answer is XML.
#[derive(Debug, Clone, Copy)]
pub(super) struct Xml;

/// The longest answer that is read: 64 MiB. A page of 5,000 names with 8 KiB of metadata each fits, and so does a list of 100,000
/// blocks.
const LONGEST: usize = 64 * 1024 * 1024;

/// The crate knows four tiers, and takes no page on which there is another.
const TIER: [&str; 2] = ["<AccessTier>", "</AccessTier>"];

/// The answer with its body in memory, and without what the crate does not understand.
pub(super) async fn readable(answer: Response) -> Result<Response, Failure> {
    changed(answer, LONGEST, without_tiers).await
}

/// The answer with its body in memory, where it has at most so many bytes.
#[cfg(feature = "entra")]
pub(super) async fn in_memory(answer: Response, longest: usize) -> Result<Response, Failure> {
    changed(answer, longest, std::convert::identity).await
}

async fn changed(answer: Response, longest: usize, change: impl FnOnce(Bytes) -> Bytes) -> Result<Response, Failure> {
    let (status, headers, body) = answer.deconstruct();
    let mut body = pin!(body);
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(super::failure)?;
        if whole.len() + piece.len() > longest {
            return Err(Failure::Senseless(format!("the answer of the service has more than {longest} bytes")));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Response::new(status, headers, Box::pin(stream::iter([Ok(change(whole.freeze()))]))))
}

/// The same document without the tiers of its blobs. No name or metadata can look like one: in a text `<` is escaped.
fn without_tiers(xml: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&xml) else { return xml };
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tier)) = rest.split_once(TIER[0])
        && let Some((_, behind)) = tier.split_once(TIER[1])
    {
        kept.push_str(before);
        rest = behind;
    }
    kept.push_str(rest);
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_taken_out_and_nothing_else() {
        for (xml, without) in [
            ("<a/>", "<a/>"),
            ("<a><AccessTier>Hot</AccessTier><b/><AccessTier>Smart</AccessTier></a>", "<a><b/></a>"),
            (
                "<a><AccessTierInferred>true</AccessTierInferred></a>",
                "<a><AccessTierInferred>true</AccessTierInferred></a>",
            ),
            ("<a><AccessTier>cut", "<a><AccessTier>cut"),
            ("<a><AccessTier/></a>", "<a><AccessTier/></a>"),
        ] {
            assert_eq!(without_tiers(xml.into()), without);
        }
        let no_text = Bytes::from_static(b"<AccessTier>\xff</AccessTier>");
        assert_eq!(without_tiers(no_text.clone()), no_text);
    }
}
