//! Listings: the two lists of a page merged into one order, and what belongs to nobody passed over.

use std::num::NonZeroUsize;
use std::sync::Arc;

use driver_api::{Entry, EntryKey, EntryPages, Error, ListOptions, Result, StoragePath};
use futures_util::stream::{self, StreamExt, unfold};
use tokio::task::JoinSet;

pub(crate) use crate::bucket::Listed;
use crate::bucket::{Answer, Bucket, PAGE, info};
use crate::errors::Failure;
use crate::keys::Keys;
use crate::page::{Item, RawPage};

impl Item {
    /// The entry that this is; none for what belongs to nobody.
    fn entry(&self, keys: &Keys) -> Option<Entry> {
        match self {
            Self::Prefix(prefix) => keys.path(prefix.strip_suffix('/')?).map(Entry::Directory),
            Self::Object { key, size, modified, etag } => {
                let path = keys.path(key)?;
                Some(Entry::File(info(&path, *size, *modified, etag.as_deref())))
            }
        }
    }
}

impl Bucket {
    /// Whether a file lies below `path`. Its own marker `path/` is no file, and neither is anything foreign.
    pub(crate) async fn has_files_below(&self, path: &StoragePath) -> Answer<bool> {
        let prefix = self.keys.below(path);
        let mut listed = Listed { start_after: Some(prefix.clone()), prefix, limit: 1, ..Listed::default() };
        let mut token = None;
        loop {
            let page = self.list(&listed, token.as_deref()).await?;
            if page.items.iter().any(|item| self.keys.path(item.key()).is_some()) {
                return Ok(true);
            }
            token = match page.next {
                None => return Ok(false),
                next => next,
            };
            // One foreign key is seldom alone.
            listed.limit = PAGE;
        }
    }

    pub(crate) async fn list_entries(self: Arc<Self>, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        let mut listing = Listing::new(self, path, &options);
        let first = listing.next_page().await?;
        if first.is_none() && !path.is_root() && !listing.exists(options.start_after.is_some()).await? {
            return Err(Error::not_found(path));
        }
        let rest = unfold(Some(listing), |listing| async move {
            let mut listing = listing?;
            match listing.next_page().await {
                Ok(page) => page.map(|page| (Ok(page), Some(listing))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Box::pin(stream::iter(first.map(Ok)).chain(rest)))
    }
}

/// The key behind which the service is to begin a listing of `prefix`, so that it yields what comes behind `key`; none where
/// that is all of it.
fn begun_behind(key: String, prefix: &str, rolled_up: bool) -> Option<String> {
    // Garage 2.5 lists nothing where the key comes before the prefix. What it says then is nothing, anyway.
    if key.as_str() <= prefix {
        return None;
    }
    // S3 begins behind a key, and rolls up the prefix of what follows: behind `a/b` it would go through all of `a/`, to list
    // `a/` once more. No file below `a/` is behind `a/~`.
    match key.strip_prefix(prefix).and_then(|below| below.split_once('/')) {
        Some((child, _)) if rolled_up => Some(format!("{prefix}{child}/~")),
        _ => Some(key),
    }
}

/// A listing of entries in progress.
struct Listing {
    bucket: Arc<Bucket>,
    path: StoragePath,
    listed: Listed,
    /// What the caller wants to begin behind.
    behind: Option<EntryKey>,
    position: Position,
    /// Whether the caller came back for more than the first page.
    goes_on: bool,
    /// The page at the position, where it was asked for while the caller is busy with the one before. Ends with the listing.
    ahead: JoinSet<Answer<RawPage>>,
}

enum Position {
    Beginning,
    Behind(String),
    End,
}

impl Listing {
    fn new(bucket: Arc<Bucket>, path: &StoragePath, options: &ListOptions) -> Self {
        let limit = options.page_size.map_or(PAGE, NonZeroUsize::get).min(PAGE);
        let rolled_up = !options.recursive;
        let prefix = bucket.keys.below(path);
        let start_after = options.start_after.as_ref().and_then(|key| {
            let key = format!("{}{}", bucket.keys.root(), &key.as_str()[1..]);
            begun_behind(key, &prefix, rolled_up)
        });
        let listed = Listed { prefix, start_after, rolled_up, limit };
        Self {
            bucket,
            path: path.clone(),
            listed,
            behind: options.start_after.clone(),
            position: Position::Beginning,
            goes_on: false,
            ahead: JoinSet::new(),
        }
    }

    /// The page at the position; none at the end.
    async fn raw_page(&mut self) -> Result<Option<RawPage>> {
        let token = match &mut self.position {
            Position::Beginning => None,
            Position::Behind(token) => Some(std::mem::take(token)),
            Position::End => return Ok(None),
        };
        let page = match self.ahead.join_next().await {
            // It ends early only with the runtime.
            Some(page) => page.unwrap_or_else(|_| Err(Failure::interrupted())),
            None => self.bucket.list(&self.listed, token.as_deref()).await,
        };
        page.map(Some).map_err(|failure| failure.of_read(&self.path))
    }

    /// Asks for the page at the position before the caller does. Who came back once will mostly go on to the end; who only
    /// wants the first page is not to pay for the second.
    fn read_ahead(&mut self) {
        if let (true, Position::Behind(token)) = (self.goes_on, &self.position) {
            let (bucket, listed, token) = (self.bucket.clone(), self.listed.clone(), token.clone());
            self.ahead.spawn(async move { bucket.list(&listed, Some(&token)).await });
        }
        self.goes_on = true;
    }

    /// The next page that has an entry; none at the end.
    async fn next_page(&mut self) -> Result<Option<Vec<Entry>>> {
        let end = self.bucket.keys.end_of_files();
        while let Some(page) = self.raw_page().await? {
            // Nothing but sessions and foreign keys comes behind the last file.
            let is_behind_files = page.items.last().is_some_and(|item| item.key() > end.as_str());
            self.position = match page.next {
                Some(next) if !is_behind_files => Position::Behind(next),
                _ => Position::End,
            };
            self.read_ahead();
            let entries: Vec<_> = page
                .items
                .iter()
                .filter_map(|item| item.entry(&self.bucket.keys))
                .filter(|entry| self.behind.as_ref().is_none_or(|behind| entry.key() > *behind))
                .collect();
            if !entries.is_empty() {
                return Ok(Some(entries));
            }
        }
        Ok(None)
    }

    /// Whether the directory of a listing without entries exists: it may have some before its beginning.
    async fn exists(&self, begins_behind: bool) -> Result<bool> {
        if !begins_behind {
            return Ok(false);
        }
        self.bucket.has_files_below(&self.path).await.map_err(|failure| failure.of_read(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_behind_a_key_only_where_that_leaves_something_out() {
        for (key, rolled_up, expected) in [
            ("root/", false, None),
            ("root/a", true, None),
            ("root/a/", true, None),
            ("root/a/b", true, Some("root/a/b")),
            ("root/a/b/", true, Some("root/a/b/~")),
            ("root/a/b/c", true, Some("root/a/b/~")),
            ("root/a/b/c", false, Some("root/a/b/c")),
            ("root/b", true, Some("root/b")),
        ] {
            assert_eq!(begun_behind(key.to_owned(), "root/a/", rolled_up).as_deref(), expected, "{key}");
        }
    }
}
