//! The lists of repositories, tags and referrers, and that every link leads somewhere.

use std::collections::BTreeSet;

use blobstore::Digest;
use registry::RegistryOptions;
use registry::health::{Health, HealthOptions};

use crate::harness::{Client, image, index};

#[tokio::test]
async fn repositories_come_a_page_at_a_time() {
    let mut options = RegistryOptions::default();
    options.catalog_page = 2;
    let client = Client::with(options);
    let empty = client.page("/").await.expect(200);
    empty.shows(["Repositories", "There is no repository yet."]);
    // Names that have in them what the addresses of pages have as well.
    for name in ["a", "manifests/tags/list", "ui", "v2/x"] {
        client.push_image(name, "latest", "").await;
    }
    let first = client.page("/").await.expect(200);
    assert_eq!(first.linked("/ui/"), ["a", "manifests/tags/list"]);
    assert!(first.links.iter().all(|link| link.text != "First page"));
    let second = client.page(first.link("Next page")).await.expect(200);
    assert_eq!(second.linked("/ui/"), ["ui", "v2/x"]);
    assert!(second.links.iter().all(|link| link.text != "Next page"));
    assert_eq!(second.link("First page"), "/");
    client.page("/?last=zzz").await.expect(200).shows(["There are no more repositories."]);
    for path in ["/ui", "/ui/", "/ui/_catalog"] {
        assert_eq!(client.page(path).await.expect(200).text, first.text, "{path}");
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_entries_at_the_most() {
    let client = Client::new();
    let (_, text) = client.push_image("a", "t000", "").await;
    for number in 1..=100 {
        client.put_manifest("a", &format!("t{number:03}"), &text).await.expect(201);
        client.push_image(&format!("r{number:03}"), "latest", "").await;
    }
    let first = client.page("/?n=1000").await.expect(200);
    assert_eq!(first.linked("/ui/").len(), 100);
    assert_eq!(client.page(first.link("Next page")).await.linked("/ui/"), ["r100"]);
    let tags = client.page(first.link("a")).await.expect(200);
    assert_eq!(tags.linked("/ui/a/manifests/").len(), 100);
    assert_eq!(client.page(tags.link("Next page")).await.linked("/ui/a/manifests/"), ["t100"]);
}

#[tokio::test]
async fn tags_are_in_order_and_may_be_none() {
    let mut options = RegistryOptions::default();
    options.tags_page = 3;
    let client = Client::with(options);
    let (_, text) = client.push_image("a/b", "2", "").await;
    for tag in ["1.0", "1.0-rc", "latest"] {
        client.put_manifest("a/b", tag, &text).await.expect(201);
    }
    let page = client.page("/ui/a/b/tags/list").await.expect(200);
    page.shows(["Registry", "a/b", "Tags", "1.0", "1.0-rc", "2"]);
    assert_eq!(client.page(page.link("Next page")).await.linked("/ui/a/b/manifests/"), ["latest"]);
    for tag in ["1.0", "1.0-rc", "2", "latest"] {
        client.delete(&format!("/v2/a/b/manifests/{tag}")).await.expect(202);
    }
    client.page("/ui/a/b/tags/list").await.expect(200).shows(["It has no tags."]);
}

#[tokio::test]
async fn referrers_come_a_page_at_a_time() {
    let client = Client::new();
    let (subject, text) = client.push_image("a", "latest", "").await;
    let path = format!("/ui/a/referrers/{subject}");
    client.page(&path).await.expect(200).shows(["Nothing more refers to it."]);
    let mut digests = Vec::new();
    for number in 0..101 {
        let refers = format!(
            r#","artifactType":"application/x-{number}","subject":{{"mediaType":"x","digest":"{subject}","size":{}}},
               "annotations":{{"org.opencontainers.image.created":"2024-03-01T00:30:00+02:00"}}"#,
            text.len()
        );
        let text = image(&refers);
        let digest = Digest::of(text.as_bytes());
        client.put_manifest("a", &digest.to_string(), &text).await.expect(201);
        digests.push(digest);
    }
    digests.sort();
    let address = |digest: &Digest| format!("/ui/a/manifests/{digest}");
    let addresses = |page: &crate::page::Page| {
        let rows = page.links.iter().filter(|link| link.address.starts_with("/ui/a/manifests/sha256:"));
        let rows: Vec<_> = rows.map(|link| link.address.clone()).filter(|link| *link != address(&subject)).collect();
        rows
    };
    let first = client.page(&path).await.expect(200);
    first.shows(["Manifest and type", "Created", "Size", "application/x-", "2024-02-29 22:30:00 UTC"]);
    assert_eq!(addresses(&first), digests[..100].iter().map(address).collect::<Vec<_>>());
    let second = client.page(first.link("Next page")).await.expect(200);
    assert_eq!(addresses(&second), digests[100..].iter().map(address).collect::<Vec<_>>());
    assert!(second.links.iter().all(|link| link.text != "Next page"));
    // Below the manifest there are the first of them.
    let manifest = client.page("/ui/a/manifests/latest").await.expect(200);
    assert_eq!(addresses(&manifest), digests[..20].iter().map(address).collect::<Vec<_>>());
    assert_eq!(manifest.link("All that refers to it"), path);
}

#[tokio::test]
async fn every_link_leads_to_what_is_there() {
    let mut options = RegistryOptions::default();
    options.location.prefix = "/x/y/".to_owned();
    options.catalog_page = 1;
    let client = Client::with(options);
    let below = client.other_server(RegistryOptions::default());
    let (image, text) = below.push_image("tags/list", "list", "").await;
    below.put_manifest("tags/list", "index", &index(&[(image, text.len())], "")).await.expect(201);
    below.push_image("b/c", "1", &format!(r#","subject":{{"mediaType":"x","digest":"{image}","size":1}}"#)).await;
    let (mut known, mut waiting) = (BTreeSet::new(), vec!["/x/y/".to_owned(), "/".to_owned()]);
    while let Some(path) = waiting.pop() {
        if !known.insert(path.clone()) {
            continue;
        }
        if path.starts_with("/x/y/v2/") {
            client.get(&path).await.expect(200);
            continue;
        }
        // A subject need not exist.
        let status = if path.ends_with(&format!("/b/c/manifests/{image}")) { 404 } else { 200 };
        let page = client.page(&path).await.expect(status);
        assert!(page.links.iter().all(|link| link.address.starts_with("/x/y/")), "{path}: {:?}", page.links);
        waiting.extend(page.links.into_iter().map(|link| link.address));
    }
    assert!(known.len() >= 12, "{known:#?}");
}

#[tokio::test]
async fn the_list_says_how_the_registry_is_doing_and_not_how_it_is_made() {
    let health = Health::new();
    let mut options = RegistryOptions::default();
    options.health = Some(health.clone());
    let client = Client::with(options);
    client.page("/").await.expect(200).shows(["Storage", "not checked"]);
    let mut checks = HealthOptions::default();
    checks.storagedriver.enabled = true;
    let file = registry::health::FileCheck { file: "/secret/file".into(), interval: None };
    checks.file.push(file);
    let _watch = health.watch(&checks, Some(("secretive", client.storage.clone()))).unwrap();
    client.page("/").await.expect(200).shows(["Storage", "it answers", "Other checks", "1 well"]);
    health.update("storagedriver_secretive", Err("the secret bucket is gone".to_owned()));
    health.update("/secret/file", Err("file exists".to_owned()));
    let page = client.page("/").await.expect(503);
    page.shows(["Not available", "Health check failed", "Storage", "it does not answer", "Other checks", "1 failing"]);
    assert!(!page.text.contains("secret"));
    // Who only asks whether the process is alive is told so.
    assert_eq!(client.get("/").await.expect(200).body, "");
}
