//! The lists: of repositories, with how the storage is doing; of tags; of the manifests that refer to another.

use blobstore::{Digest, Reference, RepositoryName};

use super::View;
use super::address::Address;
use super::figures::{Shortened, beginning, moment, size};
use super::frame::Page;
use super::html::{Element, Html, element, link};
use super::manifest::{CREATED, TYPE_CHARACTERS};
use crate::error::{ApiError, Code};
use crate::health::{Health, Summary};
use crate::page;

/// The most entries of a page. An operator may allow fewer.
const ENTRIES: usize = 100;

impl View<'_> {
    /// Which entries of a list are asked for, of which no more than `most` are shown at once.
    fn part(&self, most: usize) -> page::Page {
        let last = self.query.first("last").filter(|last| !last.is_empty()).map(str::to_owned);
        page::Page { count: most.clamp(1, ENTRIES), last }
    }
}

pub(super) async fn repositories(view: &View<'_>) -> Result<Page, ApiError> {
    let part = view.part(view.registry.options().catalog_page);
    let (names, has_more) = view.registry.repositories(&view.context, &part).await?;
    let entry = |name: &RepositoryName| element("li").child(link(&view.addresses.repository(name), name));
    let list = if names.is_empty() {
        element("p").class("note").text(if part.last.is_some() {
            "There are no more repositories."
        } else {
            "There is no repository yet. The first push makes one."
        })
    } else {
        element("ul").class("names").children(names.iter().map(entry))
    };
    let next = names.last().filter(|_| has_more).map(|last| view.addresses.home().behind(last.as_str()));
    let pages = pages(&view.addresses.home(), part.last.is_some(), next);
    Ok(Page::new("Repositories").children(view.health().map(state)).child(list).children(pages))
}

pub(super) async fn tags(view: &View<'_>, name: &RepositoryName) -> Result<Page, ApiError> {
    let part = view.part(view.registry.options().tags_page);
    let tags = view.registry.namespace().repository(name.clone()).tags();
    let found = tags.page(&view.context, part.last.as_deref(), part.count).await?;
    let here = view.addresses.repository(name);
    let entry = |tag: &blobstore::Tag| element("li").child(link(&view.addresses.manifest(name, tag), tag));
    let list = if found.tags.is_empty() {
        element("p").class("note").text(if part.last.is_some() {
            "There are no more tags."
        } else {
            "It has no tags. What it has is reached by digests."
        })
    } else {
        element("ul").class("names").children(found.tags.iter().map(entry))
    };
    let next = found.tags.last().filter(|_| found.has_more).map(|last| here.behind(last.as_str()));
    let heading = element("h2").text("Tags");
    Ok(Page::new(name.as_str()).child(heading).child(list).children(pages(&here, part.last.is_some(), next)))
}

pub(super) async fn referrers(view: &View<'_>, name: &RepositoryName, subject: &Digest) -> Result<Page, ApiError> {
    let part = view.part(ENTRIES);
    let last = part.last.as_deref().map(str::parse::<Digest>).transpose();
    let last = last.map_err(|error| ApiError::new(Code::DigestInvalid, error))?;
    let manifests = view.registry.namespace().repository(name.clone()).manifests();
    let found = manifests.referrers_page(&view.context, subject, last.as_ref(), part.count).await?;
    let list = if found.references.is_empty() {
        element("p").class("note").text("Nothing more refers to it.")
    } else {
        referrers_table(view, name, &found.references)
    };
    let here = view.addresses.referrers(name, subject);
    let next = found.behind.map(|last| here.behind(&last.to_string()));
    Ok(Page::new("Referrers")
        .within(name.as_str(), view.addresses.repository(name))
        .within(beginning(subject), view.addresses.manifest(name, subject))
        .child(list)
        .children(pages(&here, part.last.is_some(), next)))
}

/// Manifests that refer to another: signatures, lists of parts, and whatever else.
pub(super) fn referrers_table(view: &View<'_>, name: &RepositoryName, references: &[Reference]) -> Element {
    let row = |reference: &Reference| {
        let kind = reference.artifact_type.as_deref().unwrap_or(&reference.media_type);
        let created = reference.annotations.get(CREATED).and_then(|created| moment(created));
        let created = created.unwrap_or_else(|| element("span").text("–"));
        let to = view.addresses.manifest(name, reference.digest);
        element("tr")
            .child(content(digest_link(&to, &reference.digest), kind))
            .child(element("td").child(created))
            .child(number(size(reference.size)))
    };
    table(&[("Manifest and type", ""), ("Created", ""), ("Size", "number")], references.iter().map(row))
}

/// A table of rows below the names of their columns, each with its class.
pub(super) fn table(columns: &[(&'static str, &'static str)], rows: impl Iterator<Item = Element>) -> Element {
    let name = |(name, class): &(&'static str, &'static str)| {
        let name = element("th").attribute("scope", "col").text(name);
        if class.is_empty() { name } else { name.class(class) }
    };
    let head = element("thead").child(element("tr").children(columns.iter().map(name)));
    element("table").child(head).child(element("tbody").children(rows))
}

/// A cell with a link to a content, and of what type that is.
pub(super) fn content(link: Element, media_type: &str) -> Element {
    element("td").child(link).text(" ").child(type_of(media_type))
}

/// A cell of a column of numbers.
pub(super) fn number(amount: impl Into<Html>) -> Element {
    element("td").class("number").child(amount)
}

/// A type of content.
pub(super) fn type_of(media_type: &str) -> Element {
    element("span").class("type").text(Shortened(media_type, TYPE_CHARACTERS))
}

/// A link that reads as the beginning of a digest.
pub(super) fn digest_link(to: &Address, digest: &Digest) -> Element {
    link(to, beginning(digest)).class("digest").attribute("title", digest)
}

fn pages(first: &Address, is_later: bool, next: Option<Address>) -> Option<Element> {
    let first = is_later.then(|| link(first, "First page"));
    let next = next.map(|next| link(&next, "Next page").attribute("rel", "next"));
    let links: Vec<_> = first.into_iter().chain(next).collect();
    (!links.is_empty()).then(|| element("nav").class("pages").attribute("aria-label", "Pages").children(links))
}

/// How the registry is doing. What exactly fails is told to operators, at the debug address.
pub(super) fn state(health: &Health) -> Element {
    let Summary { storage, others, failing } = health.summary();
    let line = |what: &'static str, class: &'static str, state: String| {
        let said = Html::default().text(what).text(": ").child(element("strong").class(class).text(state));
        element("li").child(said)
    };
    let storage = match storage {
        Some(true) => line("Storage", "well", "it answers".to_owned()),
        Some(false) => line("Storage", "failing", "it does not answer".to_owned()),
        None => line("Storage", "doubt", "not checked".to_owned()),
    };
    let others = match (others, failing) {
        (0, 0) => None,
        (others, 0) => Some(line("Other checks", "well", format!("{others} well"))),
        (_, failing) => Some(line("Other checks", "failing", format!("{failing} failing"))),
    };
    let lines = element("ul").child(storage).children(others);
    element("section").class("state").attribute("aria-label", "Health").child(lines)
}
