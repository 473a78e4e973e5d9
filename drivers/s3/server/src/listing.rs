//! Pages of keys, with prefixes rolled up at a delimiter.

use std::collections::BTreeMap;
use std::ops::Bound;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a listing asks for.
#[derive(Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    pub(crate) begin: Begin<'a>,
    pub(crate) limit: usize,
}

/// Where a page begins.
#[derive(Debug, Default)]
pub(crate) enum Begin<'a> {
    #[default]
    First,
    /// Behind a key. A prefix that this key lies in is listed again.
    After(&'a str),
    /// Behind whatever begins with this prefix.
    Past(&'a str),
}

/// An item of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a, T> {
    Key(&'a str, &'a T),
    Prefix(&'a str),
}

/// A page: its items in order of their keys, and where the next one begins.
#[derive(Debug)]
pub(crate) struct Page<'a, T> {
    pub(crate) items: Vec<Item<'a, T>>,
    pub(crate) next: Option<String>,
}

/// What continues a listing behind an item, in a form of which a client can make nothing.
const AFTER: &str = "after:";
const PAST: &str = "past:";

impl<'a> Begin<'a> {
    /// Reads what an earlier page gave as its continuation.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        token.strip_prefix(AFTER).map(Self::After).or_else(|| token.strip_prefix(PAST).map(Self::Past))
    }
}

pub(crate) fn page<'a, T>(objects: &'a BTreeMap<String, T>, query: &Query<'_>) -> Page<'a, T> {
    let mut page = Page { items: Vec::new(), next: None };
    let mut from = match query.begin {
        Begin::First => Bound::Included(query.prefix.to_owned()),
        Begin::After(key) if key < query.prefix => Bound::Included(query.prefix.to_owned()),
        Begin::After(key) => Bound::Excluded(key.to_owned()),
        Begin::Past(prefix) => past(prefix),
    };
    while let Some((key, value)) = objects.range::<str, _>((as_str(&from), Bound::Unbounded)).next() {
        let Some(rest) = key.strip_prefix(query.prefix) else { break };
        let rolled = query.delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()));
        if page.items.len() == query.limit {
            page.next = page.items.last().map(|item| match item {
                Item::Key(key, _) => format!("{AFTER}{key}"),
                Item::Prefix(prefix) => format!("{PAST}{prefix}"),
            });
            break;
        }
        match rolled {
            Some(end) => {
                let prefix = &key[..query.prefix.len() + end];
                page.items.push(Item::Prefix(prefix));
                from = past(prefix);
            }
            None => {
                page.items.push(Item::Key(key, value));
                from = Bound::Excluded(key.clone());
            }
        }
    }
    page
}

/// The first place behind all that begins with `prefix`.
fn past(prefix: &str) -> Bound<String> {
    Bound::Excluded(format!("{prefix}{}", char::MAX))
}

fn as_str(bound: &Bound<String>) -> Bound<&str> {
    bound.as_ref().map(String::as_str)
}

/// What S3 leaves as it is where a listing asks for `encoding-type=url`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/');

/// A key as the listing writes it.
pub(crate) fn encoded(key: &str, url: bool) -> String {
    if url { utf8_percent_encode(key, KEPT).to_string().replace("%20", "+") } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(of: &[&str]) -> BTreeMap<String, ()> {
        of.iter().map(|key| ((*key).to_owned(), ())).collect()
    }

    fn shown(page: &Page<'_, ()>) -> Vec<String> {
        page.items
            .iter()
            .map(|item| match item {
                Item::Key(key, ()) => (*key).to_owned(),
                Item::Prefix(prefix) => (*prefix).to_owned(),
            })
            .collect()
    }

    #[test]
    fn prefixes_are_rolled_up_once_and_in_the_order_of_keys() {
        let objects = keys(&["a-b", "a.b", "a/1", "a/2", "a0", "b"]);
        let all = page(&objects, &Query { delimiter: Some("/"), limit: 9, ..Query::default() });
        assert_eq!(shown(&all), ["a-b", "a.b", "a/", "a0", "b"]);
        assert_eq!(all.next, None);
    }

    #[test]
    fn a_listing_behind_a_prefix_repeats_it_and_a_continuation_does_not() {
        let objects = keys(&["a/1", "a/2", "b"]);
        let query = Query { delimiter: Some("/"), begin: Begin::After("a/"), limit: 1, ..Query::default() };
        let first = page(&objects, &query);
        assert_eq!(shown(&first), ["a/"]);
        let next = first.next.unwrap();
        let query = Query { delimiter: Some("/"), begin: Begin::parse(&next).unwrap(), limit: 1, ..Query::default() };
        let second = page(&objects, &query);
        assert_eq!((shown(&second), second.next), (vec!["b".to_owned()], None));
    }

    #[test]
    fn a_listing_stays_within_its_prefix() {
        let objects = keys(&["a", "d/1", "d/2", "e"]);
        assert_eq!(shown(&page(&objects, &Query { prefix: "d/", limit: 9, ..Query::default() })), ["d/1", "d/2"]);
        let begin = Begin::After("z");
        assert_eq!(page(&objects, &Query { prefix: "d/", begin, limit: 9, ..Query::default() }).items, []);
    }
}
