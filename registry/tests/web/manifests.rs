//! What is shown of a manifest.

use blobstore::Digest;
use serde_json::{Value, json};

use crate::harness::{Client, image};

#[tokio::test]
async fn an_image_has_a_configuration_layers_and_a_total() {
    let client = Client::new();
    client.push_blob("a/b", b"{}").await;
    let (small, large) = (vec![1; 1024], vec![2; 3 * 1024 * 1024 + 512 * 1024]);
    let layers = [client.push_blob("a/b", &small).await, client.push_blob("a/b", &large).await];
    let mut image: Value = serde_json::from_str(&image("")).unwrap();
    let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
    image["layers"] = json!([
        { "mediaType": kind, "digest": layers[0], "size": small.len() },
        { "mediaType": kind, "digest": layers[1], "size": large.len() },
    ]);
    image["annotations"] = json!({
        "org.opencontainers.image.created": "2024-03-01T00:30:00+02:00",
        "org.opencontainers.image.source": "https://source.test/a",
        "plain": "one\ntwo",
    });
    let text = image.to_string();
    client.put_manifest("a/b", "1.0", &text).await.expect(201);
    let digest = Digest::of(text.as_bytes());
    for reference in ["1.0", &digest.to_string()] {
        let page = client.page(&format!("/ui/a/b/manifests/{reference}")).await.expect(200);
        page.shows([
            "Registry",
            "a/b",
            &digest.to_string(),
            "application/vnd.oci.image.manifest.v1+json",
            "Created",
            "2024-02-29 22:30:00 UTC",
            "Configuration",
            "application/vnd.oci.image.config.v1+json",
            "2 B",
            "Layers",
            "1",
            kind,
            "1.0 KiB",
            "2",
            kind,
            "3.5 MiB",
            "Total of 2",
            "3.5 MiB",
            "Annotations",
            "org.opencontainers.image.source",
            "https://source.test/a",
            "plain",
            "one\ntwo",
        ]);
        let html = String::from_utf8(page.reply.body.to_vec()).unwrap();
        let total = small.len() + large.len();
        assert!(html.contains(&format!("<data value=\"{total}\" title=\"{total} bytes\">3.5 MiB</data>")));
        assert_eq!(page.link("https://source.test/a"), "https://source.test/a");
        assert_eq!(page.link("as it was pushed"), format!("/v2/a/b/manifests/{digest}"));
        let blobs: Vec<_> = page.links.iter().filter(|link| link.address.contains("/blobs/")).collect();
        assert_eq!(blobs.len(), 3);
        assert_eq!(blobs[2].address, format!("/v2/a/b/blobs/{}", layers[1]));
        assert!(!page.text.contains("Referrers"));
    }
}

#[tokio::test]
async fn an_index_has_platforms_and_leads_to_its_manifests() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "amd64", "").await;
    let size = text.len();
    let child = |platform: Value| json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size, "platform": platform });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            child(json!({ "os": "linux", "architecture": "amd64" })),
            child(json!({ "os": "linux", "architecture": "arm64", "variant": "v8" })),
            child(json!({ "os": "windows", "architecture": "amd64", "os.version": "10.0.17763.1" })),
            child(json!({ "os": 5 })),
            child(Value::Null),
        ],
    });
    client.put_manifest("a", "all", &index.to_string()).await.expect(201);
    let page = client.page("/ui/a/manifests/all").await.expect(200);
    page.shows(["Manifests", "Platform", "linux/amd64", "linux/arm64/v8", "windows/amd64 10.0.17763.1", "–", "–"]);
    let children: Vec<_> =
        page.links.iter().filter(|link| link.address == format!("/ui/a/manifests/{digest}")).collect();
    assert_eq!(children.len(), 5);
    client.page(&children[0].address).await.expect(200).shows(["Layers"]);
}

#[tokio::test]
async fn a_referrer_leads_to_its_subject_and_back() {
    let client = Client::new();
    let (subject, text) = client.push_image("a", "latest", "").await;
    let refers = format!(
        r#","artifactType":"application/x-sbom","subject":{{"mediaType":"m","digest":"{subject}","size":{}}}"#,
        text.len()
    );
    let (referrer, _) = client.push_image("a", "sbom", &refers).await;
    let page = client.page("/ui/a/manifests/latest").await.expect(200);
    page.shows(["Referrers", "application/x-sbom"]);
    let back = page.links.iter().find(|link| link.address == format!("/ui/a/manifests/{referrer}")).unwrap();
    let page = client.page(&back.address).await.expect(200);
    page.shows(["Artifact type", "application/x-sbom", "Refers to"]);
    assert!(page.links.iter().any(|link| link.address == format!("/ui/a/manifests/{subject}")));
}

/// It is read, and not pulled.
#[tokio::test]
async fn nobody_is_notified_of_a_page() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Heard(AtomicUsize);
    impl registry::notifications::Notifier for Heard {
        fn notify(&self, _: registry::notifications::Event) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let heard = Arc::new(Heard::default());
    let mut options = registry::RegistryOptions::default();
    options.notifier = Some(heard.clone());
    let client = Client::with(options);
    client.push_image("a", "latest", "").await;
    let pushes = heard.0.load(Ordering::SeqCst);
    client.page("/ui/a/manifests/latest").await.expect(200);
    assert_eq!(heard.0.load(Ordering::SeqCst), pushes);
    client.get("/v2/a/manifests/latest").await.expect(200);
    assert_eq!(heard.0.load(Ordering::SeqCst), pushes + 1);
}
