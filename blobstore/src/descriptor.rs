//! What is known of a content without reading it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The media type of content of which nothing is known.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// What is known of a content: what kind it is of, how it is named, and its size in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What kind of content it is.
    pub media_type: Cow<'static, str>,
    /// The digest under which it is stored.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

impl Descriptor {
    /// The descriptor of a blob: blobs are stored without their media type.
    pub const fn blob(digest: Digest, size: u64) -> Self {
        Self { media_type: Cow::Borrowed(OCTET_STREAM), digest, size }
    }
}

/// A descriptor as manifests contain it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Reference {
    /// What kind of content it is.
    #[serde(default)]
    pub media_type: String,
    /// How the content is named.
    pub digest: Digest,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Where else the content can be had; layers with such addresses need not be in the registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What a referrer is, beside its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What its author noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
