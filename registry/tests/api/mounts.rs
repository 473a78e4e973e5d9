//! A4: blobs are mounted.

use blobstore::Digest;

use crate::harness::Client;

#[tokio::test]
async fn a4_1_from_a_repository() {
    let client = Client::new();
    let digest = client.push_blob("a", b"content").await;
    let reply = client.post(&format!("/v2/b/blobs/uploads/?mount={digest}&from=a")).await.expect(201);
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    assert_eq!(reply.location(), format!("/v2/b/blobs/{digest}"));
    assert_eq!(client.get(&reply.location()).await.expect(200).body, "content");
}

#[tokio::test]
async fn a4_2_from_wherever_it_is() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    let digest = Digest::of(b"layer");
    client.post(&format!("/v2/b/blobs/uploads/?mount={digest}")).await.expect(201);
    client.get(&format!("/v2/b/blobs/{digest}")).await.expect(200);
}

#[tokio::test]
async fn a4_3_what_cannot_be_mounted_is_uploaded() {
    let client = Client::new();
    let digest = client.push_blob("a", b"content").await;
    let missing = Digest::of(b"missing");
    for query in [
        format!("mount={missing}&from=a"),
        format!("mount={digest}&from=nowhere"),
        format!("mount={digest}&from=IN%20VALID"),
        format!("mount={missing}"),
        "mount=nothing&from=a".to_owned(),
        "mount=".to_owned(),
    ] {
        let reply = client.post(&format!("/v2/b/blobs/uploads/?{query}")).await.expect(202);
        let path = format!("{}&digest={}", reply.location(), Digest::of(b"sent"));
        client.put(&path, "sent").await.expect(201);
    }
}
