//! A manifest: what it is, what it names, and what refers to it.

use std::fmt::{Display, Write};

use blobstore::{Digest, Kind, Manifest, Reference, RepositoryName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::View;
use super::address::Address;
use super::figures::{Shortened, beginning, moment, size};
use super::frame::Page;
use super::html::{Element, Html, element, link};
use super::lists::{content, digest_link, number, referrers_table, table, type_of};
use crate::error::ApiError;
use crate::route::ManifestName;

/// How much of a manifest a page shows: much more than any that people make, and less than 1 MiB of HTML.
const ROWS: usize = 200;
const ANNOTATIONS: usize = 64;
const VALUE_CHARACTERS: usize = 512;
pub(super) const TYPE_CHARACTERS: usize = 128;

/// How many referrers stand below a manifest; each is read. The others have a page of their own.
const REFERRERS: usize = 20;

/// The annotation that says when something was made.
pub(super) const CREATED: &str = "org.opencontainers.image.created";

pub(super) async fn page(view: &View<'_>, name: &RepositoryName, reference: &ManifestName) -> Result<Page, ApiError> {
    let (digest, manifest) = view.registry.find_manifest(&view.context, name, reference).await?;
    let manifests = view.registry.namespace().repository(name.clone()).manifests();
    let referrers = manifests.referrers_page(&view.context, &digest, None, REFERRERS).await?;
    let heading = match reference {
        ManifestName::Tag(tag) => tag.to_string(),
        ManifestName::Digest(digest) => beginning(digest),
    };
    let mut page = Page::new(heading)
        .within(name.as_str(), view.addresses.repository(name))
        .child(about(view, name, &digest, &manifest));
    page = match manifest.kind() {
        Kind::Index => page.child(platforms(view, name, &manifest)),
        Kind::Image => {
            let (config, layers) = manifest.blobs().split_at(manifest.blobs().len().min(1));
            page.children(config.first().map(|config| configuration(view, name, config)))
                .child(parts(view, name, layers))
        }
        Kind::Schema1 => page.child(parts(view, name, manifest.blobs())),
    };
    page = page.children(annotations(&manifest));
    if !referrers.references.is_empty() {
        let all = referrers
            .behind
            .map(|_| element("p").child(link(&view.addresses.referrers(name, &digest), "All that refers to it")));
        let table = referrers_table(view, name, &referrers.references);
        page = page.child(element("h2").text("Referrers")).child(table).children(all);
    }
    Ok(page)
}

fn about(view: &View<'_>, name: &RepositoryName, digest: &Digest, manifest: &Manifest) -> Element {
    let (descriptor, about) = (manifest.descriptor(), manifest.about());
    let raw = link(&view.addresses.raw_manifest(name, digest), "as it was pushed");
    let mut list = Terms::default()
        .term("Digest", element("span").class("digest").text(digest))
        .term("Media type", type_of(&descriptor.media_type));
    // What says nothing of it is of the type of its configuration, which stands below.
    let is_said = |kind: &&String| manifest.blobs().first().is_none_or(|config| config.media_type != **kind);
    if let Some(kind) = about.artifact_type.as_ref().filter(is_said) {
        list = list.term("Artifact type", type_of(kind));
    }
    if let Some(created) = about.annotations.get(CREATED).and_then(|created| moment(created)) {
        list = list.term("Created", created);
    }
    if let Some(subject) = manifest.subject() {
        let to = view.addresses.manifest(name, subject.digest);
        list = list.term("Refers to", digest_link(&to, &subject.digest));
    }
    let itself = Html::default().child(size(descriptor.size)).text(", ").child(raw);
    list.term("Manifest", itself).done()
}

/// Names and what they mean.
#[derive(Default)]
struct Terms(Html);

impl Terms {
    fn term(self, name: impl Display, value: impl Into<Html>) -> Self {
        Self(self.0.child(element("dt").text(name)).child(element("dd").child(value)))
    }

    fn done(self) -> Element {
        element("dl").child(self.0)
    }
}

fn configuration(view: &View<'_>, name: &RepositoryName, config: &Reference) -> Html {
    let to = view.addresses.blob(name, &config.digest);
    let list = Terms::default()
        .term("Digest", digest_link(&to, &config.digest))
        .term("Media type", type_of(&config.media_type))
        .term("Size", size(config.size));
    Html::default().child(element("h2").text("Configuration")).child(list.done())
}

/// The layers, from the lowest up, or whatever else an artifact is made of.
fn parts(view: &View<'_>, name: &RepositoryName, layers: &[Reference]) -> Html {
    let heading = element("h2").text("Layers");
    if layers.is_empty() {
        return Html::default().child(heading).child(element("p").class("note").text("It has none."));
    }
    let row = |(index, layer): (usize, &Reference)| {
        let link = digest_link(&view.addresses.blob(name, &layer.digest), &layer.digest);
        element("tr")
            .child(number(Html::default().text(index + 1)))
            .child(content(link, &layer.media_type))
            .child(number(size_or_dash(layer)))
    };
    let columns = [("No.", "number"), ("Content and type", ""), ("Size", "number")];
    let total = layers.iter().fold(0_u64, |total, layer| total.saturating_add(layer.size));
    let total = element("tr")
        .child(element("th").attribute("scope", "row").attribute("colspan", 2).text("Total of ").text(layers.len()))
        .child(number(size(total)));
    let table = table(&columns, layers.iter().enumerate().take(ROWS).map(row)).child(element("tfoot").child(total));
    Html::default().child(heading).child(table).children(not_shown(layers.len(), ROWS))
}

/// Manifests of the first schema do not say how large their layers are.
fn size_or_dash(part: &Reference) -> Element {
    if part.size == 0 && part.media_type.is_empty() { element("span").text("–") } else { size(part.size) }
}

fn platforms(view: &View<'_>, name: &RepositoryName, index: &Manifest) -> Html {
    let heading = element("h2").text("Manifests");
    let children = index.manifests();
    if children.is_empty() {
        return Html::default().child(heading).child(element("p").class("note").text("It names none."));
    }
    let read: Platforms<'_> = serde_json::from_slice(index.content()).unwrap_or_default();
    let mut platforms = read.manifests.iter().map(Entry::platform);
    let row = |child: &Reference| {
        let platform = platforms.next().flatten().unwrap_or_else(|| "–".to_owned());
        let to = view.addresses.manifest(name, child.digest);
        let kind = child.artifact_type.as_deref().unwrap_or(&child.media_type);
        element("tr")
            .child(element("th").attribute("scope", "row").text(Shortened(&platform, TYPE_CHARACTERS)))
            .child(content(digest_link(&to, &child.digest), kind))
            .child(number(size(child.size)))
    };
    let columns = [("Platform", ""), ("Manifest and type", ""), ("Size", "number")];
    let table = table(&columns, children.iter().take(ROWS).map(row));
    Html::default().child(heading).child(table).children(not_shown(children.len(), ROWS))
}

/// What an index says of platforms, as far as it is needed.
#[derive(Default, Deserialize)]
struct Platforms<'a> {
    #[serde(borrow)]
    manifests: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    /// Read only where it is shown; and one that is none is no reason to show no other.
    #[serde(borrow)]
    platform: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    version: Option<String>,
}

impl Entry<'_> {
    fn platform(&self) -> Option<String> {
        let Platform { os, architecture, variant, version } = serde_json::from_str(self.platform?.get()).ok()?;
        let mut text = format!("{os}/{architecture}");
        for (separator, part) in [('/', variant), (' ', version)] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                // To write into a string cannot fail.
                let _ = write!(text, "{separator}{part}");
            }
        }
        Some(text)
    }
}

fn annotations(manifest: &Manifest) -> Option<Html> {
    let annotations = &manifest.about().annotations;
    if annotations.is_empty() {
        return None;
    }
    let shown = annotations.iter().take(ANNOTATIONS);
    let list = shown.fold(Terms::default(), |list, (key, value)| {
        list.term(Shortened(key, TYPE_CHARACTERS), element("span").class("value").child(annotation(value)))
    });
    let heading = element("h2").text("Annotations");
    Some(Html::default().child(heading).child(list.done()).children(not_shown(annotations.len(), ANNOTATIONS)))
}

/// The value of an annotation, which is a link where it is an address of the web and shown whole.
fn annotation(value: &str) -> Html {
    let shown = Shortened(value, VALUE_CHARACTERS);
    match Address::on_the_web(value).filter(|_| !shown.is_cut()) {
        Some(address) => link(&address, shown).attribute("rel", "nofollow noopener noreferrer").into(),
        None => Html::default().text(shown),
    }
}

fn not_shown(there: usize, most: usize) -> Option<Element> {
    let more = there.checked_sub(most).filter(|more| *more > 0)?;
    let note = element("p").class("note");
    Some(note.text(more).text(" more are in the manifest as it was pushed."))
}
