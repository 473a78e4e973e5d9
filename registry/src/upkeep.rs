//! What is done while the registry serves: uploads that nobody goes on with are purged, and garbage is collected.

use std::future::Future;
use std::time::Duration;

use blobstore::Namespace;
use blobstore::upkeep::{CollectOptions, Event, PurgeOptions, collect, purge_uploads};
use driver_api::Context;
use driver_factory::{GarbageCollection, Maintenance, UploadPurging};
use tokio::sync::watch;

/// The longest time before the first round: servers that are started together do not all begin at once.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// What is done, and how often.
#[derive(Debug)]
pub(crate) struct Upkeep {
    namespace: Namespace,
    purging: Option<UploadPurging>,
    collection: Option<GarbageCollection>,
}

impl Upkeep {
    /// A registry that only reads does nothing of it.
    pub(crate) fn new(namespace: Namespace, maintenance: &Maintenance) -> Self {
        let may_write = !maintenance.readonly.enabled;
        Self {
            namespace,
            purging: Some(maintenance.uploadpurging.clone()).filter(|purging| purging.enabled && may_write),
            collection: Some(maintenance.garbagecollection.clone())
                .filter(|collection| collection.enabled && may_write),
        }
    }

    /// Works until `stop` is dropped; what is at hand then is broken off, and nothing is the worse for it.
    pub(crate) async fn run(self, mut stop: watch::Receiver<()>) {
        let (context, cancel) = Context::background().with_cancellation();
        let purging = async {
            if let Some(purging) = &self.purging {
                repeat(purging.interval.0, || purge(&self.namespace, &context, purging)).await;
            }
        };
        let collecting = async {
            if let Some(collection) = &self.collection {
                repeat(collection.interval.0, || collect_garbage(&self.namespace, &context, collection)).await;
            }
        };
        tokio::select! {
            _ = stop.changed() => cancel.cancel(),
            _ = futures_util::future::join(purging, collecting) => {}
        }
    }
}

async fn repeat<F: Future<Output = ()>>(interval: Duration, mut round: impl FnMut() -> F) {
    let delay = interval.min(LONGEST_DELAY).mul_f64(fastrand::f64());
    tokio::time::sleep(delay).await;
    loop {
        round().await;
        tokio::time::sleep(interval.max(Duration::from_secs(1))).await;
    }
}

async fn purge(namespace: &Namespace, context: &Context, purging: &UploadPurging) {
    let mut options = PurgeOptions::default();
    options.older_than = purging.age.0;
    options.dry_run = purging.dryrun;
    let mut tell = |event: Event<'_>| tell("purging", options.dry_run, &event);
    match purge_uploads(namespace, context, &options, &mut tell).await {
        Ok(done) => {
            tracing::info!(found = done.found, purged = done.purged, problems = done.problems, "old uploads purged")
        }
        Err(error) => tracing::error!(%error, "old uploads could not be purged"),
    }
}

async fn collect_garbage(namespace: &Namespace, context: &Context, collection: &GarbageCollection) {
    let mut options = CollectOptions::default().with_grace(collection.grace.0);
    options.delete_untagged = collection.deleteuntagged;
    options.dry_run = collection.dryrun;
    let mut tell = |event: Event<'_>| tell("collecting", options.dry_run, &event);
    match collect(namespace, context, &options, &mut tell).await {
        Ok(done) => tracing::info!(
            blobs = done.blobs_deleted,
            manifests = done.manifests_deleted,
            bytes = done.bytes_freed,
            problems = done.problems,
            "garbage collected"
        ),
        Err(error) => tracing::error!(%error, "garbage could not be collected"),
    }
}

fn tell(doing: &'static str, dry_run: bool, event: &Event<'_>) {
    match event {
        Event::Victim { path, reason, bytes } => tracing::info!(doing, dry_run, %path, reason, bytes, "deleted"),
        Event::Problem { path, error } => tracing::warn!(doing, %path, %error, "passed over"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use blobstore::blob::BlobIngester;
    use blobstore::{NamespaceOptions, UploadOptions};
    use driver_api::{ListOptions, Storage, StoragePath};
    use driver_factory::ReadableDuration;
    use driver_inmemory::MemoryDriver;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn old_uploads_go_while_the_registry_serves() {
        let (context, storage) = (Context::background(), Storage::new(MemoryDriver::default()));
        let namespace = Namespace::new(storage.clone(), NamespaceOptions::default());
        let blobs = namespace.repository("a".parse().unwrap()).blobs();
        let mut upload = blobs.create(&context, UploadOptions::default()).await.unwrap();
        upload.write(&context, "x".into()).await.unwrap();
        upload.close(&context).await.unwrap();
        let mut maintenance = Maintenance::default();
        maintenance.uploadpurging.age = ReadableDuration(Duration::ZERO);
        let (_serving, stop) = watch::channel(());
        tokio::spawn(Upkeep::new(namespace, &maintenance).run(stop));
        loop {
            let mut listing = storage.list(&context, &StoragePath::root(), ListOptions::recursive()).await.unwrap();
            let page = listing.next_page().await.transpose().unwrap().unwrap_or_default();
            if page.iter().all(|entry| !entry.path().as_str().contains("_uploads")) {
                break;
            }
            tokio::time::advance(Duration::from_secs(600)).await;
            // Its age is told by the clock of the machine, in whole seconds.
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_only_reads_clears_nothing_away() {
        let storage = Storage::new(MemoryDriver::default());
        let namespace = Namespace::new(storage, NamespaceOptions::default());
        let mut maintenance = Maintenance::default();
        maintenance.readonly.enabled = true;
        maintenance.garbagecollection.enabled = true;
        let upkeep = Upkeep::new(namespace, &maintenance);
        assert!(upkeep.purging.is_none() && upkeep.collection.is_none());
    }
}
