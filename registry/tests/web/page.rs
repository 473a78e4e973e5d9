//! Pages as they come, each of which is looked through: its headers, and every element and attribute that it has.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use sha2::{Digest, Sha256};

use crate::harness::{Client, Reply};

/// What browsers send.
pub(crate) const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

const ELEMENTS: &[&str] = &[
    "a", "body", "data", "dd", "dl", "dt", "footer", "h1", "h2", "head", "header", "html", "li", "main", "meta", "nav",
    "ol", "p", "section", "span", "strong", "style", "table", "tbody", "td", "tfoot", "th", "thead", "time", "title",
    "tr", "ul",
];
const ATTRIBUTES: &[&str] = &[
    "aria-current",
    "aria-hidden",
    "aria-label",
    "charset",
    "class",
    "colspan",
    "content",
    "datetime",
    "href",
    "lang",
    "name",
    "rel",
    "scope",
    "title",
    "value",
];

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) reply: Reply,
    /// The text that is seen, without the title, with a space for each tag.
    pub(crate) text: String,
    pub(crate) links: Vec<Link>,
    /// Elements that were begun.
    pub(crate) elements: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) address: String,
    pub(crate) text: String,
}

impl Client {
    /// A page, of which nothing is there that may not be.
    pub(crate) async fn page(&self, path: &str) -> Page {
        self.page_with(path, &[]).await
    }

    pub(crate) async fn page_with(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let headers: Vec<_> = [BROWSER].into_iter().chain(headers.iter().copied()).collect();
        Page::of(self.send(Method::GET, path, &headers, "").await)
    }
}

impl Page {
    #[track_caller]
    pub(crate) fn of(reply: Reply) -> Self {
        let html = std::str::from_utf8(&reply.body).unwrap().to_owned();
        let mut page = Self { reply, text: String::new(), links: Vec::new(), elements: Vec::new() };
        page.read(&html);
        page.check_headers(&html);
        page
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.reply.status.as_u16(), status, "{self:#?}");
        self
    }

    /// Asserts that it shows these texts, in this order.
    #[track_caller]
    pub(crate) fn shows<const N: usize>(&self, texts: [&str; N]) {
        let mut rest = self.text.as_str();
        for text in texts {
            let at = rest.find(text).unwrap_or_else(|| panic!("{text:?} is not in {rest:?}"));
            rest = &rest[at + text.len()..];
        }
    }

    /// Where the link of that text leads.
    #[track_caller]
    pub(crate) fn link(&self, text: &str) -> &str {
        let found = self.links.iter().find(|link| link.text == text);
        &found.unwrap_or_else(|| panic!("no {text:?} in {:#?}", self.links)).address
    }

    /// The texts of the links that lead to where this begins.
    pub(crate) fn linked(&self, beginning: &str) -> Vec<&str> {
        let links = self.links.iter().filter(|link| link.address.starts_with(beginning));
        links.map(|link| link.text.as_str()).collect()
    }

    /// Goes through all tags: each is known, closed where it was opened, and has known attributes only.
    #[track_caller]
    fn read(&mut self, html: &str) {
        let mut rest = html.strip_prefix("<!doctype html>").unwrap();
        let mut open: Vec<String> = Vec::new();
        while let Some(begin) = rest.find('<') {
            self.said(&open, &rest[..begin]);
            let end = rest.find('>').unwrap();
            let tag = &rest[begin + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "{html}");
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(ELEMENTS.contains(&name), "<{name}> in {html}");
            for (attribute, value) in attributes_of(attributes) {
                assert!(ATTRIBUTES.contains(&attribute), "{attribute} in {html}");
                if attribute == "href" {
                    let is_known = ["/", "http://", "https://"].iter().any(|begin| value.starts_with(begin));
                    assert!(is_known && !value.starts_with("//"), "{value}");
                    self.links.push(Link { address: value, text: String::new() });
                }
            }
            self.elements.push(name.to_owned());
            if name != "meta" {
                open.push(name.to_owned());
            }
        }
        assert_eq!((open.len(), rest), (0, "\n"), "{html}");
        for needed in ["title", "h1", "nav", "main"] {
            assert!(self.elements.iter().any(|name| name == needed), "no {needed} in {html}");
        }
        assert_eq!(html.matches("<html lang=\"en\">").count(), 1);
    }

    fn said(&mut self, open: &[String], text: &str) {
        assert!(!text.contains(['>', '"', '\'']) || open.last().is_some_and(|name| name == "style"), "{text}");
        if open.iter().any(|name| matches!(name.as_str(), "head")) {
            return;
        }
        let text = unescaped(text);
        if open.iter().any(|name| name == "a")
            && let Some(link) = self.links.last_mut()
        {
            link.text.push_str(&text);
        }
        self.text.push_str(&text);
        self.text.push(' ');
    }

    #[track_caller]
    fn check_headers(&self, html: &str) {
        let (_, style) = html.split_once("<style>").unwrap();
        let (style, _) = style.split_once("</style>").unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        );
        for (name, value) in [
            ("content-security-policy", policy.as_str()),
            ("content-type", "text/html; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(self.reply.header(name), value);
        }
    }
}

fn attributes_of(text: &str) -> Vec<(&str, String)> {
    let mut rest = text;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once("=\"").unwrap();
        let (value, behind) = behind.split_once('"').unwrap();
        found.push((name, unescaped(value)));
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    found
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
