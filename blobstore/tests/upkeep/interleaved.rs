//! A push, and a collection with no grace at all that stands still before any one of its calls while the push goes on: from before
//! any call of the push to before any later one; and two whole collections, one behind the other. What is acknowledged must be
//! there when the last is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use blobstore::blob::{BlobIngester, BlobProvider};
use blobstore::upkeep::{CollectOptions, Collected, Event, collect};
use blobstore::{Begun, Digest, Error, Repository, Result, UploadOptions};
use bytes::Bytes;
use driver_api::layers::{Fault, FaultPoint, Faults};
use driver_api::{Context, Storage};
use driver_inmemory::MemoryDriver;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, block_in_place};

use crate::fixture::{described, image, name, namespace, pull, push, tag};
use crate::steps::Order;

/// In the repository `a`, and named by a manifest with a tag.
const KEPT: &str = "a layer that stays";
/// There, linked in the repository `a`, and named by no manifest.
const GARBAGE: Bytes = Bytes::from_static(b"a layer that nobody names yet");

#[derive(Debug, Clone, Copy)]
enum Operation {
    Put,
    Upload,
    Mount,
    /// Of what nobody else names.
    PutManifest,
    /// Of what another manifest names.
    PutSecondManifest,
}

impl Operation {
    fn repository(self, storage: &Storage) -> Repository {
        namespace(storage).repository(name(if let Self::Mount = self { "b" } else { "a" }))
    }

    async fn run(self, context: &Context, storage: &Storage) -> Result<()> {
        let (repository, digest) = (self.repository(storage), Digest::of(&GARBAGE));
        match self {
            Self::Put => drop(repository.blobs().put(context, GARBAGE).await?),
            Self::Upload => {
                let mut upload = repository.blobs().create(context, UploadOptions::default()).await?;
                upload.write(context, GARBAGE).await?;
                upload.commit(context, &digest, None).await?;
            }
            Self::Mount => {
                let begun = repository.blobs().mount(context, &digest, &name("a"), UploadOptions::default()).await?;
                if let Begun::Upload(_) = begun {
                    return Err(Error::BlobUnknown(digest));
                }
            }
            Self::PutManifest | Self::PutSecondManifest => {
                let layer = if let Self::PutManifest = self { GARBAGE } else { KEPT.into() };
                repository.manifests().put(context, None, naming(&layer), None, &[tag("new")]).await?;
            }
        }
        Ok(())
    }

    /// Whether that is an answer by which a client knows what to push again.
    fn may_refuse(self, error: &Error) -> bool {
        match self {
            Self::Put | Self::PutSecondManifest => false,
            Self::Upload => matches!(error, Error::UploadUnknown(_)),
            Self::Mount => matches!(error, Error::BlobUnknown(_)),
            Self::PutManifest => matches!(error, Error::ReferencesUnknown(_)),
        }
    }

    async fn is_whole(self, context: &Context, storage: &Storage) -> Result<()> {
        let repository = self.repository(storage);
        match self {
            Self::Put | Self::Upload | Self::Mount => {
                let content = repository.blobs().get(context, &Digest::of(&GARBAGE), 1 << 20).await?;
                assert_eq!(content, GARBAGE);
                Ok(())
            }
            Self::PutManifest | Self::PutSecondManifest => {
                let digest = repository.tags().get(context, &tag("new")).await?;
                pull(context, &repository, &digest).await
            }
        }
    }
}

fn naming(layer: &Bytes) -> Bytes {
    let config = described("c", &Digest::of(b"{}"), 2);
    let layer = described("l", &Digest::of(layer), layer.len() as u64);
    format!(r#"{{"schemaVersion": 2, "config": {config}, "layers": [{layer}]}}"#).into()
}

async fn with_garbage(storage: &Storage) {
    let (context, repository) = (Context::background(), namespace(storage).repository(name("a")));
    let kept = image(&context, &repository, &[KEPT]).await;
    push(&context, &repository.manifests(), kept, &["kept"]).await;
    repository.blobs().put(&context, GARBAGE).await.unwrap();
}

async fn collection(storage: Storage) -> Collected {
    // A manifest's link that stands for a moment without its content, until the push writes it again, is told as a problem.
    let mut listener = |_: Event<'_>| {};
    let options = CollectOptions::default().with_grace(Duration::ZERO);
    collect(&namespace(&storage), &Context::background(), &options, &mut listener).await.unwrap()
}

/// Does something before each call of a storage.
fn before_each_call(storage: &Storage, act: impl Fn(FaultPoint<'_>) + Send + Sync + 'static) -> Storage {
    storage.layered(Faults::new(move |point| {
        act(point);
        Fault::None
    }))
}

/// A collection that stands still.
struct Held {
    go_on: mpsc::Sender<()>,
    ended: JoinHandle<Collected>,
}

impl Held {
    /// Begins one, and waits until it has come to its call `number`, or has ended before.
    fn begin(storage: &Storage, number: u64) -> Self {
        let (go_on, gate) = mpsc::channel();
        let (reached, is_reached) = mpsc::channel();
        let gate = Mutex::new(gate);
        let storage = before_each_call(storage, move |point| {
            if point.number == number {
                let _ = reached.send(());
                let _ = block_in_place(|| gate.lock().recv());
            }
        });
        let ended = Handle::current().spawn(collection(storage));
        let _ = block_in_place(|| is_reached.recv());
        Self { go_on, ended }
    }

    fn end(self) -> Collected {
        let _ = self.go_on.send(());
        block_in_place(|| Handle::current().block_on(self.ended)).unwrap()
    }
}

enum Collecting {
    NotYet,
    Held(Held),
    Over(Collected),
}

impl Collecting {
    fn end(&mut self) {
        *self = match std::mem::replace(self, Self::NotYet) {
            Self::Held(held) => Self::Over(held.end()),
            other => other,
        };
    }
}

#[derive(Debug, Default)]
struct Seen {
    pushes: usize,
    refused: usize,
    spared: usize,
    deleted: usize,
}

/// When there are collections.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Before which call of the operation the first begins.
    from: u64,
    /// Before which of its own calls it stands still.
    at: u64,
    /// Before which call of the operation it goes on.
    until: u64,
    /// Before which call of the operation, behind the other, there is another one that is never still.
    then: Option<u64>,
}

/// Runs the operation.
async fn interleave(storage: &Storage, operation: Operation, plan: Plan, seen: &mut Seen) {
    let context = Context::background();
    let collecting = Arc::new(Mutex::new(Collecting::NotYet));
    let (has_gone_on, is_listing) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let (plain, shared, goes_on) = (storage.clone(), collecting.clone(), has_gone_on.clone());
    let pushing = before_each_call(storage, move |point| {
        let mut collecting = shared.lock();
        if point.number == plan.from {
            *collecting = Collecting::Held(Held::begin(&plain, plan.at));
        }
        if point.number >= plan.until {
            collecting.end();
        }
        if plan.then == Some(point.number) {
            *collecting = Collecting::Over(Held::begin(&plain, u64::MAX).end());
        }
        let last = plan.then.unwrap_or(plan.from);
        let is_look = point.operation == driver_api::Operation::List && point.path.as_str() == "/blobstore/collections";
        // The pages of a listing are calls as well; it shows what was there when it began.
        let begins = !is_listing.swap(is_look, Ordering::Relaxed) && is_look;
        let publishes = point.operation == driver_api::Operation::Put && point.path.as_str().ends_with("/link");
        goes_on.fetch_or(point.number >= last && (begins || publishes), Ordering::Relaxed);
    });
    let done = operation.run(&context, &pushing).await;
    collecting.lock().end();
    let Collecting::Over(collected) = std::mem::replace(&mut *collecting.lock(), Collecting::NotYet) else { return };
    seen.pushes += 1;
    seen.spared += usize::from(collected.spared > 0);
    seen.deleted += usize::from(collected.blobs_deleted > 0);
    let is_manifest = matches!(operation, Operation::PutManifest | Operation::PutSecondManifest);
    match done {
        Ok(()) if is_manifest || has_gone_on.load(Ordering::Relaxed) => {
            let whole = operation.is_whole(&context, storage).await;
            whole.unwrap_or_else(|error| panic!("{operation:?}, {plan:?}: {error}"));
        }
        // What begins when a push has published and looked for the last time takes the blob as it would behind the push.
        Ok(()) => {}
        Err(error) if operation.may_refuse(&error) => seen.refused += 1,
        Err(error) => panic!("{operation:?}, {plan:?}: {error:?}"),
    }
    let repository = namespace(storage).repository(name("a"));
    let kept = repository.tags().get(&context, &tag("kept")).await.unwrap();
    pull(&context, &repository, &kept).await.unwrap();
}

/// What something calls when nothing else goes on.
async fn calls<F: Future>(storage: &Storage, run: impl FnOnce(Storage) -> F) -> Vec<String> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = calls.clone();
    let noting = before_each_call(storage, move |point| {
        noted.lock().push(format!("{:?} {}", point.operation, point.path));
    });
    run(noting).await;
    std::mem::take(&mut *calls.lock())
}

async fn fresh(in_steps: bool) -> Storage {
    let storage = Storage::new(MemoryDriver::default());
    let storage = if in_steps { storage.layered(Order::Forward) } else { storage };
    with_garbage(&storage).await;
    storage
}

async fn with_collections_in_between(operation: Operation, in_steps: bool) {
    let context = Context::background();
    let of_push = calls(&fresh(in_steps).await, async |storage| operation.run(&context, &storage).await.unwrap()).await;
    let of_collection = calls(&fresh(in_steps).await, collection).await;
    let is_condemned = |call: &String| call.starts_with("Put /blobstore/condemned/");
    let garbage_is_condemned = of_collection.iter().rposition(is_condemned).unwrap() as u64 + 1;
    let (of_push, of_collection) = (of_push.len() as u64, of_collection.len() as u64);
    let mut plans = Vec::new();
    for from in 1..=of_push {
        // What meets a collection has more calls.
        for until in from..=of_push * 2 {
            // Before its first call it has not begun: what it takes then, it takes behind the push.
            plans.extend((2..=of_collection + 1).map(|at| Plan { from, at, until, then: None }));
        }
        // Each can make the push begin again.
        let whole = |then| Plan { from, at: u64::MAX, until: from, then: Some(then) };
        plans.extend((from..=of_push * 4).map(whole));
    }
    let mut seen = Seen::default();
    for plan in plans {
        let refused = seen.refused;
        interleave(&fresh(in_steps).await, operation, plan, &mut seen).await;
        // What an upload brings again while it is deleted is younger than that collection.
        let is_only_the_old = plan.from == 1 && plan.at > garbage_is_condemned && plan.then.is_none();
        if matches!(operation, Operation::Upload) && is_only_the_old {
            assert_eq!(seen.refused, refused, "{plan:?}");
        }
    }
    println!("{operation:?}, {of_push} calls, with a collection of {of_collection}: {seen:?}");
    assert!(seen.pushes > 0 && seen.spared > 0 && seen.deleted > 0, "{seen:?}");
    assert_eq!(seen.refused > 0, !matches!(operation, Operation::Put | Operation::PutSecondManifest), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_is_put_stays() {
    with_collections_in_between(Operation::Put, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_is_uploaded_stays() {
    with_collections_in_between(Operation::Upload, false).await;
    with_collections_in_between(Operation::Upload, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_is_mounted_stays() {
    with_collections_in_between(Operation::Mount, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_is_pushed_stays_whole() {
    with_collections_in_between(Operation::PutManifest, false).await;
    with_collections_in_between(Operation::PutSecondManifest, false).await;
}
