//! Repositories by name.

use blobstore::RepositoryName;
use driver_api::layers::Count;
use driver_api::{Context, Operation, Storage};

use crate::fixture::{Store, image, name, namespace, push, upload};

async fn listed(context: &Context, storage: &Storage, last: Option<&RepositoryName>, most: usize) -> Vec<String> {
    let mut repositories = namespace(storage).repositories(last);
    let mut names = Vec::new();
    while names.len() < most
        && let Some(name) = repositories.next(context).await.unwrap()
    {
        names.push(name.to_string());
    }
    names
}

#[tokio::test]
async fn repositories_with_manifests_are_listed_from_wherever_the_last_page_ended() {
    for store in Store::on_each_driver() {
        let context = &store.context;
        let expected = ["a-b", "a-b/c", "a", "a/b", "a/b/c/d", "a0", "z"];
        for text in expected {
            let repository = store.repository(text);
            let content = image(context, &repository, &[]).await;
            push(context, &repository.manifests(), content, &["latest"]).await;
        }
        // It has a blob and is none yet.
        upload(context, &store.repository("blobs-only"), "x".into()).await;
        assert_eq!(listed(context, &store.storage, None, 100).await, expected);
        for (at, last) in expected.iter().enumerate() {
            assert_eq!(listed(context, &store.storage, Some(&name(last)), 100).await, expected[at + 1..], "{last}");
            assert_eq!(
                listed(context, &store.storage, Some(&name(last)), 1).await,
                expected[at + 1..].iter().take(1).copied().collect::<Vec<_>>()
            );
        }
        // One that went since, or never was.
        assert_eq!(listed(context, &store.storage, Some(&name("a/a")), 2).await, ["a/b", "a/b/c/d"]);
        assert_eq!(listed(context, &store.storage, Some(&name("blobs-only/x")), 2).await, ["z"]);
    }
}

#[tokio::test]
async fn an_empty_storage_has_no_repositories() {
    for store in Store::on_each_driver() {
        assert_eq!(listed(&store.context, &store.storage, None, 1).await, Vec::<String>::new());
        assert!(store.repository("a").delete(&store.context).await.unwrap_err().is_unknown());
    }
}

#[tokio::test]
async fn a_page_of_repositories_costs_what_it_yields() {
    let store = Store::in_memory();
    let context = &store.context;
    for number in 0..50 {
        let repository = store.repository(&format!("r{number:02}"));
        let content = image(context, &repository, &[]).await;
        push(context, &repository.manifests(), content, &["1", "2", "3"]).await;
    }
    let count = Count::default();
    let counted = store.storage.layered(count.clone());
    assert_eq!(listed(context, &counted, Some(&name("r20")), 5).await.len(), 5);
    let calls = count.take();
    // The directory of the last one, the one it is in, and one for each that is taken.
    assert_eq!(calls, [(Operation::List, 2 + 5)].into());
}

#[tokio::test]
async fn a_repository_goes_and_those_below_it_stay() {
    for store in Store::on_each_driver() {
        let context = &store.context;
        for text in ["a", "a/b"] {
            let repository = store.repository(text);
            let content = image(context, &repository, &["one"]).await;
            push(context, &repository.manifests(), content, &["latest"]).await;
        }
        store.repository("a").delete(context).await.unwrap();
        assert_eq!(listed(context, &store.storage, None, 9).await, ["a/b"]);
        assert!(store.names("/docker/registry/v2/repositories/a").await.iter().all(|file| file.contains("/a/b/")));
        assert!(store.repository("a").delete(context).await.unwrap_err().is_unknown());
        assert_eq!(store.repository("a/b").tags().all(context).await.unwrap().len(), 1);
    }
}
