//! Listings.

use std::collections::{BTreeMap, BTreeSet};

use driver_api::{
    Context, Entry, EntryKey, EntryPages, Error, ErrorKind, FileInfo, ListOptions, Payload, PutOptions, Result,
    StatOptions, StoragePath, async_trait,
};
use futures_util::{TryStreamExt, stream};
use parking_lot::Mutex;

use super::pause;
use crate::Mutant;
use crate::mutation::{Call, Inner, Mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<Unsorted>("unsorted-listing", "a page comes in reverse", "LIST-2", &["LIST-1", "LIST-7"]),
    Mutant::new::<SortedByPath>("sorted-by-path", "a directory is sorted as if no `/` stood behind it", "LIST-2", &[]),
    Mutant::new::<CutAtAThousand>(
        "cut-at-1000",
        "a listing ends after its first 1,000 entries",
        "LIST-5",
        &["DEL-4", "LIST-7"],
    ),
    Mutant::new::<StartIncluded>("start-after-included", "start_after is yielded, too", "LIST-2", &["LIST-10"]),
    Mutant::new::<PagesOverlap>(
        "pages-overlap",
        "a page begins with the last entry of the one before",
        "LIST-10",
        &["LIST-1", "LIST-5"],
    ),
    Mutant::new::<PageSizeIgnored>("page-size-ignored", "pages are as long as the driver likes", "LIST-10", &[]),
    Mutant::new::<MissingIsEmpty>(
        "missing-directory-is-empty",
        "the listing of a missing directory is empty",
        "LIST-3",
        &[],
    ),
    Mutant::new::<Siblings>(
        "lists-siblings",
        "a directory takes in siblings that share its prefix",
        "LIST-4",
        &["LIST-1", "LIST-7"],
    ),
    Mutant::new::<WithDirectories>(
        "recursive-with-directories",
        "a recursive listing yields directories",
        "LIST-7",
        &["LIST-2"],
    ),
    Mutant::new::<ByOffset>(
        "pages-by-offset",
        "pages are counted from the begin anew",
        "LIST-6",
        &["LIST-9", "LIST-2"],
    ),
    Mutant::new::<VanishingFails>("vanishing-fails", "an entry that vanishes fails the listing", "LIST-9", &["LIST-6"]),
    Mutant::new::<NoSizes>("listing-without-sizes", "a listing tells a size of 0", "LIST-1", &["STAT-1"]),
    Mutant::new::<HiddenNames>("hidden-names", "names that begin with a dot are not listed", "PATH-1", &["LIST-1"]),
    Mutant::new::<LastingDirectories>(
        "lasting-directories",
        "a directory outlives its files",
        "PATH-6",
        &["STAT-3", "STAT-2"],
    ),
];

/// All entries of a listing, whatever their order.
async fn entries(call: Call<'_, ListOptions>) -> Result<Vec<Entry>> {
    call.forward().await?.try_concat().await
}

/// The listing of `path` without options.
async fn all(inner: &Inner, context: &Context, path: &StoragePath) -> Result<Vec<Entry>> {
    entries(Call { inner, context, path, options: ListOptions::default() }).await
}

fn paged(entries: Vec<Entry>, size: usize) -> EntryPages {
    let pages: Vec<_> = entries.chunks(size.max(1)).map(|page| Ok(page.to_vec())).collect();
    Box::pin(stream::iter(pages))
}

fn page_size(inner: &Inner, options: &ListOptions) -> usize {
    let limit = inner.capabilities().limits.page;
    options.page_size.map_or(limit, |size| size.get().min(limit))
}

#[derive(Debug, Default)]
struct Unsorted;

#[async_trait]
impl Mutation for Unsorted {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let pages = call.forward().await?;
        Ok(Box::pin(pages.map_ok(|mut page| {
            page.reverse();
            page
        })))
    }
}

#[derive(Debug, Default)]
struct SortedByPath;

#[async_trait]
impl Mutation for SortedByPath {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let size = page_size(call.inner, &call.options);
        let mut entries = entries(call).await?;
        entries.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(paged(entries, size))
    }
}

#[derive(Debug, Default)]
struct CutAtAThousand;

#[async_trait]
impl Mutation for CutAtAThousand {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let size = page_size(call.inner, &call.options);
        let mut entries = entries(call).await?;
        entries.truncate(1000);
        Ok(paged(entries, size))
    }
}

#[derive(Debug, Default)]
struct StartIncluded;

#[async_trait]
impl Mutation for StartIncluded {
    async fn list(&self, mut call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let size = page_size(call.inner, &call.options);
        let start = call.options.start_after.take();
        let mut entries = entries(call).await?;
        entries.retain(|entry| start.as_ref().is_none_or(|start| entry.key() >= *start));
        Ok(paged(entries, size))
    }
}

#[derive(Debug, Default)]
struct PagesOverlap;

#[async_trait]
impl Mutation for PagesOverlap {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let size = page_size(call.inner, &call.options);
        let mut last: Option<Entry> = None;
        let pages = call.forward().await?.map_ok(move |mut page| {
            if let Some(last) = last.take().filter(|_| page.len() < size) {
                page.insert(0, last);
            }
            last = page.last().cloned();
            page
        });
        Ok(Box::pin(pages))
    }
}

#[derive(Debug, Default)]
struct PageSizeIgnored;

#[async_trait]
impl Mutation for PageSizeIgnored {
    async fn list(&self, mut call: Call<'_, ListOptions>) -> Result<EntryPages> {
        call.options.page_size = None;
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct MissingIsEmpty;

#[async_trait]
impl Mutation for MissingIsEmpty {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        match call.forward().await {
            Err(error) if error.is_not_found() => Ok(Box::pin(stream::empty())),
            answer => answer,
        }
    }
}

#[derive(Debug, Default)]
struct Siblings;

#[async_trait]
impl Mutation for Siblings {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let Some(parent) = call.path.parent() else { return call.forward().await };
        let (size, path) = (page_size(call.inner, &call.options), call.path.clone());
        let siblings = all(call.inner, call.context, &parent).await?.into_iter().filter(|sibling| {
            let sibling = sibling.path();
            *sibling != path && sibling.as_str().starts_with(path.as_str())
        });
        let mut listed: BTreeMap<EntryKey, Entry> = siblings.map(|entry| (entry.key(), entry)).collect();
        listed.extend(entries(call).await?.into_iter().map(|entry| (entry.key(), entry)));
        Ok(paged(listed.into_values().collect(), size))
    }
}

#[derive(Debug, Default)]
struct WithDirectories;

#[async_trait]
impl Mutation for WithDirectories {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        if !call.options.recursive {
            return call.forward().await;
        }
        let (size, directory) = (page_size(call.inner, &call.options), call.path.clone());
        let files = entries(call).await?;
        let mut listed = BTreeMap::new();
        for file in files {
            let above = file.path().ancestors().filter(|above| above.is_below(&directory));
            listed.extend(above.map(Entry::Directory).map(|entry| (entry.key(), entry)));
            listed.insert(file.key(), file);
        }
        Ok(paged(listed.into_values().collect(), size))
    }
}

#[derive(Debug, Default)]
struct ByOffset;

#[async_trait]
impl Mutation for ByOffset {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let size = page_size(call.inner, &call.options);
        let Call { inner, context, path, options } = call;
        let (inner, context, path) = (inner.clone(), context.clone(), path.clone());
        drop(inner.list(&context, &path, options.clone()).await?);
        Ok(Box::pin(stream::try_unfold(0, move |offset| {
            let (inner, context, path, options) = (inner.clone(), context.clone(), path.clone(), options.clone());
            async move {
                let listed = entries(Call { inner: &inner, context: &context, path: &path, options }).await;
                let page: Vec<_> = match listed {
                    Err(error) if error.is_not_found() => Vec::new(),
                    listed => listed?.into_iter().skip(offset).take(size).collect(),
                };
                Ok((!page.is_empty()).then_some((page, offset + size)))
            }
        })))
    }
}

#[derive(Debug, Default)]
struct VanishingFails;

#[async_trait]
impl Mutation for VanishingFails {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let (inner, context) = (call.inner.clone(), call.context.clone());
        let pages = call.forward().await?.and_then(move |page| {
            let (inner, context) = (inner.clone(), context.clone());
            async move {
                pause().await;
                for entry in &page {
                    inner.stat(&context, entry.path(), StatOptions::default()).await.map_err(vanished)?;
                }
                Ok(page)
            }
        });
        Ok(Box::pin(pages))
    }
}

fn vanished(error: Error) -> Error {
    Error::new(ErrorKind::Other, "an entry of the directory is gone").with_source(error)
}

#[derive(Debug, Default)]
struct NoSizes;

#[async_trait]
impl Mutation for NoSizes {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        Ok(Box::pin(call.forward().await?.map_ok(|page| page.into_iter().map(without_size).collect())))
    }
}

fn without_size(entry: Entry) -> Entry {
    match entry {
        Entry::File(info) => Entry::File(FileInfo::new(info.path, 0, info.modified)),
        directory => directory,
    }
}

#[derive(Debug, Default)]
struct HiddenNames;

#[async_trait]
impl Mutation for HiddenNames {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let size = page_size(call.inner, &call.options);
        let mut entries = entries(call).await?;
        entries.retain(|entry| !entry.path().name().is_some_and(|name| name.starts_with('.')));
        Ok(paged(entries, size))
    }
}

#[derive(Debug, Default)]
struct LastingDirectories {
    made: Mutex<BTreeSet<StoragePath>>,
}

#[async_trait]
impl Mutation for LastingDirectories {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        self.made.lock().extend(call.path.ancestors());
        call.forward(payload).await
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let path = call.path.clone();
        match call.forward().await {
            Err(error) if error.is_not_found() && self.made.lock().contains(&path) => Ok(Entry::Directory(path)),
            answer => answer,
        }
    }
}
