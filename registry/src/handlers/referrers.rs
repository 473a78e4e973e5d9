//! The manifests that refer to another.

use std::pin::pin;

use blobstore::{Digest, Reference, RepositoryName, media_type};
use futures_util::TryStreamExt;
use http::header::{HeaderName, HeaderValue, LINK};
use serde::Serialize;

use super::Answer;
use crate::call::Call;
use crate::error::{ApiError, Code};
use crate::page::Page;
use crate::registry::Registry;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// How large a page may become: clients take no larger manifest.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
const PAGE_ENTRIES: usize = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [serde_json::Value],
}

impl Registry {
    pub(super) async fn referrers(&self, call: &Call, name: RepositoryName, subject: Digest) -> Answer {
        let page = Page::read(&call.query, PAGE_ENTRIES)?;
        let last = page.last.as_deref().map(str::parse::<Digest>).transpose();
        let last = last.map_err(|error| ApiError::new(Code::DigestInvalid, error))?;
        let wanted = call.query.first("artifactType").filter(|wanted| !wanted.is_empty());
        let manifests = self.namespace().repository(name.clone()).manifests();
        let is_wanted = |reference: &Reference| {
            std::future::ready(wanted.is_none_or(|wanted| reference.artifact_type.as_deref() == Some(wanted)))
        };
        let found = manifests.referrers(&call.context, &subject, last.as_ref()).await?;
        let mut found = pin!(found.try_filter(is_wanted));
        let (mut shown, mut bytes, mut last_shown, mut end) = (Vec::new(), 0, None, None);
        while let Some(reference) = found.try_next().await? {
            // A reference has texts and numbers only.
            let entry = serde_json::to_value(&reference).unwrap_or_default();
            bytes += entry.to_string().len();
            if shown.len() == page.count || (bytes > PAGE_BYTES && !shown.is_empty()) {
                end = last_shown;
                break;
            }
            shown.push(entry);
            last_shown = Some(reference.digest);
        }
        let index = Index { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: &shown };
        let text = serde_json::to_vec(&index).unwrap_or_default();
        let mut response = super::json(call, text.into(), HeaderValue::from_static(media_type::OCI_INDEX));
        if wanted.is_some() {
            response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
        }
        let path = call.base.of_path(format_args!("{name}/referrers/{subject}"));
        let filter: Vec<_> = wanted.map(|wanted| ("artifactType", wanted)).into_iter().collect();
        if let Some(end) = end
            && let Some(link) = page.next(&path, &end.to_string(), &filter)
        {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }
}
