//! A process that stops before or after any call of the driver, or within one that the driver does in steps, in every operation
//! of the stores.

use std::collections::BTreeSet;
use std::time::Duration;

use blobstore::blob::{BlobDeleter, BlobIngester};
use blobstore::upkeep::{CollectOptions, Event, PurgeOptions, VerifyOptions, collect, purge_uploads, verify};
use blobstore::{Algorithm, Begun, Digest, Error, Namespace, Place, Result, UploadOptions};
use bytes::Bytes;
use driver_api::layers::{Fault, Faults};
use driver_api::{Context, ErrorKind, Storage, StoragePath};

use crate::fixture::{Store, content, image, name, namespace, push, tag};
use crate::steps::Order;

/// What is stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    Put,
    UploadInOneGo,
    UploadInChunks,
    UploadBySha512,
    Mount,
    PutManifest,
    PutReferrer,
    Tag,
    Untag,
    DeleteManifest,
    DeleteBlob,
    DeleteRepository,
    Cancel,
    Purge,
    Collect,
    Repair,
}

const LAYER: &[u8] = b"a layer that comes";

fn at_once() -> (PurgeOptions, CollectOptions) {
    let mut purge = PurgeOptions::default();
    purge.older_than = Duration::ZERO;
    (purge, CollectOptions::default().with_grace(Duration::ZERO))
}

/// Answers with what could not be done.
async fn clear_up(namespace: &Namespace, context: &Context) -> Result<Vec<String>> {
    let (purge, collection) = at_once();
    let mut problems = Vec::new();
    let mut listener = |event: Event<'_>| {
        if let Event::Problem { path, error } = event {
            problems.push(format!("{path}: {error}"));
        }
    };
    purge_uploads(namespace, context, &purge, &mut listener).await?;
    collect(namespace, context, &collection, &mut listener).await?;
    Ok(problems)
}

/// The manifest that every store has from the beginning, and that every operation but its delete leaves alone.
async fn prepared(store: &Store) -> Digest {
    let (context, repository) = (&store.context, store.repository("a"));
    let content = image(context, &repository, &["one", "two"]).await;
    push(context, &repository.manifests(), content, &["kept", "latest"]).await
}

async fn new_image(store: &Store) -> Bytes {
    image(&store.context, &store.repository("a"), &["one", "three"]).await
}

/// A manifest about one that is not there.
fn referrer() -> Bytes {
    let subject = crate::fixture::described("m", &Digest::of(b"subject"), 1);
    format!(r#"{{"schemaVersion": 2, "manifests": [], "subject": {subject}}}"#).into()
}

impl Operation {
    /// What must be there before.
    async fn prepare(self, store: &Store) {
        let context = &store.context;
        match self {
            Self::PutManifest | Self::PutReferrer => drop(new_image(store).await),
            Self::Tag | Self::Collect | Self::DeleteManifest | Self::DeleteRepository => {
                let other = store.repository("b");
                let content = image(context, &other, &["one", "three"]).await;
                push(context, &other.manifests(), content, &["x", "y"]).await;
                if let Self::Collect = self {
                    other.delete(context).await.unwrap();
                }
            }
            Self::DeleteBlob => {
                drop(store.repository("b").blobs().put(context, Bytes::from_static(LAYER)).await.unwrap())
            }
            Self::Purge => {
                for _ in 0..2 {
                    let mut upload =
                        store.repository("a").blobs().create(context, UploadOptions::default()).await.unwrap();
                    upload.write(context, content(100)).await.unwrap();
                    upload.close(context).await.unwrap();
                }
            }
            Self::Repair => {
                let repository = store.repository("a");
                let digest = push(context, &repository.manifests(), referrer(), &["refers"]).await;
                let note = Place::Referrer { repository: name("a"), subject: Digest::of(b"subject"), referrer: digest };
                store.storage.delete(context, &note.path(), Default::default()).await.unwrap();
            }
            _ => {}
        }
    }

    pub(crate) async fn run(self, namespace: &Namespace, context: &Context, manifest: &Bytes) -> Result<()> {
        let [repository, other] = ["a", "b"].map(|text| namespace.repository(name(text)));
        let blobs = repository.blobs();
        let whole = Bytes::from_static(LAYER);
        match self {
            Self::Put => drop(blobs.put(context, whole).await?),
            Self::UploadInOneGo => {
                let mut upload = blobs.create(context, UploadOptions::default()).await?;
                upload.write(context, whole).await?;
                upload.commit(context, &Digest::of(LAYER), None).await?;
            }
            Self::UploadInChunks => {
                let upload = blobs.create(context, UploadOptions::default()).await?;
                let id = upload.id();
                upload.close(context).await?;
                for chunk in [0..5, 5..LAYER.len()] {
                    let mut upload = blobs.resume(context, id, UploadOptions::default()).await?;
                    upload.write(context, whole.slice(chunk)).await?;
                    upload.close(context).await?;
                }
                let upload = blobs.resume(context, id, UploadOptions::default()).await?;
                upload.commit(context, &Digest::of(LAYER), None).await?;
            }
            Self::UploadBySha512 => {
                let mut upload = blobs.create(context, UploadOptions::default()).await?;
                upload.write(context, whole).await?;
                upload.commit(context, &Digest::with(Algorithm::Sha512, LAYER), None).await?;
            }
            Self::Mount => {
                let options = UploadOptions::default();
                let begun = other.blobs().mount(context, &Digest::of(b"one"), &name("a"), options).await?;
                assert!(matches!(begun, Begun::Mounted(_)));
            }
            Self::PutManifest => {
                let tags = [tag("new"), tag("latest")];
                repository.manifests().put(context, None, manifest.clone(), None, &tags).await?;
            }
            Self::PutReferrer => drop(repository.manifests().put(context, None, referrer(), None, &[]).await?),
            Self::Tag => {
                let digest = other.tags().get(context, &tag("x")).await?;
                other.manifests().tag(context, &digest, &[tag("y"), tag("z")]).await?;
            }
            Self::Untag => accept_gone(repository.tags().delete(context, &tag("latest")).await)?,
            Self::DeleteManifest => {
                let digest = Digest::of(manifest);
                accept_gone(other.manifests().delete(context, &digest).await)?;
            }
            Self::DeleteBlob => accept_gone(other.blobs().delete(context, &Digest::of(LAYER)).await)?,
            Self::DeleteRepository => accept_gone(other.delete(context).await)?,
            Self::Cancel => {
                let mut upload = blobs.create(context, UploadOptions::default()).await?;
                upload.write(context, whole).await?;
                let id = upload.id();
                upload.close(context).await?;
                blobs.resume(context, id, UploadOptions::default()).await?.cancel(context).await?;
            }
            Self::Purge | Self::Collect => drop(clear_up(namespace, context).await?),
            Self::Repair => {
                let mut options = VerifyOptions::default();
                options.repair = true;
                let mut problems = 0;
                let mut listener = |event: Event<'_>| problems += u64::from(matches!(event, Event::Problem { .. }));
                verify(namespace, context, &options, &mut listener).await?;
                if problems > 0 {
                    return Err(driver_api::Error::new(ErrorKind::Unavailable, "not all could be verified").into());
                }
            }
        }
        Ok(())
    }
}

/// What was to go is gone: somebody has done it before.
fn accept_gone(deleted: Result<()>) -> Result<()> {
    match deleted {
        Err(error) if error.is_unknown() && !matches!(error, Error::Storage(_)) => Ok(()),
        deleted => deleted,
    }
}

/// Every link leads to content, every content is what its name says, and a tag names a manifest of its repository.
pub(crate) async fn check(store: &Store, what: &str) {
    let files = store.files("/docker").await;
    let names: BTreeSet<_> = files.iter().map(|(name, _)| name.clone()).collect();
    let has = |place: Place| names.contains(place.path().as_str());
    for (path, content) in &files {
        let target = || std::str::from_utf8(content).unwrap().parse::<Digest>().unwrap();
        match Place::parse(&StoragePath::parse(path).unwrap()) {
            Some(Place::Blob(digest)) => assert_eq!(Digest::of(content), digest, "{what}: {path}"),
            Some(Place::Layer(..) | Place::Revision(..)) => {
                assert!(has(Place::Blob(target())), "{what}: {path} leads nowhere");
            }
            Some(Place::Tagged(repository, _)) => {
                assert!(has(Place::Revision(repository, target())), "{what}: {path} names nothing");
            }
            _ => {}
        }
    }
}

pub(crate) async fn pull(store: &Store, digest: &Digest, tag_name: &str, what: &str) {
    let (context, repository) = (&store.context, store.repository("a"));
    assert_eq!(repository.tags().get(context, &tag(tag_name)).await.unwrap(), *digest, "{what}");
    crate::fixture::pull(context, &repository, digest).await.unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// What is in the store once all is cleared up: names, but for those of the notes of collections.
pub(crate) async fn cleared(store: &Store, what: &str) -> BTreeSet<String> {
    assert_eq!(clear_up(&store.namespace(), &store.context).await.unwrap(), Vec::<String>::new(), "{what}");
    check(store, what).await;
    let left = store.storage.unfinished(&store.context, &StoragePath::root()).await.unwrap();
    let left: Vec<_> = futures_util::TryStreamExt::try_concat(left).await.unwrap();
    assert!(left.is_empty(), "{what}: {left:?}");
    store.names("/docker").await.into_iter().collect()
}

/// A driver that is stopped, and how its calls are made: as they come, or in the steps that some drivers make of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) driver: usize,
    steps: Option<Order>,
}

/// Both drivers as they are. What is done in steps does not differ between them.
pub(crate) const WAYS: [Way; 4] = [
    Way { driver: 0, steps: None },
    Way { driver: 1, steps: None },
    Way { driver: 0, steps: Some(Order::Forward) },
    Way { driver: 0, steps: Some(Order::Backward) },
];

impl Way {
    pub(crate) fn through(self, storage: &Storage, faults: Faults) -> Storage {
        let faulty = storage.layered(faults);
        match self.steps {
            Some(order) => faulty.layered(order),
            None => faulty,
        }
    }
}

impl Operation {
    /// A store in which the operation can be done, with the manifest that must survive it, and that which it may be about.
    pub(crate) async fn fresh(self, driver: usize) -> (Store, Digest, Bytes) {
        let store = Store::on_each_driver().into_iter().nth(driver).unwrap();
        let digest = prepared(&store).await;
        // Made where it leaves nothing.
        let manifest = new_image(&Store::in_memory()).await;
        self.prepare(&store).await;
        (store, digest, manifest)
    }

    /// What is left of the operation once all is cleared up.
    pub(crate) async fn undisturbed(self, driver: usize) -> BTreeSet<String> {
        let (store, _, manifest) = self.fresh(driver).await;
        self.run(&store.namespace(), &store.context, &manifest).await.unwrap();
        cleared(&store, "undisturbed").await
    }
}

/// Stops the operation at each of its calls, on each driver.
async fn drill(operation: Operation) {
    let mut points = 0;
    for way in WAYS {
        let expected = operation.undisturbed(way.driver).await;
        for after in [false, true] {
            for number in 1.. {
                let what = format!("{operation:?} {way:?}, stopped at call {number}, after it: {after}");
                let (store, digest, manifest) = operation.fresh(way.driver).await;
                let faults = Faults::new(move |point| match point.number.cmp(&number) {
                    std::cmp::Ordering::Less => Fault::None,
                    std::cmp::Ordering::Equal if after => Fault::After(ErrorKind::Unavailable),
                    _ => Fault::Before(ErrorKind::Unavailable),
                });
                let stopped = namespace(&way.through(&store.storage, faults.clone()));
                let result = operation.run(&stopped, &store.context, &manifest).await;
                drop(stopped);
                if faults.calls() < number {
                    result.unwrap();
                    break;
                }
                points += 1;
                check(&store, &what).await;
                pull(&store, &digest, "kept", &what).await;
                let repeated = operation.run(&store.namespace(), &store.context, &manifest).await;
                repeated.unwrap_or_else(|error| panic!("{what}: repeated: {error}"));
                assert_eq!(cleared(&store, &what).await, expected, "{what}");
                pull(&store, &digest, "kept", &what).await;
            }
        }
    }
    // Each call of each driver, before and after.
    assert!(points >= 4, "{points} points");
    println!("{operation:?}: stopped at {points} points");
}

/// A test for each operation, so that they run side by side.
macro_rules! drills {
    ($($name:ident => $operation:ident;)+) => {$(
        #[tokio::test]
        async fn $name() {
            drill(Operation::$operation).await;
        }
    )+};
}

drills! {
    a_put_that_is_stopped => Put;
    an_upload_in_one_go_that_is_stopped => UploadInOneGo;
    an_upload_in_chunks_that_is_stopped => UploadInChunks;
    an_upload_by_sha512_that_is_stopped => UploadBySha512;
    a_mount_that_is_stopped => Mount;
    a_push_of_a_manifest_that_is_stopped => PutManifest;
    a_push_of_a_referrer_that_is_stopped => PutReferrer;
    a_tag_that_is_stopped => Tag;
    an_untag_that_is_stopped => Untag;
    a_delete_of_a_manifest_that_is_stopped => DeleteManifest;
    a_delete_of_a_blob_that_is_stopped => DeleteBlob;
    a_delete_of_a_repository_that_is_stopped => DeleteRepository;
    a_cancel_that_is_stopped => Cancel;
    a_purge_that_is_stopped => Purge;
    a_collection_that_is_stopped => Collect;
    a_repair_that_is_stopped => Repair;
}
