//! From one storage to another.

use blobstore::blob::BlobIngester;
use blobstore::upkeep::{Copied, Event, copy};
use blobstore::{Algorithm, Digest, Place, RepositoryName, media_type};

use crate::fixture::{Store, described, image, name, namespace, pull, push, tag};

async fn copied(from: &Store, to: &Store, select: &(dyn Fn(&RepositoryName) -> bool + Sync)) -> (Copied, Vec<String>) {
    let mut problems = Vec::new();
    let mut listener = |event: Event<'_>| match event {
        Event::Problem { path, .. } => problems.push(path.to_string()),
        Event::Repository(_) | Event::Copied { .. } => {}
        event => panic!("{event:?}"),
    };
    let copied = copy(&from.namespace(), &to.namespace(), &from.context, select, &mut listener).await.unwrap();
    (copied, problems)
}

#[tokio::test]
async fn a_copy_is_the_same_and_a_second_one_brings_what_is_new() {
    let [from, to] = Store::on_each_driver();
    let (context, repository) = (&from.context, from.repository("a/b"));
    let manifests = repository.manifests();
    let content = image(context, &repository, &["one", "two"]).await;
    let child = push(context, &manifests, content.clone(), &["latest"]).await;
    let listed = described(media_type::OCI_MANIFEST, &child, content.len() as u64);
    let index =
        push(context, &manifests, format!(r#"{{"schemaVersion": 2, "manifests": [{listed}]}}"#).into(), &["all"]).await;
    let subject = described(media_type::OCI_INDEX, &index, 1);
    let referrer = format!(r#"{{"schemaVersion": 2, "manifests": [], "subject": {subject}}}"#);
    push(context, &manifests, referrer.into(), &[]).await;
    let named = image(context, &repository, &["named by sha512"]).await;
    let by_sha512 = Digest::with(Algorithm::Sha512, &named);
    manifests.put(context, None, named, Some(&by_sha512), &[]).await.unwrap();

    let (did, problems) = copied(&from, &to, &|_| true).await;
    assert_eq!(problems, Vec::<String>::new());
    // The last one by each of its names.
    assert_eq!((did.repositories, did.manifests, did.blobs, did.tags), (1, 5, 4, 2));
    assert_eq!(to.files("/docker").await, from.files("/docker").await);
    assert_eq!(copied(&from, &to, &|_| true).await.0, Copied { repositories: 1, ..Copied::default() });

    push(context, &manifests, image(context, &repository, &["one", "three"]).await, &["latest"]).await;
    let (did, _) = copied(&from, &to, &|_| true).await;
    assert_eq!((did.manifests, did.blobs, did.tags), (1, 1, 1));
    let there = to.repository("a/b");
    let latest = there.tags().get(context, &tag("latest")).await.unwrap();
    assert_eq!(latest, repository.tags().get(context, &tag("latest")).await.unwrap());
    pull(context, &there, &index).await.unwrap();
}

#[tokio::test]
async fn only_what_is_selected_is_copied_and_damage_stays_behind() {
    let [from, to] = Store::on_each_driver();
    let context = &from.context;
    let mut digests = Vec::new();
    for text in ["a", "b", "c"] {
        let repository = from.repository(text);
        let content = image(context, &repository, &[text]).await;
        digests.push(push(context, &repository.manifests(), content, &["latest"]).await);
    }
    from.storage.put(context, &Place::Blob(Digest::of(b"b")).path(), "B", Default::default()).await.unwrap();
    let (did, problems) = copied(&from, &to, &|name| name.as_str() != "a").await;
    // The manifest of `b` was not taken without its layer, and so there is nothing for the tag to name.
    assert_eq!((did.repositories, did.manifests, did.problems, problems.len()), (2, 1, 2, 2));
    assert!(problems.iter().all(|path| path.contains("/repositories/b/_manifests/")), "{problems:?}");
    pull(context, &to.repository("c"), &digests[2]).await.unwrap();
    let mut there = namespace(&to.storage).repositories(None);
    assert_eq!(there.next(context).await.unwrap(), Some(name("c")));
    assert_eq!(there.next(context).await.unwrap(), None);
    assert!(to.names("/docker").await.iter().all(|file| !file.contains("_uploads")));
}

/// A blob is no manifest there because it has the same bytes.
#[tokio::test]
async fn a_manifest_whose_bytes_are_there_as_a_blob_is_copied_too() {
    let [from, to] = Store::on_each_driver();
    let (context, repository) = (&from.context, from.repository("a"));
    let content = image(context, &repository, &["one"]).await;
    to.repository("a").blobs().put(context, content.clone()).await.unwrap();
    let child = push(context, &repository.manifests(), content.clone(), &[]).await;
    let listed = described(media_type::OCI_MANIFEST, &child, content.len() as u64);
    let index = format!(r#"{{"schemaVersion": 2, "manifests": [{listed}]}}"#);
    let index = push(context, &repository.manifests(), index.into(), &["latest"]).await;
    let (did, problems) = copied(&from, &to, &|_| true).await;
    assert_eq!((did.manifests, problems), (2, Vec::<String>::new()));
    pull(context, &to.repository("a"), &index).await.unwrap();
}
