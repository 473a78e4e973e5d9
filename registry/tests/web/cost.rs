//! How many calls of the storage each page costs. `docs/registry.md` has the same figures, with two reads more for the list of
//! referrers that a client may keep under a tag.

use std::collections::BTreeMap;

use blobstore::{Digest, Namespace, NamespaceOptions};
use driver_api::Operation::{self, *};
use driver_api::layers::Count;
use registry::{Registry, RegistryOptions};

use crate::harness::{Client, image};

struct Counted {
    client: Client,
    count: Count,
}

impl Counted {
    /// Asserts that a page costs no more than this, and nothing else.
    async fn costs<const N: usize>(&self, path: &str, most: [(Operation, u64); N]) {
        self.count.take();
        self.client.page(path).await.expect(200);
        let (calls, most) = (self.count.take(), BTreeMap::from(most));
        let is_within = calls.iter().all(|(operation, calls)| most.get(operation).is_some_and(|most| calls <= most));
        assert!(is_within, "{path}: {calls:?}, and not {most:?}");
    }
}

async fn counted(inner: &Client) -> Counted {
    let count = Count::default();
    let storage = inner.storage.layered(count.clone());
    let namespace = Namespace::new(storage.clone(), NamespaceOptions::default());
    Counted { client: Client { registry: Registry::new(namespace, RegistryOptions::default()), storage }, count }
}

#[tokio::test]
async fn lists_cost_what_they_show() {
    let client = Client::new();
    for number in 0..130 {
        client.push_image(&format!("r{number:03}"), "latest", "").await;
    }
    let (_, text) = client.push_image("a", "t000", "").await;
    for number in 1..130 {
        client.put_manifest("a", &format!("t{number:03}"), &text).await.expect(201);
    }
    let counted = counted(&client).await;
    // One for each that is shown, one for the next, and the directory that they are in.
    counted.costs("/", [(List, 102)]).await;
    counted.costs("/ui/a/tags/list", [(List, 1)]).await;
    counted.costs("/ui/a/tags/list?last=t099", [(List, 1)]).await;
}

#[tokio::test]
async fn a_manifest_costs_itself_and_the_referrers_that_are_shown() {
    let client = Client::new();
    let (subject, text) = client.push_image("a", "latest", "").await;
    let count = counted(&client).await;
    count.costs("/ui/a/manifests/latest", [(Get, 4), (List, 1)]).await;
    count.costs(&format!("/ui/a/manifests/{subject}"), [(Get, 3), (List, 1)]).await;
    for number in 0..150 {
        let refers = format!(
            r#","artifactType":"x-{number}","subject":{{"mediaType":"x","digest":"{subject}","size":{}}}"#,
            text.len()
        );
        let text = image(&refers);
        client.put_manifest("a", &Digest::of(text.as_bytes()).to_string(), &text).await.expect(201);
    }
    count.costs("/ui/a/manifests/latest", [(Get, 4 + 2 * 20), (List, 1)]).await;
    count.costs(&format!("/ui/a/referrers/{subject}"), [(Get, 1 + 2 * 100), (List, 1)]).await;
}

#[tokio::test]
async fn what_is_no_page_costs_nothing() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    let counted = counted(&client).await;
    counted.client.get("/").await.expect(200);
    counted.client.page("/ui/nothing").await.expect(404);
    assert_eq!(counted.count.take(), BTreeMap::new());
}
