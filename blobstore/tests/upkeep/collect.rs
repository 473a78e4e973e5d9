//! Collection of garbage, alone.

use std::collections::BTreeSet;
use std::time::Duration;

use blobstore::blob::{BlobIngester, BlobProvider};
use blobstore::upkeep::{CollectOptions, Collected, Event, collect};
use blobstore::{Algorithm, Digest, Place, UploadOptions, media_type};
use bytes::Bytes;

use crate::fixture::{Store, content, described, image, name, push, tag, upload};

fn at_once() -> CollectOptions {
    CollectOptions::default().with_grace(Duration::ZERO)
}

fn untagged() -> CollectOptions {
    let mut options = at_once().without_grace_for_untagged();
    options.delete_untagged = true;
    options
}

async fn collected(store: &Store, options: &CollectOptions) -> (Collected, BTreeSet<String>) {
    let mut victims = BTreeSet::new();
    let mut listener = |event: Event<'_>| match event {
        Event::Victim { path, .. } => assert!(victims.insert(path.to_string()), "{path} twice"),
        Event::Repository(_) | Event::Kept(_) => {}
        event => panic!("{event:?}"),
    };
    let collected = collect(&store.namespace(), &store.context, options, &mut listener).await.unwrap();
    (collected, victims)
}

/// The files of the registry; the notes of collections are not among them.
async fn names(store: &Store) -> BTreeSet<String> {
    store.names("/docker").await.into_iter().collect()
}

#[tokio::test]
async fn what_no_manifest_names_goes_and_the_rest_stays() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a/b"));
        let content = image(context, &repository, &["one", "two"]).await;
        let digest = push(context, &repository.manifests(), content, &["latest"]).await;
        let needed = names(&store).await;
        for garbage in ["three", "four"] {
            repository.blobs().put(context, Bytes::from_static(garbage.as_bytes())).await.unwrap();
        }
        upload(context, &store.repository("other"), "five".into()).await;
        let all = names(&store).await;
        // As long as it is young it stays.
        assert_eq!(collected(&store, &CollectOptions::default()).await.1, BTreeSet::new());
        let mut dry = at_once();
        dry.dry_run = true;
        let expected: BTreeSet<_> = all.difference(&needed).cloned().collect();
        let (would, victims) = collected(&store, &dry).await;
        assert_eq!((names(&store).await, &victims), (all, &expected));
        let (did, victims) = collected(&store, &at_once()).await;
        assert_eq!((names(&store).await, victims, &did), (needed, expected, &would));
        assert_eq!((did.repositories, did.manifests, did.links_deleted, did.blobs_deleted), (3, 1, 3, 3));
        assert_eq!((did.bytes_freed, did.problems, did.needed), (5 + 4 + 4, 0, 4));
        assert_eq!(collected(&store, &at_once()).await.1, BTreeSet::new());
        repository.manifests().get(context, &digest).await.unwrap();
    }
}

#[tokio::test]
async fn what_goes_by_hand_is_collected_with_all_that_it_named() {
    for store in Store::on_each_driver() {
        let (context, [one, other]) = (&store.context, ["one", "other"].map(|name| store.repository(name)));
        let shared = image(context, &one, &["shared"]).await;
        push(context, &one.manifests(), shared, &["keep"]).await;
        let needed = names(&store).await;
        let content = image(context, &one, &["shared", "single"]).await;
        let gone = push(context, &one.manifests(), content, &["go"]).await;
        let mounted = Digest::of(b"single");
        other.blobs().mount(context, &mounted, &name("one"), UploadOptions::default()).await.unwrap();
        one.manifests().delete(context, &gone).await.unwrap();
        collected(&store, &at_once()).await;
        assert_eq!(names(&store).await, needed);
    }
}

#[tokio::test]
async fn manifests_without_a_tag_go_where_that_is_asked_for() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let manifests = repository.manifests();
        let child = image(context, &repository, &["child"]).await;
        let child = push(context, &manifests, child, &[]).await;
        let size = manifests.stat(context, &child).await.unwrap().size;
        let listed = described(media_type::OCI_MANIFEST, &child, size);
        let index =
            push(context, &manifests, format!(r#"{{"schemaVersion": 2, "manifests": [{listed}]}}"#).into(), &["all"])
                .await;
        let referring = |subject: &Digest, kind: &str| {
            let subject = described(media_type::OCI_INDEX, subject, 1);
            Bytes::from(format!(
                r#"{{"schemaVersion": 2, "artifactType": "{kind}", "manifests": [], "subject": {subject}}}"#
            ))
        };
        let signature = push(context, &manifests, referring(&index, "signature"), &[]).await;
        push(context, &manifests, referring(&signature, "timestamp"), &[]).await;
        let needed = names(&store).await;

        let old = image(context, &repository, &["old"]).await;
        let old = push(context, &manifests, old, &["all"]).await;
        push(context, &manifests, referring(&old, "signature"), &[]).await;
        push(context, &manifests, referring(&Digest::of(b"nowhere"), "signature"), &[]).await;
        manifests.tag(context, &index, &[tag("all")]).await.unwrap();
        // Without being asked nothing goes, and neither does what is too young to have its tag.
        assert_eq!(collected(&store, &at_once()).await.1, BTreeSet::new());
        let mut early = at_once();
        early.delete_untagged = true;
        assert_eq!(collected(&store, &early).await.1, BTreeSet::new());
        let (did, _) = collected(&store, &untagged()).await;
        assert_eq!((names(&store).await, did.manifests_deleted), (needed, 3));
        assert_eq!(repository.tags().index(context, &tag("all")).await.unwrap(), [index]);
    }
}

#[tokio::test]
async fn content_that_is_named_by_sha512_is_needed() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let upload = async |content: &'static [u8]| {
            let named = Digest::with(Algorithm::Sha512, content);
            let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
            upload.write(context, Bytes::from_static(content)).await.unwrap();
            upload.commit(context, &named, None).await.unwrap();
            named
        };
        let (config, layer) = (upload(b"{}").await, upload(b"layer").await);
        let needed = names(&store).await;
        let unneeded = upload(b"unneeded").await;
        let manifest = format!(
            r#"{{"schemaVersion": 2, "config": {}, "layers": [{}]}}"#,
            described("c", &config, 2),
            described("l", &layer, 5)
        );
        let named = Digest::with(Algorithm::Sha512, manifest.as_bytes());
        repository.manifests().put(context, None, manifest.into(), Some(&named), &[tag("latest")]).await.unwrap();
        let (did, victims) = collected(&store, &untagged()).await;
        assert_eq!((did.blobs_deleted, did.links_deleted), (1, 2), "{victims:?}");
        assert!(names(&store).await.is_superset(&needed));
        assert!(repository.blobs().get(context, &unneeded, 100).await.is_err());
        for digest in [config, layer] {
            repository.blobs().get(context, &digest, 100).await.unwrap();
        }
        repository.manifests().get(context, &named).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_made_out_keeps_what_it_may_need() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let content = image(context, &repository, &["one"]).await;
        let digest = push(context, &repository.manifests(), content, &["latest"]).await;
        upload(context, &store.repository("b"), "unneeded".into()).await;
        for damage in ["[", ""] {
            store.storage.put(context, &Place::Blob(digest).path(), damage, Default::default()).await.unwrap();
            let mut problems = Vec::new();
            let mut listener = |event: Event<'_>| {
                if let Event::Problem { path, .. } = event {
                    problems.push(path.clone());
                }
            };
            let did = collect(&store.namespace(), context, &untagged(), &mut listener).await.unwrap();
            assert_eq!((did.problems, problems), (1, vec![Place::Revision(name("a"), digest).path()]));
        }
        // The rest went on: the other repository has lost what it did not need.
        assert!(store.names("/docker/registry/v2/repositories/b").await.is_empty());
        repository.blobs().get(context, &Digest::of(b"one"), 100).await.unwrap();
    }
}

#[tokio::test]
async fn foreign_files_and_old_forms_are_passed_over() {
    for store in Store::on_each_driver() {
        let context = &store.context;
        let repository = store.repository("a");
        let content = image(context, &repository, &["one"]).await;
        // As registries up to 2.1.0 have it: the link is among those to layers, and a tag names it.
        let old = repository.blobs().put(context, content).await.unwrap().digest;
        let put = async |path: &str, text: &'static str| {
            let path = driver_api::StoragePath::parse(path).unwrap();
            store.storage.put(context, &path, text, Default::default()).await.unwrap();
        };
        let current = Place::Tagged(name("a"), tag("latest")).path();
        store.storage.put(context, &current, old.to_string(), Default::default()).await.unwrap();
        let hex = Digest::of(b"?").hex();
        put(&format!("/docker/registry/v2/blobs/tarsum/v1/sha256/{}/{hex}/data", &hex[..2]), "x").await;
        put(&format!("/docker/registry/v2/repositories/a/_layers/tarsum/v1/sha256/{hex}/link"), "x").await;
        put("/docker/registry/v2/repositories/a/_manifests/tags/latest/current/link.tmp", "x").await;
        put("/docker/registry/v2/repositories/a/_layers/.nfs0001", "x").await;
        put("/scheduler-state.json", "{}").await;
        let all = names(&store).await;
        assert_eq!(collected(&store, &untagged()).await.1, BTreeSet::new());
        assert_eq!(names(&store).await, all);
    }
}

#[tokio::test]
async fn an_empty_storage_has_no_garbage_and_a_collection_leaves_one_note() {
    for store in Store::on_each_driver() {
        for _ in 0..3 {
            assert_eq!(collected(&store, &untagged()).await, (Collected::default(), BTreeSet::new()));
        }
        // That it has run is noted until another has; nothing else is.
        let notes = store.names("/").await;
        assert_eq!(notes.len(), 1);
        assert!(notes.iter().all(|note| note.starts_with("/blobstore/collections/") && note.ends_with(".ended")));
    }
}

#[tokio::test]
async fn uploads_are_none_of_its_business() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let mut upload = repository.blobs().create(context, UploadOptions::default()).await.unwrap();
        upload.write(context, content(100)).await.unwrap();
        let id = upload.id();
        upload.close(context).await.unwrap();
        assert_eq!(collected(&store, &untagged()).await.1, BTreeSet::new());
        let upload = repository.blobs().resume(context, id, UploadOptions::default()).await.unwrap();
        upload.commit(context, &Digest::of(&content(100)), None).await.unwrap();
    }
}
