//! The lists of repositories and of tags.

use blobstore::RepositoryName;
use http::header::LINK;
use serde_json::json;

use super::{Answer, JSON};
use crate::call::Call;
use crate::error::{ApiError, Code};
use crate::page::Page;
use crate::registry::Registry;

impl Registry {
    pub(super) async fn catalog(&self, call: &Call) -> Answer {
        let page = Page::read(&call.query, self.options().catalog_page)?;
        let last = page.last.as_deref().map(str::parse::<RepositoryName>).transpose();
        let last = last.map_err(|error| ApiError::new(Code::NameInvalid, error))?;
        let mut listing = self.namespace().repositories(last.as_ref());
        let mut names = Vec::new();
        while names.len() < page.count {
            match listing.next(&call.context).await? {
                Some(name) => names.push(name),
                None => break,
            }
        }
        let is_full = !names.is_empty() && names.len() == page.count;
        let more = is_full && listing.next(&call.context).await?.is_some();
        let text = json!({ "repositories": names.iter().map(RepositoryName::as_str).collect::<Vec<_>>() });
        let mut response = super::json(call, text.to_string().into(), JSON);
        if let Some(last) = names.last().filter(|_| more)
            && let Some(link) = page.next(&call.base.of_path(format_args!("_catalog")), last.as_str(), &[])
        {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    pub(super) async fn tags(&self, call: &Call, name: RepositoryName) -> Answer {
        let page = Page::read(&call.query, self.options().tags_page)?;
        let tags = self.namespace().repository(name.clone()).tags().all(&call.context).await?;
        let first = page.last.as_deref().map_or(0, |last| tags.partition_point(|tag| tag.as_str() <= last));
        let rest = tags.get(first..).unwrap_or_default();
        let shown = rest.get(..page.count).unwrap_or(rest);
        let text = json!({
            "name": name.as_str(),
            "tags": shown.iter().map(blobstore::Tag::as_str).collect::<Vec<_>>(),
        });
        let mut response = super::json(call, text.to_string().into(), JSON);
        if let Some(last) = shown.last().filter(|_| shown.len() < rest.len())
            && let Some(link) = page.next(&call.base.of_path(format_args!("{name}/tags/list")), last.as_str(), &[])
        {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }
}
