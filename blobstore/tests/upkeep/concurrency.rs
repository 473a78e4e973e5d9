//! Pushers, pullers, deleters, mounters, taggers and two collectors at once, from two processes' namespaces on one storage.
//!
//! What is checked at any time: a manifest whose push was acknowledged and whose delete has not begun is pulled whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blobstore::blob::BlobIngester;
use blobstore::upkeep::{CollectOptions, Event, collect};
use blobstore::{Digest, Error, Namespace, Repository, Result, Tag, UploadOptions};
use bytes::Bytes;
use driver_api::{Context, Storage};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::fixture::{Store, described, name, namespace, pull, tag};

const REPOSITORIES: [&str; 3] = ["a", "a/b", "c"];
/// Few enough at a time that everybody relies on what others have pushed, and collectors have condemned.
const LAYERS: u64 = 6;
/// After so many pushes come other layers. What pushes rely on is spared until neither collector is at work, so that layers which
/// stayed the same would hardly ever be garbage.
const LAYERS_LAST: u64 = 10;

/// What was acknowledged, and is not being deleted: a manifest and the tag that it alone has.
type Acknowledged = Mutex<BTreeMap<(&'static str, Digest), Tag>>;

#[derive(Default)]
struct Drill {
    acknowledged: Acknowledged,
    is_over: AtomicBool,
    /// Told when a push has ended, and at the end. Who waits for one by asking again and again takes the processors from an engine
    /// on the same machine, and from whoever brings its answers.
    steps: watch::Sender<()>,
    pushed: AtomicU64,
    refused: AtomicU64,
    pulled: AtomicU64,
    deleted: AtomicU64,
    collected: AtomicU64,
    spared: AtomicU64,
}

fn layer(number: u64) -> Bytes {
    format!("layer {number}").repeat(50).into()
}

impl Drill {
    fn repository(random: &mut fastrand::Rng, namespaces: &[Namespace; 2]) -> (&'static str, Repository) {
        let text = REPOSITORIES[random.usize(..REPOSITORIES.len())];
        (text, namespaces[random.usize(..2)].repository(name(text)))
    }

    fn any_acknowledged(&self, random: &mut fastrand::Rng) -> Option<((&'static str, Digest), Tag)> {
        let acknowledged = self.acknowledged.lock();
        let nth = random.usize(..acknowledged.len().max(1));
        acknowledged.iter().nth(nth).map(|(key, tag)| (*key, tag.clone()))
    }

    /// Pushes one image, as a client does: what is there is not sent again.
    async fn push(&self, context: &Context, random: &mut fastrand::Rng, namespaces: &[Namespace; 2]) -> Result<()> {
        let (text, repository) = Self::repository(random, namespaces);
        let mut listed = Vec::new();
        for _ in 0..random.usize(1..4) {
            let newest = self.pushed.load(Ordering::Relaxed) / LAYERS_LAST + LAYERS;
            // Now and then one that nobody has asked for in a long time.
            let oldest = if random.u8(..10) == 0 { 0 } else { newest - LAYERS };
            let content = layer(random.u64(oldest..newest));
            let digest = Digest::of(&content);
            listed.push(described("l", &digest, content.len() as u64));
            if blobstore::blob::BlobStatter::stat(&repository.blobs(), context, &digest).await.is_ok() {
                continue;
            }
            let from = name(REPOSITORIES[random.usize(..REPOSITORIES.len())]);
            let begun = repository.blobs().mount(context, &digest, &from, UploadOptions::default()).await?;
            if let blobstore::Begun::Upload(mut upload) = begun {
                upload.write(context, content).await?;
                if random.bool() {
                    let id = upload.id();
                    upload.close(context).await?;
                    let other = namespaces[random.usize(..2)].repository(name(text)).blobs();
                    *upload = other.resume(context, id, UploadOptions::default()).await?;
                }
                upload.commit(context, &digest, None).await?;
            }
        }
        let config: Bytes = format!("{{\"number\": {}}}", random.u64(..)).into();
        let config = repository.blobs().put(context, config).await?;
        let own = tag(&format!("t{}", random.u64(..)));
        let manifest = format!(
            r#"{{"schemaVersion": 2, "config": {}, "layers": [{}]}}"#,
            described("c", &config.digest, config.size),
            listed.join(",")
        );
        let mut tags = vec![own.clone()];
        if random.bool() {
            tags.push(tag("latest"));
        }
        let pushed = repository.manifests().put(context, None, manifest.into(), None, &tags).await?;
        self.acknowledged.lock().insert((text, pushed.descriptor.digest), own);
        Ok(())
    }

    async fn pushes(&self, context: &Context, mut random: fastrand::Rng, namespaces: &[Namespace; 2], number: usize) {
        for _ in 0..number {
            tokio::task::yield_now().await;
            match self.push(context, &mut random, namespaces).await {
                Ok(()) => drop(self.pushed.fetch_add(1, Ordering::Relaxed)),
                // A collection without any grace took what had come: the client begins again.
                Err(Error::ReferencesUnknown(_) | Error::UploadUnknown(_)) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => panic!("{error}: {error:?}"),
            }
            self.steps.send_replace(());
        }
    }

    async fn pulls(&self, context: &Context, mut random: fastrand::Rng, namespaces: &[Namespace; 2]) {
        let mut steps = self.steps.subscribe();
        while !self.is_over.load(Ordering::Relaxed) {
            // Memory answers at once, so that nothing else lets the others come.
            tokio::task::yield_now().await;
            let Some((key @ (text, digest), own)) = self.any_acknowledged(&mut random) else {
                steps.changed().await.unwrap();
                continue;
            };
            let repository = namespaces[random.usize(..2)].repository(name(text));
            let resolved = repository.tags().get(context, &own).await;
            let pulled = pull(context, &repository, &digest).await;
            if self.acknowledged.lock().contains_key(&key) {
                assert_eq!(resolved.unwrap(), digest, "the tag of an acknowledged manifest");
                pulled.unwrap_or_else(|error| panic!("{text}@{digest} was acknowledged: {error}"));
                self.pulled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn deletes(&self, context: &Context, mut random: fastrand::Rng, namespaces: &[Namespace; 2]) {
        let mut steps = self.steps.subscribe();
        while !self.is_over.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
            if self.acknowledged.lock().len() < 10 {
                steps.changed().await.unwrap();
                continue;
            }
            let Some((key @ (text, digest), _)) = self.any_acknowledged(&mut random) else { continue };
            // From here on nobody may count on it.
            if self.acknowledged.lock().remove(&key).is_some() {
                let manifests = namespaces[random.usize(..2)].repository(name(text)).manifests();
                manifests.delete(context, &digest).await.unwrap();
                self.deleted.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn tags(&self, context: &Context, mut random: fastrand::Rng, namespaces: &[Namespace; 2]) {
        let mut steps = self.steps.subscribe();
        while !self.is_over.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
            let Some(((text, digest), _)) = self.any_acknowledged(&mut random) else {
                steps.changed().await.unwrap();
                continue;
            };
            let manifests = namespaces[random.usize(..2)].repository(name(text)).manifests();
            match manifests.tag(context, &digest, &[tag("moving")]).await {
                Ok(()) => {}
                // It is being deleted.
                Err(error) if error.is_unknown() || matches!(error, Error::ReferencesUnknown(_)) => {}
                Err(error) => panic!("{error}: {error:?}"),
            }
        }
    }

    async fn collections(&self, context: &Context, options: &CollectOptions, namespace: &Namespace) {
        let mut steps = self.steps.subscribe();
        while !self.is_over.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
            let mut listener = |event: Event<'_>| assert!(!matches!(event, Event::Problem { .. }), "{event:?}");
            let collected = collect(namespace, context, options, &mut listener).await.unwrap();
            self.collected.fetch_add(collected.blobs_deleted + collected.links_deleted, Ordering::Relaxed);
            self.spared.fetch_add(collected.spared, Ordering::Relaxed);
            // Some pushes meet no collection, and leave no note.
            let quiet = self.pushed.load(Ordering::Relaxed) + LAYERS_LAST;
            while self.pushed.load(Ordering::Relaxed) < quiet && !self.is_over.load(Ordering::Relaxed) {
                steps.changed().await.unwrap();
            }
        }
    }
}

/// Runs the drill with `number` pushes by each of three pushers.
async fn drill(storage: &Storage, options: CollectOptions, number: usize) {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed} repeats this");
    let mut random = fastrand::Rng::with_seed(seed);
    let (drill, context) = (Arc::new(Drill::default()), Context::background());
    let namespaces = Arc::new([namespace(storage), namespace(storage)]);
    let mut others = tokio::task::JoinSet::new();
    let mut pushers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (drill, context, namespaces, random) = (drill.clone(), context.clone(), namespaces.clone(), random.fork());
        pushers.spawn(async move { drill.pushes(&context, random, &namespaces, number).await });
    }
    for which in 0..6 {
        let (drill, context, namespaces, random) = (drill.clone(), context.clone(), namespaces.clone(), random.fork());
        let options = options.clone();
        others.spawn(async move {
            match which {
                0 | 1 => drill.collections(&context, &options, &namespaces[which]).await,
                2 | 3 => drill.pulls(&context, random, &namespaces).await,
                4 => drill.deletes(&context, random, &namespaces).await,
                _ => drill.tags(&context, random, &namespaces).await,
            }
        });
    }
    while let Some(ended) = pushers.join_next().await {
        ended.unwrap();
    }
    drill.is_over.store(true, Ordering::Relaxed);
    drill.steps.send_replace(());
    while let Some(ended) = others.join_next().await {
        ended.unwrap();
    }
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "pushed {}, refused {}, pulled {}, deleted {}, collected {}, spared {}",
        of(&drill.pushed),
        of(&drill.refused),
        of(&drill.pulled),
        of(&drill.deleted),
        of(&drill.collected),
        of(&drill.spared),
    );
    assert!(of(&drill.pushed) > 0 && of(&drill.pulled) > 0 && of(&drill.deleted) > 0 && of(&drill.collected) > 0);
    let acknowledged = std::mem::take(&mut *drill.acknowledged.lock());
    for (text, digest) in acknowledged.keys() {
        pull(&context, &namespaces[0].repository(name(text)), digest).await.unwrap();
    }
}

fn without_grace() -> CollectOptions {
    CollectOptions::default().with_grace(std::time::Duration::ZERO)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_in_memory() {
    let [store, _] = Store::on_each_driver();
    drill(&store.storage, without_grace(), 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_on_the_filesystem() {
    let [_, store] = Store::on_each_driver();
    drill(&store.storage, without_grace(), 100).await;
}

/// An engine that runs on this machine, in a directory that nobody else has.
async fn on(engine: &str) -> Storage {
    engines::Engine::start(engine);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/services").to_owned() + &format!("/{engine}.yml");
    let document = driver_factory::Document::parse(&file, &std::fs::read_to_string(&file).unwrap()).unwrap();
    let section = driver_factory::Factory::builtin().read(document, []).unwrap();
    let directory = format!("/stores-{:032x}", fastrand::u128(..));
    let prefix = driver_api::layers::Prefix::new(driver_api::StoragePath::parse(&directory).unwrap());
    section.backend.open().await.unwrap().layered(prefix)
}

/// Takes away what a drill has left.
async fn clear(storage: &Storage) {
    for directory in ["/docker", "/blobstore"] {
        let directory = driver_api::StoragePath::parse(directory).unwrap();
        storage.delete(&Context::background(), &directory, driver_api::DeleteOptions::tree()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_on_garage() {
    let storage = on("garage").await;
    drill(&storage, without_grace(), 20).await;
    clear(&storage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_on_azurite() {
    let storage = on("azurite").await;
    drill(&storage, without_grace(), 20).await;
    clear(&storage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_where_manifests_without_a_tag_go() {
    let [store, _] = Store::on_each_driver();
    let mut options = without_grace();
    options.delete_untagged = true;
    drill(&store.storage, options, 300).await;
}
