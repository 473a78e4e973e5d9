//! A5.15 to A5.19 and A9: things are taken away.

use blobstore::Digest;
use registry::RegistryOptions;

use crate::harness::Client;

#[tokio::test]
async fn a5_15_a_tag_alone() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "one", "").await;
    client.put_manifest("a", "two", &text).await.expect(201);
    client.delete("/v2/a/manifests/one").await.expect(202);
    client.get("/v2/a/manifests/one").await.expect_error(404, "MANIFEST_UNKNOWN");
    client.head("/v2/a/manifests/one").await.expect(404);
    client.get("/v2/a/manifests/two").await.expect(200);
    client.get(&format!("/v2/a/manifests/{digest}")).await.expect(200);
    client.delete("/v2/a/manifests/one").await.expect_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a5_16_a_manifest_with_its_tags() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "one", "").await;
    client.put_manifest("a", "two", &text).await.expect(201);
    let (other, _) = client.push_image("a", "other", r#", "x": 1"#).await;
    client.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
    for gone in ["one".to_owned(), "two".to_owned(), digest.to_string()] {
        client.get(&format!("/v2/a/manifests/{gone}")).await.expect_error(404, "MANIFEST_UNKNOWN");
        client.head(&format!("/v2/a/manifests/{gone}")).await.expect(404);
    }
    client.get(&format!("/v2/a/manifests/{other}")).await.expect(200);
    assert_eq!(client.get("/v2/a/tags/list").await.expect(200).json()["tags"], serde_json::json!(["other"]));
    client.delete(&format!("/v2/a/manifests/{digest}")).await.expect_error(404, "MANIFEST_UNKNOWN");
    client.delete("/v2/a/manifests/sha256:x").await.expect_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a5_17_deleting_may_be_forbidden() {
    let client = Client::new();
    let (digest, _) = client.push_image("a", "latest", "").await;
    let other = client.other_server(RegistryOptions::default());
    for path in ["latest".to_owned(), digest.to_string()] {
        other.delete(&format!("/v2/a/manifests/{path}")).await.expect_error(405, "UNSUPPORTED");
    }
    other.delete(&format!("/v2/a/blobs/{}", Digest::of(b"layer"))).await.expect_error(405, "UNSUPPORTED");
}

#[tokio::test]
async fn a9_1_a_blob_of_one_repository() {
    let client = Client::new();
    let digest = client.push_blob("a", b"content").await;
    client.post(&format!("/v2/b/blobs/uploads/?mount={digest}&from=a")).await.expect(201);
    client.get(&format!("/v2/a/blobs/{digest}")).await.expect(200);
    client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
    client.get(&format!("/v2/a/blobs/{digest}")).await.expect_error(404, "BLOB_UNKNOWN");
    client.head(&format!("/v2/a/blobs/{digest}")).await.expect(404);
    client.get(&format!("/v2/b/blobs/{digest}")).await.expect(200);
    client.delete(&format!("/v2/a/blobs/{digest}")).await.expect_error(404, "BLOB_UNKNOWN");
    client.push_blob("a", b"content").await;
    client.get(&format!("/v2/a/blobs/{digest}")).await.expect(200);
}
