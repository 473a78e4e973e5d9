//! A3: blobs are pushed.

use blobstore::{Algorithm, Digest};
use bytes::Bytes;
use http::Method;
use http_body_util::StreamBody;
use registry::{Peer, RegistryOptions, Secret};

use crate::harness::Client;

#[tokio::test]
async fn a3_1_an_upload_begins() {
    let client = Client::new();
    let reply = client.post("/v2/new/blobs/uploads/").await.expect(202);
    assert_eq!(reply.header("range"), "0-0");
    let id = reply.header("docker-upload-uuid");
    assert!(reply.header("location").contains(&format!("/v2/new/blobs/uploads/{id}?")));
    assert_eq!(reply.body.len(), 0);
}

#[tokio::test]
async fn a3_3_one_request_is_enough() {
    let client = Client::new();
    for content in [&b"content"[..], b""] {
        let digest = Digest::of(content);
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        let reply = client.send(Method::POST, &path, &[], content.to_vec()).await.expect(201);
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert_eq!(client.get(&reply.location()).await.expect(200).body, content);
    }
    let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"other"));
    client.send(Method::POST, &path, &[], "content").await.expect_error(400, "DIGEST_INVALID");
    client
        .send(Method::POST, "/v2/a/blobs/uploads/?digest=x", &[], "content")
        .await
        .expect_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a3_4_the_algorithm_may_be_said_beforehand() {
    let client = Client::new();
    let digest = Digest::with(Algorithm::Sha512, b"content");
    let upload = client.post("/v2/a/blobs/uploads/?digest-algorithm=sha512").await.expect(202).location();
    let upload = client.patch(&upload, "content").await.expect(202).location();
    client.put(&format!("{upload}&digest={digest}"), "").await.expect(201);
    assert_eq!(client.get(&format!("/v2/a/blobs/{digest}")).await.expect(200).body, "content");
    client.post("/v2/a/blobs/uploads/?digest-algorithm=md5").await.expect_error(400, "DIGEST_INVALID");
    // And learnt at the end it costs reading what has come.
    let upload = client.begin("a").await;
    let upload = client.patch(&upload, "other ").await.expect(202).location();
    let digest = Digest::with(Algorithm::Sha512, b"other content");
    client.put(&format!("{upload}&digest={digest}"), "content").await.expect(201);
}

#[tokio::test]
async fn a3_6_streamed_chunks_are_appended() {
    let client = Client::new();
    let mut upload = client.begin("a").await;
    for (chunk, range) in [("some ", "0-4"), ("", "0-4"), ("content", "0-11")] {
        let headers = [("content-type", "application/octet-stream")];
        let reply = client.send(Method::PATCH, &upload, &headers, chunk).await.expect(202);
        assert_eq!((reply.header("range"), reply.body.len()), (range, 0));
        assert!(!reply.header("docker-upload-uuid").is_empty());
        upload = reply.location();
    }
    let digest = Digest::of(b"some content!");
    let reply = client.put(&format!("{upload}&digest={digest}"), "!").await.expect(201);
    assert_eq!(client.get(&reply.location()).await.expect(200).body, "some content!");
}

#[tokio::test]
async fn a3_7_and_a3_8_chunks_out_of_order() {
    let client = Client::new();
    let first = client.begin("a").await;
    let patch = |upload: String, range: &'static str, body: &'static str| {
        let client = &client;
        async move { client.send(Method::PATCH, &upload, &[("content-range", range)], body).await }
    };
    let reply = patch(first.clone(), "5-9", "wrong").await.expect_error(416, "RANGE_INVALID");
    assert_eq!(reply.header("range"), "0-0");
    let status = client.get(&first).await.expect(204);
    assert_eq!(status.header("range"), "0-0");
    let second = patch(status.location(), "0-4", "some ").await.expect(202).location();
    for wrong in ["0-4", "4-8", "6-10"] {
        let reply = patch(second.clone(), wrong, "wrong").await.expect_error(416, "RANGE_INVALID");
        assert_eq!(reply.header("range"), "0-4");
        assert_eq!(client.get(&second).await.expect(204).header("range"), "0-4");
        assert_eq!(client.get(&reply.location()).await.expect(204).header("range"), "0-4");
    }
    patch(second.clone(), "5-9", "wrong size").await.expect_error(400, "SIZE_INVALID");
    patch(second.clone(), "what", "content").await.expect(416);
    let third = patch(second, "5-11", "content").await.expect(202);
    assert_eq!(third.header("range"), "0-11");
    let path = format!("{}&digest={}", third.location(), Digest::of(b"some content"));
    client.put(&path, "").await.expect(201);
}

#[tokio::test]
async fn a3_9_the_last_chunk_may_be_out_of_order_as_well() {
    let client = Client::new();
    let upload = client.patch(&client.begin("a").await, "some ").await.expect(202).location();
    let path = format!("{upload}&digest={}", Digest::of(b"some content"));
    client.send(Method::PUT, &path, &[("content-range", "0-6")], "content").await.expect_error(416, "RANGE_INVALID");
    assert_eq!(client.get(&path).await.expect(204).header("range"), "0-4");
    client.send(Method::PUT, &path, &[("content-range", "5-11")], "content").await.expect(201);
}

#[tokio::test]
async fn a3_10_an_upload_that_ended_is_gone() {
    let client = Client::new();
    let first = client.begin("a").await;
    let second = client.patch(&first, "content").await.expect(202).location();
    let digest = Digest::of(b"content");
    let reply = client.put(&format!("{second}&digest={digest}"), "").await.expect(201);
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    for upload in [&first, &second] {
        client.get(upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        client.patch(upload, "x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        client.put(&format!("{upload}&digest={digest}"), "").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        client.delete(upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn a3_11_wrong_digests() {
    let client = Client::new();
    let upload = client.patch(&client.begin("a").await, "content").await.expect(202).location();
    for digest in ["", "&digest=", "&digest=sha256:ab", "&digest=md5:d41d8cd98f00b204e9800998ecf8427e"] {
        client.put(&format!("{upload}{digest}"), "").await.expect_error(400, "DIGEST_INVALID");
        client.get(&upload).await.expect(204);
    }
    let wrong = Digest::of(b"other");
    client.put(&format!("{upload}&digest={wrong}"), "").await.expect_error(400, "DIGEST_INVALID");
    client.get(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.get(&format!("/v2/a/blobs/{wrong}")).await.expect(404);
    let fresh = client.begin("a").await;
    client.put(&format!("{fresh}&digest={wrong}"), "content").await.expect_error(400, "DIGEST_INVALID");
    client.get(&fresh).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    assert!(left_behind(&client).await.is_empty());
}

/// All files below `_uploads`.
async fn left_behind(client: &Client) -> Vec<String> {
    use driver_api::{Context, ListOptions, StoragePath};
    let context = Context::background();
    let mut listing = client.storage.list(&context, &StoragePath::root(), ListOptions::recursive()).await.unwrap();
    let mut found = Vec::new();
    while let Some(page) = listing.next_page().await {
        let files = page.unwrap().into_iter().filter(|entry| !entry.is_directory());
        found.extend(files.map(|entry| entry.path().to_string()).filter(|path| path.contains("_uploads")));
    }
    found
}

#[tokio::test]
async fn a3_13_an_upload_is_given_up() {
    let client = Client::new();
    let fresh = client.begin("a").await;
    client.delete(&fresh).await.expect(204);
    client.get(&fresh).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    let upload = client.patch(&client.begin("a").await, "content").await.expect(202).location();
    assert!(!left_behind(&client).await.is_empty());
    client.delete(&upload).await.expect(204);
    client.delete(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    assert!(left_behind(&client).await.is_empty());
}

#[tokio::test]
async fn a3_14_an_upload_is_of_a_repository() {
    let client = Client::new();
    let fresh = client.begin("a").await;
    let upload = client.patch(&client.begin("a").await, "content").await.expect(202).location();
    for address in [fresh, upload] {
        let elsewhere = address.replace("/v2/a/", "/v2/b/");
        client.get(&elsewhere).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        client.patch(&elsewhere, "x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    let unknown = "/v2/a/blobs/uploads/6ba7b810-9dad-41d1-80b4-00c04fd430c8";
    client.get(unknown).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.get("/v2/a/blobs/uploads/not-a-uuid").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a3_15_what_came_before_a_connection_broke_is_kept() {
    let client = Client::new();
    let upload = client.begin("a").await;
    let chunks = [Ok(Bytes::from("some ")), Err(std::io::Error::other("broken"))];
    let frames = chunks.map(|chunk| chunk.map(http_body::Frame::data));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let request = http::Request::patch(&upload).body(body).unwrap();
    assert_eq!(client.registry.handle(request, Peer::default()).await.status(), 400);
    let status = client.get(&upload).await.expect(204);
    assert_eq!(status.header("range"), "0-4");
    let path = format!("{}&digest={}", status.location(), Digest::of(b"some content"));
    client.put(&path, "content").await.expect(201);
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_not_taken_twice() {
    let client = Client::new();
    let first = client.begin("a").await;
    client.patch(&first, "some ").await.expect(202);
    let reply = client.patch(&first, "some ").await.expect_error(416, "RANGE_INVALID");
    assert_eq!(reply.header("range"), "0-4");
    let second = client.patch(&reply.location(), "content").await.expect(202).location();
    let digest = Digest::of(b"some content");
    client.put(&format!("{first}&digest={digest}"), "content").await.expect(416);
    // Who has nothing to add may use any of its addresses.
    assert_ne!(first, second);
    client.put(&format!("{first}&digest={digest}"), "").await.expect(201);
}

#[tokio::test]
async fn a3_15_two_requests_at_once_do_not_mix() {
    let client = Client::new();
    let upload = client.patch(&client.begin("a").await, "0").await.expect(202).location();
    let (going, body) = tokio::sync::oneshot::channel::<()>();
    let (begun_sender, begun) = tokio::sync::oneshot::channel::<()>();
    let body = StreamBody::new(futures_util::stream::once(async move {
        begun_sender.send(()).unwrap();
        body.await.unwrap();
        Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from("1")))
    }));
    let body = http_body_util::BodyExt::boxed_unsync(body);
    let request = http::Request::patch(&upload).body(body).unwrap();
    let registry = client.registry.clone();
    let first = tokio::spawn(async move { registry.handle(request, Peer::default()).await.status() });
    begun.await.unwrap();
    client.patch(&upload, "2").await.expect_error(409, "BLOB_UPLOAD_INVALID");
    going.send(()).unwrap();
    assert_eq!(first.await.unwrap(), 202);
    assert_eq!(client.get(&upload).await.expect(204).header("range"), "0-1");
}

#[tokio::test]
async fn a3_17_known_content_is_pushed_again() {
    let client = Client::new();
    client.push_blob("a", b"content").await;
    client.push_blob("b", b"content").await;
    client.push_blob("a", b"content").await;
    assert!(left_behind(&client).await.is_empty());
}

#[tokio::test]
async fn a3_18_every_request_may_meet_another_server() {
    let options = || {
        let mut options = RegistryOptions::default();
        options.secret = Secret::new("shared");
        options
    };
    let first = Client::with(options());
    let second = first.other_server(options());
    let fresh = first.begin("a").await;
    assert_eq!(second.get(&fresh).await.expect(204).header("range"), "0-0");
    let upload = second.patch(&fresh, "some ").await.expect(202).location();
    let upload = first.patch(&upload, "con").await.expect(202).location();
    let path = format!("{upload}&digest={}", Digest::of(b"some content"));
    let reply = second.put(&path, "tent").await.expect(201);
    assert_eq!(first.get(&reply.location()).await.expect(200).body, "some content");
    // Without the secret what has no bytes is not known, and what has some is.
    let stranger = first.other_server(RegistryOptions::default());
    let fresh = first.begin("a").await;
    stranger.patch(&fresh, "x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    let upload = first.patch(&fresh, "x").await.expect(202).location();
    stranger.patch(&upload, "y").await.expect(202);
}

#[tokio::test]
async fn a0_11_more_uploads_than_there_may_be_wait() {
    let mut options = RegistryOptions::default();
    options.uploads = 0;
    let client = Client::with(options);
    let upload = client.begin("a").await;
    let reply = client.patch(&upload, "x").await.expect_error(429, "TOOMANYREQUESTS");
    assert_eq!(reply.header("retry-after"), "1");
}
