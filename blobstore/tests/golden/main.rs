//! Trees as older registries wrote them, as files: read, served, verified and looked after.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

#[path = "../stores/fixture.rs"]
#[allow(dead_code, reason = "made for another test, too")]
mod fixture;

use std::fs;
use std::path::Path;
use std::time::Duration;

use blobstore::blob::{BlobIngester, BlobProvider};
use blobstore::upkeep::{
    CollectOptions, Collected, Event, PurgeOptions, Purged, VerifyOptions, collect, copy, purge_uploads, verify,
};
use blobstore::{Digest, Kind, Repository, UploadId, UploadOptions};
use driver_api::{PutOptions, StoragePath};

use crate::fixture::{Store, name, tag};

const TREES: [(&str, &str); 2] = [("2015", "library/old"), ("2016", "library/new")];

fn golden(tree: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(tree)
}

fn files_below(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// The tree on each driver.
async fn stores(tree: &str) -> [Store; 2] {
    let stores = Store::on_each_driver();
    let (root, mut files) = (golden(tree), Vec::new());
    files_below(&root.join("docker"), &mut files);
    for file in files {
        let path = format!("/{}", file.strip_prefix(&root).unwrap().display());
        for store in &stores {
            let (path, content) = (StoragePath::parse(&path).unwrap(), fs::read(&file).unwrap());
            store.storage.put(&store.context, &path, content, PutOptions::default()).await.unwrap();
        }
    }
    stores
}

fn served(tree: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(golden(tree).join("served")).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&file).unwrap())).collect()
}

async fn check_pulls(store: &Store, tree: &str, repository: &Repository) {
    for (text, expected) in served(tree) {
        let digest = repository.tags().get(&store.context, &tag(&text)).await.unwrap();
        let manifest = repository.manifests().get(&store.context, &digest).await.unwrap();
        let found = std::str::from_utf8(manifest.content()).unwrap();
        assert_eq!(found, std::str::from_utf8(&expected).unwrap(), "{tree}: {text}");
        assert_eq!(manifest.descriptor().digest, digest);
        for blob in manifest.blobs() {
            let content = repository.blobs().get(&store.context, &blob.digest, 1000).await.unwrap();
            assert_eq!(Digest::of(&content), blob.digest);
        }
    }
}

#[tokio::test]
async fn manifests_are_served_as_the_go_registry_serves_them() {
    for (tree, text) in TREES {
        for store in stores(tree).await {
            check_pulls(&store, tree, &store.repository(text)).await;
            let mut repositories = store.namespace().repositories(None);
            assert_eq!(repositories.next(&store.context).await.unwrap(), Some(name(text)));
            assert_eq!(repositories.next(&store.context).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn nothing_is_damaged_and_nothing_is_garbage() {
    for (tree, text) in TREES {
        for store in stores(tree).await {
            let (namespace, context) = (store.namespace(), &store.context);
            let mut silent = |event: Event<'_>| {
                assert!(
                    matches!(event, Event::Checked(_) | Event::Kept(_) | Event::Repository(_)),
                    "{tree}: {event:?}"
                );
            };
            let verified = verify(&namespace, context, &VerifyOptions::default(), &mut silent).await.unwrap();
            assert_eq!((verified.damaged, verified.broken, verified.problems), (0, 0, 0));
            let all = store.names("/docker").await;
            let mut options = CollectOptions::default().with_grace(Duration::ZERO).without_grace_for_untagged();
            options.delete_untagged = true;
            let collected = collect(&namespace, context, &options, &mut silent).await.unwrap();
            let (manifests, needed) = (served(tree).len() as u64, verified.blobs);
            // `library` could be one.
            assert_eq!(collected, Collected { repositories: 2, manifests, needed, ..Collected::default() });
            assert_eq!(store.names("/docker").await, all);
            check_pulls(&store, tree, &store.repository(text)).await;
        }
    }
}

#[tokio::test]
async fn an_upload_is_finished_here_and_an_old_one_goes() {
    for (tree, text) in TREES {
        for store in stores(tree).await {
            let (context, repository) = (&store.context, store.repository(text));
            let uploads = format!("/docker/registry/v2/repositories/{text}/_uploads");
            let found = store.names(&uploads).await;
            let id: UploadId = found[0][uploads.len() + 1..].split('/').next().unwrap().parse().unwrap();
            // Its states are of a form that is not read any more, so that its bytes are.
            let upload = repository.blobs().resume(context, id, UploadOptions::default()).await.unwrap();
            assert_eq!((upload.size(), upload.began().year()), (11, 2015));
            let digest = Digest::of(b"hello world");
            upload.commit(context, &digest, Some(11)).await.unwrap();
            assert_eq!(repository.blobs().get(context, &digest, 11).await.unwrap(), "hello world");
            assert!(store.names(&uploads).await.is_empty());
        }
        for store in stores(tree).await {
            let (namespace, context) = (store.namespace(), &store.context);
            let purged = purge_uploads(&namespace, context, &PurgeOptions::default(), &mut |_| {}).await.unwrap();
            assert_eq!(purged, Purged { found: 1, purged: 1, problems: 0 });
        }
    }
}

#[tokio::test]
async fn a_copy_brings_what_can_be_pushed_and_tells_the_rest() {
    for (tree, text) in TREES {
        let [from, to] = stores(tree).await;
        let there = Store::in_memory();
        for from in [from, to] {
            let copied = copy(&from.namespace(), &there.namespace(), &from.context, &|_| true, &mut |_| {}).await;
            assert!(copied.unwrap().problems > 0, "manifests of schema 1 are no longer taken");
        }
        for (tag_name, expected) in served(tree) {
            let here = stores(tree).await.into_iter().next().unwrap();
            let digest = here.repository(text).tags().get(&here.context, &tag(&tag_name)).await.unwrap();
            let kind = here.repository(text).manifests().get(&here.context, &digest).await.unwrap().kind();
            let copied = there.repository(text).manifests().get(&there.context, &digest).await;
            assert_eq!(copied.ok().map(|copied| copied.content().to_vec()), (kind == Kind::Image).then_some(expected));
        }
    }
}
