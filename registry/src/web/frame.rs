//! What all pages have: their head, their style, and where in the registry they are.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, VARY};
use sha2::{Digest as _, Sha256};

use super::address::{Address, Addresses};
use super::html::{Element, Html, element, link};

/// The style of all pages. It stands in each of them, so that none needs a second request. It has nothing that is escaped in
/// HTML, else its hash would be another.
const STYLE: &str = include_str!("style.css");

/// Nothing is loaded, run, framed or sent; the one style is named by what it is.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let text = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
    );
    // Base64 has nothing that a header may not have.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// The headers of all pages.
pub(super) fn headers() -> HeaderMap {
    let text = HeaderValue::from_static;
    [
        (CONTENT_TYPE, text("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (REFERRER_POLICY, text("no-referrer")),
        // What one client may read is no other's business, and it changes with each push.
        (CACHE_CONTROL, text("no-store")),
        (VARY, text("Accept, Authorization")),
    ]
    .into_iter()
    .collect()
}

/// A page before it is written.
#[derive(Debug)]
pub(super) struct Page {
    heading: String,
    /// What it lies in, from the list of repositories down.
    above: Vec<(String, Address)>,
    content: Html,
}

impl Page {
    pub(super) fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), above: Vec::new(), content: Html::default() }
    }

    /// Says that it lies in another, which lies in those that were said before.
    pub(super) fn within(mut self, title: impl Into<String>, address: Address) -> Self {
        self.above.push((title.into(), address));
        self
    }

    pub(super) fn child(mut self, child: impl Into<Html>) -> Self {
        self.content = self.content.child(child);
        self
    }

    pub(super) fn children<C: Into<Html>>(mut self, children: impl IntoIterator<Item = C>) -> Self {
        self.content = self.content.children(children);
        self
    }

    /// Its text.
    pub(super) fn write(self, addresses: Addresses<'_>) -> Bytes {
        let title =
            self.above.iter().rev().fold(self.heading.clone(), |title, (above, _)| format!("{title} – {above}"));
        let head = element("head")
            .child(element("meta").attribute("charset", "utf-8"))
            .child(meta("viewport", "width=device-width, initial-scale=1"))
            .child(meta("color-scheme", "light dark"))
            .child(meta("robots", "noindex"))
            .child(element("title").text(title).text(" – Registry"))
            .child(element("style").text(STYLE));
        let main = element("main").child(element("h1").text(&self.heading)).child(self.content);
        let body = element("body").child(way(addresses, &self.heading, &self.above)).child(main).child(foot());
        Html::document(element("html").attribute("lang", "en").child(head).child(body)).into()
    }
}

fn meta(name: &'static str, content: &'static str) -> Element {
    element("meta").attribute("name", name).attribute("content", content)
}

/// The way from the list of repositories to a page.
fn way(addresses: Addresses<'_>, heading: &str, above: &[(String, Address)]) -> Element {
    let step = || element("li").child(element("span").attribute("aria-hidden", "true").text("›"));
    let home = element("li").child(link(&addresses.home(), "Registry").class("home"));
    let above = above.iter().map(|(title, address)| step().child(link(address, title)));
    let here = step().child(element("span").attribute("aria-current", "page").text(heading));
    let steps = element("ol").child(home).children(above).child(here);
    element("header").child(element("nav").attribute("aria-label", "Where this page is").child(steps))
}

fn foot() -> Element {
    element("footer").child(element("p").text("What is shown here is what the API of the registry answers under /v2/."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_is_the_same_in_html() {
        assert!(!STYLE.contains(['<', '>', '&', '"', '\'', '\r']));
        let text = Page::new("x").write(Addresses::below(""));
        assert!(String::from_utf8(text.to_vec()).unwrap().contains(&format!("<style>{STYLE}</style>")));
    }
}
