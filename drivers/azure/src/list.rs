//! Listings of files and directories, and the delete of all below a path.

use std::num::NonZeroU32;
use std::sync::Arc;

use driver_api::{Entry, EntryKey, EntryPages, Error, ListOptions, Result, StoragePath};
use futures_util::StreamExt;
use futures_util::stream::{self, unfold};

use crate::client::{Effect, Listed, Listing, Page};
use crate::store::{Store, info};

/// The most names in one page of the service. The compiler unwraps this, and the next: a zero would not compile.
pub(crate) const PAGE: NonZeroU32 = NonZeroU32::new(5000).unwrap();
/// How many names are looked at in one page to see whether a directory is there. The first does, unless it is foreign.
const GLANCE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// A listing that goes on from page to page.
pub(crate) struct Pages {
    store: Arc<Store>,
    listing: Listing,
    next: Next,
}

/// Where the next page begins.
enum Next {
    Start,
    Behind(String),
    End,
}

impl Pages {
    pub(crate) fn new(store: Arc<Store>, listing: Listing) -> Self {
        Self { store, listing, next: Next::Start }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The next page, which can be without items; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Listed>>> {
        let next = match std::mem::replace(&mut self.next, Next::End) {
            Next::Start => None,
            Next::Behind(marker) => Some(marker),
            Next::End => return Ok(None),
        };
        let page = self.store.container.list(&self.listing, next).await;
        let Page { items, next } = page.map_err(|failure| failure.into_error(Effect::None))?;
        self.next = next.map_or(Next::End, Next::Behind);
        Ok(Some(items))
    }
}

impl Store {
    pub(crate) async fn list(self: Arc<Self>, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        let page = options.page_size.and_then(|size| NonZeroU32::try_from(size).ok()).unwrap_or(PAGE).min(PAGE);
        let listing =
            Listing { prefix: self.names.directory(path), delimited: !options.recursive, metadata: false, page };
        let mut pages =
            EntriesOf { pages: Pages::new(self, listing), after: options.start_after, exists: path.is_root() };
        let first = pages.next().await?;
        if !pages.exists {
            return Err(Error::not_found(path));
        }
        let rest = unfold(pages, |mut pages| async move {
            let page = pages.next().await.transpose()?;
            Some((page, pages))
        });
        Ok(Box::pin(stream::iter(first.map(Ok)).chain(rest)))
    }

    /// Whether a file is below `path`.
    pub(crate) async fn is_directory(&self, path: &StoragePath) -> Result<bool> {
        let listing = Listing { prefix: self.names.directory(path), delimited: false, metadata: false, page: GLANCE };
        let mut next = None;
        loop {
            let page = self.container.list(&listing, next).await.map_err(|failure| failure.into_error(Effect::None))?;
            let is_file = |item: &Listed| matches!(item, Listed::Blob(name, _) if self.names.path(name).is_some());
            if page.items.iter().any(is_file) {
                return Ok(true);
            }
            match page.next {
                Some(marker) => next = Some(marker),
                None => return Ok(false),
            }
        }
    }

    fn entry(&self, item: Listed) -> Option<Entry> {
        match item {
            Listed::Blob(name, facts) => Some(Entry::File(info(&self.names.path(&name)?, &facts))),
            Listed::Prefix(name) => self.names.path(name.strip_suffix('/')?).map(Entry::Directory),
        }
    }

    /// Deletes the file at `path` and all files and sessions at and below it, and what foreign blobs it can; tells whether a
    /// file was there.
    ///
    /// In this order: whatever fails leaves what shows that the tree is there, so that a repeated call does not claim that
    /// there was nothing (ERR-8). The sessions are no files. The file itself goes once it is known what is below, and before
    /// any of that.
    pub(crate) async fn delete_tree(self: &Arc<Self>, path: &StoragePath) -> Result<bool> {
        self.delete_blob(&self.names.marker(path)).await?;
        let mut markers = self.all_of(self.names.markers_below(path));
        while let Some(items) = markers.next().await? {
            self.delete_blobs(addressable(items)).await?;
        }
        let mut files = self.all_of(self.names.directory(path));
        let mut page = files.next().await?;
        let mut found = self.delete_blob(&self.names.file(path)).await?;
        while let Some(items) = page {
            let names = addressable(items);
            found |= names.iter().any(|name| self.names.path(name).is_some());
            self.delete_blobs(names).await?;
            page = files.next().await?;
        }
        Ok(found)
    }

    fn all_of(self: &Arc<Self>, prefix: String) -> Pages {
        Pages::new(self.clone(), Listing { prefix, delimited: false, metadata: false, page: PAGE })
    }
}

fn addressable(items: Vec<Listed>) -> Vec<String> {
    items.into_iter().filter_map(Listed::into_addressable).collect()
}

impl Listed {
    /// The name of a blob by which the crate would ask for the same one: it drops slashes at the ends, and dots that are whole
    /// segments, so that another blob would be meant.
    fn into_addressable(self) -> Option<String> {
        let Self::Blob(name, _) = self else { return None };
        let altered =
            name.starts_with('/') || name.ends_with('/') || name.split('/').any(|part| matches!(part, "." | ".."));
        (!altered).then_some(name)
    }
}

/// The pages of a directory, as entries.
struct EntriesOf {
    pages: Pages,
    /// The last key that was yielded or is not wanted.
    after: Option<EntryKey>,
    /// Whether an entry was seen, wanted or not.
    exists: bool,
}

impl EntriesOf {
    /// The next page that has entries; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<Entry>>> {
        while let Some(items) = self.pages.next().await? {
            let mut entries: Vec<_> = items.into_iter().filter_map(|item| self.pages.store().entry(item)).collect();
            self.exists |= !entries.is_empty();
            entries.sort_by_cached_key(Entry::key);
            // A prefix can come once more at the beginning of the next page.
            entries.dedup_by(|one, other| one.key() == other.key());
            if let Some(after) = &self.after {
                entries.retain(|entry| entry.key() > *after);
            }
            if let Some(last) = entries.last() {
                self.after = Some(last.key());
                return Ok(Some(entries));
            }
        }
        Ok(None)
    }
}
