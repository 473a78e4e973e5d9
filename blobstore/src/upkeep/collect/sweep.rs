//! Letting go of what is not needed.

use std::time::SystemTime;

use driver_api::{Context, ListOptions, Storage, StoragePath};
use futures_util::TryStreamExt;

use super::mark::Needed;
use super::{Ages, Collected};
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::link;
use crate::listed::list_if_any;
use crate::marks::Marks;
use crate::names::RepositoryName;
use crate::namespace::Namespace;
use crate::protection::Run;
use crate::upkeep::{Event, Listener};

/// How many files go at once.
const BATCH: usize = 1000;

/// Something that is not needed.
#[derive(Debug)]
pub(super) struct Victim {
    place: Place,
    reason: &'static str,
    bytes: u64,
}

impl Victim {
    pub(super) const fn new(place: Place, reason: &'static str, bytes: u64) -> Self {
        Self { place, reason, bytes }
    }
}

/// A collection in progress: what it may delete, whom it tells, and what it has done.
pub(super) struct Sweep<'a, 'l> {
    namespace: &'a Namespace,
    storage: &'a Storage,
    /// None where nothing is deleted.
    run: Option<Run>,
    started: SystemTime,
    listener: &'a mut Listener<'l>,
    pub(super) collected: Collected,
}

impl<'a, 'l> Sweep<'a, 'l> {
    pub(super) async fn begin(
        namespace: &'a Namespace,
        context: &Context,
        dry_run: bool,
        listener: &'a mut Listener<'l>,
    ) -> Result<Self> {
        let storage = namespace.storage();
        let run = if dry_run { None } else { Some(Run::begin(storage, context).await?) };
        let started = run.as_ref().map_or_else(SystemTime::now, Run::started);
        Ok(Self { namespace, storage, run, started, listener, collected: Collected::default() })
    }

    /// When it began, by the clock of the storage.
    pub(super) const fn started(&self) -> SystemTime {
        self.started
    }

    pub(super) async fn renew(&mut self, context: &Context) -> Result<()> {
        match &mut self.run {
            Some(run) => run.renew(context).await,
            None => Ok(()),
        }
    }

    pub(super) async fn end(self, context: &Context) -> Result<Collected> {
        if let Some(run) = self.run {
            run.end(context).await?;
        }
        Ok(self.collected)
    }

    pub(super) fn tell(&mut self, event: Event<'_>) {
        (self.listener)(event);
    }

    pub(super) fn problem(&mut self, path: &StoragePath, error: &Error) {
        self.collected.problems += 1;
        self.tell(Event::Problem { path, error });
    }

    /// Deletes what is not needed, unless a push relies on it.
    pub(super) async fn delete(&mut self, context: &Context, victims: Vec<Victim>) -> Result<()> {
        let mut victims = victims.into_iter();
        loop {
            let batch: Vec<_> = victims.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            self.delete_batch(context, batch).await?;
        }
    }

    async fn delete_batch(&mut self, context: &Context, batch: Vec<Victim>) -> Result<()> {
        let paths: Vec<_> = batch.iter().map(|victim| victim.place.path()).collect();
        let (deleted, failures) = match &mut self.run {
            Some(run) => run.delete(context, paths).await?,
            None => (paths, Vec::new()),
        };
        let deleted: std::collections::HashSet<_> = deleted.into_iter().collect();
        if self.run.is_some() {
            forget(self.namespace, context, batch.iter().map(|victim| &victim.place).collect()).await;
        }
        for error in failures {
            let path = error.path().cloned().unwrap_or_else(StoragePath::root);
            self.problem(&path, &Error::Storage(error));
        }
        for victim in batch {
            let path = victim.place.path();
            if !deleted.contains(&path) {
                self.collected.spared += 1;
                self.tell(Event::Spared(&path));
                continue;
            }
            match victim.place {
                Place::Blob(_) => self.collected.blobs_deleted += 1,
                Place::Layer(..) => self.collected.links_deleted += 1,
                Place::Revision(..) => self.collected.manifests_deleted += 1,
                _ => {}
            }
            self.collected.bytes_freed += victim.bytes;
            self.tell(Event::Victim { path: &path, reason: victim.reason, bytes: victim.bytes });
        }
        Ok(())
    }

    /// Lets go of a repository's links to blobs that its manifests do not name, and marks what the others lead to.
    pub(super) async fn links(
        &mut self,
        context: &Context,
        repository: &RepositoryName,
        ages: &Ages<'_>,
        needed: &Needed,
        marks: &mut Marks,
    ) -> Result<()> {
        marks.add_all(&needed.contents);
        marks.add_all(&needed.named);
        // What is named by an alias is needed by its canonical name, too, so that the aliases come first.
        let mut named_by_alias = Marks::default();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::CANONICAL) {
            let mut victims = Vec::new();
            for (alias, modified) in self.layers(context, repository, algorithm).await? {
                let place = Place::Layer(repository.clone(), alias);
                let canonical = match link::read(self.storage, context, &place).await {
                    Ok(Some(canonical)) => canonical,
                    Ok(None) => continue,
                    Err(error @ Error::Damaged { .. }) => {
                        self.problem(&place.path(), &error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let is_named = needed.is_incomplete || needed.named.contain(&alias);
                if is_named {
                    named_by_alias.insert(&canonical);
                }
                if is_named || needed.named.contain(&canonical) || !ages.is_old(modified) {
                    marks.insert(&canonical);
                } else {
                    victims.push(Victim::new(place, "no manifest of the repository names it", 0));
                }
            }
            self.delete(context, victims).await?;
        }
        let mut victims = Vec::new();
        for (digest, modified) in self.layers(context, repository, Algorithm::CANONICAL).await? {
            let is_named = needed.is_incomplete || needed.named.contain(&digest) || named_by_alias.contain(&digest);
            if is_named || !ages.is_old(modified) {
                marks.insert(&digest);
            } else {
                let place = Place::Layer(repository.clone(), digest);
                victims.push(Victim::new(place, "no manifest of the repository names it", 0));
            }
        }
        self.delete(context, victims).await
    }

    /// The links of a repository to blobs by digests of one algorithm, and when they were written.
    async fn layers(
        &mut self,
        context: &Context,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<Vec<(Digest, SystemTime)>> {
        let directory = Directory::LayersBy(repository, algorithm).path();
        let Some(mut listing) = list_if_any(self.storage, context, &directory, ListOptions::recursive()).await? else {
            return Ok(Vec::new());
        };
        let mut layers = Vec::new();
        while let Some(page) = listing.next_page().await {
            self.renew(context).await?;
            for entry in page? {
                if let Some(info) = entry.as_file()
                    && let Some(Place::Layer(_, digest)) = Place::parse(&info.path)
                {
                    layers.push((digest, info.modified));
                }
            }
        }
        Ok(layers)
    }

    /// Lets go of the contents that nothing needs.
    pub(super) async fn blobs(&mut self, context: &Context, ages: &Ages<'_>, marks: &Marks) -> Result<()> {
        let directory = Directory::Blobs.path();
        let Some(mut listing) = list_if_any(self.storage, context, &directory, ListOptions::recursive()).await? else {
            return Ok(());
        };
        let mut victims = Vec::new();
        while let Some(entry) = listing.try_next().await? {
            let Some(info) = entry.as_file() else { continue };
            let Some(Place::Blob(digest)) = Place::parse(&info.path) else { continue };
            if marks.contain(&digest) || !ages.is_old(info.modified) {
                self.tell(Event::Kept(&digest));
                continue;
            }
            victims.push(Victim::new(Place::Blob(digest), "no repository needs it", info.size));
            if victims.len() == BATCH {
                self.delete_batch(context, std::mem::take(&mut victims)).await?;
            }
        }
        self.delete(context, victims).await
    }

    /// What tags remember of manifests that go.
    pub(super) async fn remembered(
        &mut self,
        context: &Context,
        repository: &RepositoryName,
        leaving: &Marks,
    ) -> Result<Vec<Victim>> {
        let directory = Directory::Tags(repository).path();
        let Some(mut listing) = list_if_any(self.storage, context, &directory, ListOptions::recursive()).await? else {
            return Ok(Vec::new());
        };
        let mut victims = Vec::new();
        while let Some(entry) = listing.try_next().await? {
            if let Some(place @ Place::TagIndexEntry(_, _, digest)) = Place::parse(entry.path())
                && leaving.contain(&digest)
            {
                victims.push(Victim::new(place, "the manifest that the tag once named goes", 0));
            }
        }
        Ok(victims)
    }
}

/// Tells the cache what went: clients that are told of a blob do not push it.
async fn forget(namespace: &Namespace, context: &Context, places: Vec<&Place>) {
    let Some(cache) = &namespace.shared().cache else { return };
    for place in places {
        let cleared = match place {
            Place::Layer(repository, digest) => cache.clear(context, Some(repository), digest).await,
            Place::Blob(digest) => cache.clear(context, None, digest).await,
            _ => continue,
        };
        if let Err(error) = cleared {
            // One that does not answer is not waited for once more for each of them: what it knows it forgets by itself.
            tracing::warn!(%error, "the cache of descriptors was not told of what was collected");
            return;
        }
    }
}
