//! The tags of a repository.

use std::collections::BTreeSet;

use driver_api::{Context, DeleteOptions, Entry, EntryKey, ListOptions, Listing};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::link;
use crate::linked::LinkedBlobs;
use crate::listed::list_if_any;
use crate::names::Tag;

/// How many tags are read at once.
const AT_ONCE: usize = 16;

/// The tags of one repository: names for manifests, which can be moved to another.
#[derive(Debug, Clone)]
pub struct Tags {
    revisions: LinkedBlobs,
}

impl Tags {
    pub(crate) const fn new(revisions: LinkedBlobs) -> Self {
        Self { revisions }
    }

    /// The manifest that a tag names.
    ///
    /// Errors: ManifestUnknown where there is no such tag.
    pub async fn get(&self, context: &Context, tag: &Tag) -> Result<Digest> {
        let place = Place::Tagged(self.revisions.repository().clone(), tag.clone());
        let target = link::read(self.revisions.storage(), context, &place).await?;
        target.ok_or_else(|| self.unknown(tag))
    }

    /// All tags, in the order of their bytes.
    ///
    /// Errors: RepositoryUnknown.
    pub async fn all(&self, context: &Context) -> Result<Vec<Tag>> {
        match self.names(context).await? {
            Some(tags) => Ok(tags),
            None => self.require_repository(context).await.map(|()| Vec::new()),
        }
    }

    /// The first `count` tags behind `last`, which need not be one, in the order of their bytes.
    ///
    /// Reads the listing from there until it is certain which these are, and holds no more than it returns: a listing has
    /// `1.0-rc/` and `1.0.1/` before `1.0/`, so that with such names it reads on to where `1.0/` would be.
    ///
    /// Errors: RepositoryUnknown.
    pub async fn page(&self, context: &Context, last: Option<&str>, count: usize) -> Result<TagPage> {
        let mut first = First { last, count: count.saturating_add(1), tags: BTreeSet::new() };
        // Everything behind `last`, what begins with it included, has a key behind that of a file of this name.
        let start = last.and_then(|last| self.directory().path().child(last).ok()).map(|path| EntryKey::file(&path));
        let options = start.into_iter().fold(ListOptions::default(), ListOptions::with_start_after);
        match self.listing(context, options).await? {
            Some(mut listing) => {
                while let Some(page) = listing.next_page().await {
                    if tags_among(page?).any(|tag| first.is_complete_at(tag)) {
                        break;
                    }
                }
            }
            None => self.require_repository(context).await?,
        }
        let has_more = first.tags.len() > count;
        Ok(TagPage { tags: first.tags.into_iter().take(count).collect(), has_more })
    }

    const fn directory(&self) -> Directory<'_> {
        Directory::Tags(self.revisions.repository())
    }

    async fn listing(&self, context: &Context, options: ListOptions) -> Result<Option<Listing>> {
        list_if_any(self.revisions.storage(), context, &self.directory().path(), options).await
    }

    /// For where no tag was ever given, or all were taken away.
    async fn require_repository(&self, context: &Context) -> Result<()> {
        let repository = self.revisions.repository();
        match self.revisions.storage().stat(context, &Directory::Manifests(repository).path()).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Err(Error::RepositoryUnknown(repository.clone())),
            Err(error) => Err(error.into()),
        }
    }

    async fn names(&self, context: &Context) -> Result<Option<Vec<Tag>>> {
        let Some(mut listing) = self.listing(context, ListOptions::default()).await? else {
            return Ok(None);
        };
        let mut tags = Vec::new();
        while let Some(page) = listing.next_page().await {
            tags.extend(tags_among(page?));
        }
        // A listing has the key `1.0-rc/` before `1.0/`.
        tags.sort();
        Ok(Some(tags))
    }

    /// The tags that name a manifest at this moment.
    pub async fn naming(&self, context: &Context, digest: &Digest) -> Result<Vec<Tag>> {
        let tags = self.names(context).await?.unwrap_or_default();
        let read = stream::iter(tags).map(|tag| {
            let (tags, context, digest) = (self.clone(), context.clone(), *digest);
            async move { tags.names_it(&context, &tag, &digest).await.map(|names_it| (names_it, tag)) }
        });
        let read: Vec<_> = read.buffered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().filter_map(|(names_it, tag)| names_it.then_some(tag)).collect())
    }

    async fn names_it(&self, context: &Context, tag: &Tag, digest: &Digest) -> Result<bool> {
        match self.get(context, tag).await {
            Ok(target) => Ok(target == *digest),
            // It went meanwhile.
            Err(error) if error.is_unknown() => Ok(false),
            // A tag that names nothing names no other manifest either.
            Err(Error::Damaged { path, reason }) => {
                tracing::warn!(%path, reason, "a damaged tag was passed over");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Everything that a tag names or named.
    ///
    /// Errors: ManifestUnknown where there is no such tag.
    pub async fn index(&self, context: &Context, tag: &Tag) -> Result<Vec<Digest>> {
        let directory = Directory::TagIndex(self.revisions.repository(), tag).path();
        let Some(mut listing) =
            list_if_any(self.revisions.storage(), context, &directory, ListOptions::recursive()).await?
        else {
            return Err(self.unknown(tag));
        };
        let mut digests = Vec::new();
        while let Some(entry) = listing.try_next().await? {
            if let Some(Place::TagIndexEntry(.., digest)) = Place::parse(entry.path()) {
                digests.push(digest);
            }
        }
        Ok(digests)
    }

    /// Makes a tag name a manifest, which must be there.
    pub(crate) async fn set(&self, context: &Context, tag: &Tag, digest: &Digest) -> Result<()> {
        let (storage, repository) = (self.revisions.storage(), self.revisions.repository());
        let entry = Place::TagIndexEntry(repository.clone(), tag.clone(), *digest);
        link::write(storage, context, &entry, digest).await?;
        link::write(storage, context, &Place::Tagged(repository.clone(), tag.clone()), digest).await
    }

    /// Takes a tag away, with all that it ever named; the manifests stay.
    ///
    /// Errors: ManifestUnknown; DeleteDisabled.
    pub async fn delete(&self, context: &Context, tag: &Tag) -> Result<()> {
        self.revisions.check_delete()?;
        if self.remove(context, tag).await? { Ok(()) } else { Err(self.unknown(tag)) }
    }

    /// Takes a tag away; whether it was there.
    pub(crate) async fn remove(&self, context: &Context, tag: &Tag) -> Result<bool> {
        let (storage, repository) = (self.revisions.storage(), self.revisions.repository());
        // What it names goes last: where a delete stops half-way the tag is still found, and taken away by the next.
        let mut was_there = false;
        for directory in [Directory::TagIndex(repository, tag), Directory::Tag(repository, tag)] {
            match storage.delete(context, &directory.path(), DeleteOptions::tree()).await {
                Ok(()) => was_there = true,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(was_there)
    }

    fn unknown(&self, tag: &Tag) -> Error {
        Error::ManifestUnknown(self.revisions.repository().clone(), tag.to_string())
    }
}

/// Some of the tags of a repository, in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagPage {
    /// The tags.
    pub tags: Vec<Tag>,
    /// Whether there are tags behind these.
    pub has_more: bool,
}

fn tags_among(entries: Vec<Entry>) -> impl Iterator<Item = Tag> {
    let directories = entries.into_iter().filter(Entry::is_directory);
    directories.filter_map(|entry| entry.path().name().and_then(|name| name.parse().ok()))
}

/// The first tags behind one, of those that were read so far.
struct First<'a> {
    last: Option<&'a str>,
    count: usize,
    tags: BTreeSet<Tag>,
}

impl First<'_> {
    /// Takes the next tag of a listing; whether none that is still to come can be among the first.
    fn is_complete_at(&mut self, tag: Tag) -> bool {
        let read = tag.clone();
        if self.is_behind_last(tag.as_str()) {
            self.tags.insert(tag);
        }
        if self.tags.len() > self.count {
            self.tags.pop_last();
        }
        match self.tags.last() {
            Some(largest) if self.tags.len() == self.count => !self.may_precede(largest.as_str(), read.as_str()),
            _ => false,
        }
    }

    fn is_behind_last(&self, tag: &str) -> bool {
        self.last.is_none_or(|last| tag > last)
    }

    /// Whether a tag before `largest` can come in a listing behind `read`: only one that `largest` begins with, and goes on from
    /// with what has its place before a `/`.
    fn may_precede(&self, largest: &str, read: &str) -> bool {
        let ends = largest.char_indices().filter(|(_, next)| *next < '/').map(|(end, _)| end);
        ends.filter_map(|end| largest.get(..end)).any(|tag| {
            let is_to_come = tag.bytes().chain([b'/']).gt(read.bytes().chain([b'/']));
            is_to_come && self.is_behind_last(tag)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{First, Tag};

    /// What the first tags behind `last` are, and how many had to be read for them.
    fn first(listing: &[Tag], last: Option<&str>, count: usize) -> (Vec<Tag>, usize) {
        let mut first = First { last, count, tags: BTreeSet::new() };
        let end = listing.iter().position(|tag| first.is_complete_at(tag.clone()));
        (first.tags.into_iter().collect(), end.map_or(listing.len(), |end| end + 1))
    }

    fn in_order_of_keys(mut tags: Vec<Tag>) -> Vec<Tag> {
        tags.sort_by_key(|tag| format!("{tag}/"));
        tags
    }

    fn tags(names: &[&str]) -> Vec<Tag> {
        in_order_of_keys(names.iter().map(|name| name.parse().unwrap()).collect())
    }

    proptest! {
        #[test]
        fn the_first_tags_are_those_of_all(
            names in prop::collection::btree_set("[_1a][_1a.-]{0,3}", 0..30),
            last in prop::option::of("[_1a.-]{1,3}"),
            count in 1_usize..8,
        ) {
            let all: Vec<Tag> = names.iter().map(|name| name.parse().unwrap()).collect();
            let behind = |tag: &&Tag| last.as_deref().is_none_or(|last| tag.as_str() > last);
            let expected: Vec<_> = all.iter().filter(behind).take(count).cloned().collect();
            prop_assert_eq!(first(&in_order_of_keys(all), last.as_deref(), count).0, expected);
        }
    }

    #[test]
    fn no_more_is_read_than_is_needed() {
        let names: Vec<_> = (0..1000).map(|n| format!("v{n:03}")).collect();
        let many = tags(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(first(&many, None, 10).1, 10);
        // `1.0` may come until `1.1` was read.
        assert_eq!(first(&tags(&["1.0-a", "1.0.1", "1.1", "2"]), None, 1), (tags(&["1.0-a"]), 4));
        assert_eq!(first(&tags(&["1", "1.0-a", "1.0.1", "1.1", "2", "3"]), Some("1"), 1), (tags(&["1.0-a"]), 3));
        assert_eq!(first(&tags(&["1", "1.0", "1.0-a", "1.0.1", "1.1", "2"]), Some("1.0"), 1), (tags(&["1.0-a"]), 1));
    }
}
