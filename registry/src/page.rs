//! Lists that are asked for a page at a time: `?n=COUNT&last=NAME`, and where the next page is.

use http::header::HeaderValue;
use url::form_urlencoded;

use crate::error::{ApiError, Code};

/// Which page of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many entries at the most.
    pub(crate) count: usize,
    /// Behind which entry it begins.
    pub(crate) last: Option<String>,
}

impl Page {
    /// Reads the parameters of a query. A page has `most` entries where nothing is said, and never more.
    ///
    /// Errors: PAGINATION_NUMBER_INVALID.
    pub(crate) fn read(query: &Query, most: usize) -> Result<Self, ApiError> {
        let invalid = |count: &str| {
            ApiError::new(Code::PaginationNumberInvalid, "`n` is a number of entries, 0 or more")
                .with_detail(serde_json::json!({ "n": count }))
        };
        let count = match query.first("n") {
            None => most,
            Some(count) => count.parse::<usize>().map_err(|_| invalid(count))?.min(most),
        };
        Ok(Self { count, last: query.first("last").filter(|last| !last.is_empty()).map(str::to_owned) })
    }

    /// The header that tells where the next page is, behind `last`; `others` are the parameters that it must keep.
    pub(crate) fn next(&self, path: &str, last: &str, others: &[(&str, &str)]) -> Option<HeaderValue> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(others);
        query.append_pair("n", &self.count.to_string()).append_pair("last", last);
        HeaderValue::from_str(&format!("<{path}?{}>; rel=\"next\"", query.finish())).ok()
    }
}

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what is behind the `?` of an address.
    pub(crate) fn read(text: Option<&str>) -> Self {
        Self(text.map(|text| form_urlencoded::parse(text.as_bytes()).into_owned().collect()).unwrap_or_default())
    }

    /// The first parameter of that name.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All parameters of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Code> {
        Page::read(&Query::read(Some(query)), 100).map_err(|error| error.code())
    }

    #[test]
    fn a_page_has_a_size_and_a_beginning() {
        let last = |count, last: &str| Ok(Page { count, last: Some(last.to_owned()) });
        assert_eq!(page(""), Ok(Page { count: 100, last: None }));
        assert_eq!(page("n=5&last=a%2Fb"), last(5, "a/b"));
        assert_eq!(page("last=x&n=1000"), last(100, "x"));
        assert_eq!(page("n=0&last="), Ok(Page { count: 0, last: None }));
        for query in ["n=-1", "n=x", "n=", "n=1.5", "n=99999999999999999999999"] {
            assert_eq!(page(query), Err(Code::PaginationNumberInvalid), "{query}");
        }
    }

    #[test]
    fn the_next_page_keeps_what_was_asked_for() {
        let next = page("n=2").unwrap().next("/v2/_catalog", "a/b c", &[("artifactType", "x+y")]).unwrap();
        assert_eq!(next, "</v2/_catalog?artifactType=x%2By&n=2&last=a%2Fb+c>; rel=\"next\"");
    }
}
