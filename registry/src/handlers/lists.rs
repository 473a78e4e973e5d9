//! The lists of repositories and of tags.

use blobstore::RepositoryName;
use driver_api::Context;
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
        let (names, more) = self.repositories(&call.context, &page).await?;
        let text = json!({ "repositories": names.iter().map(RepositoryName::as_str).collect::<Vec<_>>() });
        let mut response = super::json(call, text.to_string().into(), JSON);
        if let Some(last) = names.last().filter(|_| more)
            && let Some(link) = page.next(&call.base.of_path(format_args!("_catalog")), last.as_str(), &[])
        {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    /// The repositories of a page, and whether there are more behind them.
    pub(crate) async fn repositories(
        &self,
        context: &Context,
        page: &Page,
    ) -> Result<(Vec<RepositoryName>, bool), ApiError> {
        let last = page.last.as_deref().map(str::parse::<RepositoryName>).transpose();
        let last = last.map_err(|error| ApiError::new(Code::NameInvalid, error))?;
        let mut listing = self.namespace().repositories(last.as_ref());
        let mut names = Vec::new();
        while names.len() < page.count {
            match listing.next(context).await? {
                Some(name) => names.push(name),
                None => break,
            }
        }
        let is_full = !names.is_empty() && names.len() == page.count;
        let more = is_full && listing.next(context).await?.is_some();
        Ok((names, more))
    }

    pub(super) async fn tags(&self, call: &Call, name: RepositoryName) -> Answer {
        let page = Page::read(&call.query, self.options().tags_page)?;
        let tags = self.namespace().repository(name.clone()).tags();
        let shown = tags.page(&call.context, page.last.as_deref(), page.count).await?;
        let text = json!({
            "name": name.as_str(),
            "tags": shown.tags.iter().map(blobstore::Tag::as_str).collect::<Vec<_>>(),
        });
        let mut response = super::json(call, text.to_string().into(), JSON);
        if let Some(last) = shown.tags.last().filter(|_| shown.has_more)
            && let Some(link) = page.next(&call.base.of_path(format_args!("{name}/tags/list")), last.as_str(), &[])
        {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }
}
