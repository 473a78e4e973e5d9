//! The tags of a repository.

use driver_api::{Context, DeleteOptions, Entry, ListOptions};
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
        let repository = self.revisions.repository();
        match self.names(context, Directory::Tags(repository)).await? {
            Some(tags) => Ok(tags),
            // None was ever given, or all were taken away.
            None => match self.revisions.storage().stat(context, &Directory::Manifests(repository).path()).await {
                Ok(_) => Ok(Vec::new()),
                Err(error) if error.is_not_found() => Err(Error::RepositoryUnknown(repository.clone())),
                Err(error) => Err(error.into()),
            },
        }
    }

    async fn names(&self, context: &Context, directory: Directory<'_>) -> Result<Option<Vec<Tag>>> {
        let Some(mut listing) =
            list_if_any(self.revisions.storage(), context, &directory.path(), ListOptions::default()).await?
        else {
            return Ok(None);
        };
        let mut tags = Vec::new();
        while let Some(page) = listing.next_page().await {
            let directories = page?.into_iter().filter(Entry::is_directory);
            tags.extend(directories.filter_map(|entry| entry.path().name().and_then(|name| name.parse().ok())));
        }
        // A listing has the key `1.0-rc/` before `1.0/`.
        tags.sort();
        Ok(Some(tags))
    }

    /// The tags that name a manifest at this moment.
    pub async fn naming(&self, context: &Context, digest: &Digest) -> Result<Vec<Tag>> {
        let tags = self.names(context, Directory::Tags(self.revisions.repository())).await?.unwrap_or_default();
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
