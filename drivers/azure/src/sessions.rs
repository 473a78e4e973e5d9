//! Kept sessions: who goes on with one, which there are, and giving one up.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use driver_api::{ByteRange, Context, Error, ErrorKind, Payload, Result, StoragePath, Unfinished, UnfinishedPages};
use futures_util::stream::{self, unfold};
use futures_util::{StreamExt, TryStreamExt};

use crate::client::{BlobFacts, Effect, Failure, Listed, Listing};
use crate::list::{PAGE, Pages};
use crate::marker::{Marker, Summary};
use crate::owners::Ownership;
use crate::store::Store;

/// How many sessions are looked at at once.
const LOOKS: usize = 8;

/// How often a session is sought whose place another one takes meanwhile.
const RESUMES: usize = 3;

/// What a writer that appends begins with.
pub(crate) enum Resumed {
    Kept(Marker, Ownership),
    /// Nothing; but a marker may be there, of a session that something published at its path has ended.
    Nothing {
        marked: bool,
    },
}

/// What the marker at a path says.
enum Found {
    Nothing,
    /// Its blocks were discarded, by something that was published at its path.
    Ended,
    Kept(Marker),
}

impl Store {
    /// Reads what is kept at `path`, and makes the caller its owner; Conflict where it has one.
    pub(crate) async fn resume(&self, path: &StoragePath) -> Result<Resumed> {
        for _ in 0..RESUMES {
            let releases = self.owners.releases();
            let marker = match self.read_marker(path).await? {
                Found::Kept(marker) => marker,
                Found::Ended => return Ok(Resumed::Nothing { marked: true }),
                Found::Nothing => return Ok(Resumed::Nothing { marked: false }),
            };
            let session = marker.blocks.session();
            let ownership = self.owners.claim(session).ok_or_else(owned)?;
            if self.owners.releases() == releases {
                return Ok(Resumed::Kept(marker, ownership));
            }
            // Somebody released a session since the marker was read: if it was this one, they may have closed it. Now that it
            // has an owner they can't any more, and what is read holds.
            match self.read_marker(path).await? {
                Found::Kept(marker) if marker.blocks.session() == session => {
                    return Ok(Resumed::Kept(marker, ownership));
                }
                _ => {}
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the unfinished write was replaced each time that it was read"))
    }

    async fn read_marker(&self, path: &StoragePath) -> Result<Found> {
        let name = self.names.marker(path);
        let download = match self.container.get(&name, ByteRange::FULL, None).await {
            Ok(download) => download,
            Err(failure) if failure.is_missing() => return Ok(Found::Nothing),
            Err(failure) => return Err(failure.into_error(Effect::None)),
        };
        let read = |failure: Failure| failure.into_error(Effect::None);
        let pieces: Vec<Bytes> = download.body.try_collect().await.map_err(read)?;
        let marker = Marker::parse(Payload::from(pieces).into_bytes())?;
        if marker.blocks.count() > 0 {
            let there = self.container.uncommitted(&self.names.file(path)).await.map_err(read)?;
            let there: HashMap<_, _> = there.into_iter().map(|block| (block.id, block.size)).collect();
            let stored = marker.blocks.iter().try_fold(0, |sum, id| there.get(&id).map(|size| sum + size));
            if stored != Some(marker.stored) {
                return Ok(Found::Ended);
            }
        }
        Ok(Found::Kept(marker))
    }

    /// A file that is not empty cannot be appended to.
    pub(crate) async fn refuse_filled(&self, path: &StoragePath) -> Result<()> {
        match self.container.head(&self.names.file(path)).await {
            Ok(facts) if facts.size > 0 => {
                let message = "nothing unfinished is kept there, and a file that is not empty takes no more";
                Err(Error::new(ErrorKind::Conflict, message))
            }
            Ok(_) => Ok(()),
            Err(failure) if failure.is_missing() => Ok(()),
            Err(failure) => Err(failure.into_error(Effect::None)),
        }
    }

    /// Gives up the session kept at exactly `path`.
    pub(crate) async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        let found = self.read_marker(path).await?;
        if matches!(&found, Found::Kept(marker) if self.owners.is_owned(marker.blocks.session())) {
            return Err(owned());
        }
        context.check()?;
        let deleted = !matches!(found, Found::Nothing) && self.delete_blob(&self.names.marker(path)).await?;
        if deleted && matches!(found, Found::Kept(_)) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, "no unfinished write is kept there").with_path(path))
    }

    pub(crate) async fn unfinished(self: Arc<Self>, prefix: &StoragePath) -> Result<UnfinishedPages> {
        let here = match self.marker_at(prefix).await? {
            Some(facts) => self.kept(prefix.clone(), facts).await?,
            None => None,
        };
        let listing =
            Listing { prefix: self.names.markers_below(prefix), delimited: false, metadata: true, page: PAGE };
        let pages = Pages::new(self, listing);
        let below = unfold(Some(pages), |pages| async move {
            let mut pages = pages?;
            loop {
                let items = match pages.next().await {
                    Ok(Some(items)) => items,
                    Ok(None) => return None,
                    Err(error) => return Some((Err(error), None)),
                };
                match pages.store().sessions(items).await {
                    Ok(sessions) if sessions.is_empty() => {}
                    Ok(sessions) => return Some((Ok(sessions), Some(pages))),
                    Err(error) => return Some((Err(error), None)),
                }
            }
        });
        Ok(Box::pin(stream::iter(here.map(|session| Ok(vec![session]))).chain(below)))
    }

    /// The marker of the session at exactly `path`.
    async fn marker_at(&self, path: &StoragePath) -> Result<Option<BlobFacts>> {
        if path.is_root() {
            return Ok(None);
        }
        match self.container.head(&self.names.marker(path)).await {
            Ok(facts) => Ok(Some(facts)),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure.into_error(Effect::None)),
        }
    }

    async fn sessions(&self, items: Vec<Listed>) -> Result<Vec<Unfinished>> {
        let marked = items.into_iter().filter_map(|item| match item {
            Listed::Blob(name, facts) => Some((self.names.marked(&name)?, facts)),
            Listed::Prefix(_) => None,
        });
        let kept: Vec<_> =
            stream::iter(marked).map(|(path, facts)| self.kept(path, facts)).buffered(LOOKS).try_collect().await?;
        Ok(kept.into_iter().flatten().collect())
    }

    /// The session of a marker, unless something that was published at its path has discarded its blocks: that ended it.
    async fn kept(&self, path: StoragePath, marker: BlobFacts) -> Result<Option<Unfinished>> {
        let Some(summary) = Summary::of(&marker.metadata) else { return Ok(None) };
        if let Some(first) = summary.first_block {
            let blocks = self.container.uncommitted(&self.names.file(&path)).await;
            let blocks = blocks.map_err(|failure| failure.into_error(Effect::None))?;
            if !blocks.iter().any(|block| block.id == first.as_bytes()) {
                return Ok(None);
            }
        }
        Ok(Some(Unfinished::new(path, summary.size, marker.modified)))
    }
}

fn owned() -> Error {
    let message =
        "another writer has resumed this write; it is free again once that one was closed, cancelled or dropped";
    Error::new(ErrorKind::Conflict, message)
}
