//! A2: blobs are read.

use blobstore::{Algorithm, Digest};
use http::Method;

use crate::harness::Client;

#[tokio::test]
async fn a2_1_and_a2_2_get_and_head() {
    let client = Client::new();
    for content in [&b"some content"[..], b"", &[7; 300_000]] {
        let digest = client.push_blob("a", content).await;
        let path = format!("/v2/a/blobs/{digest}");
        let (get, head) = (client.get(&path).await.expect(200), client.head(&path).await.expect(200));
        assert!(get.body == content);
        for reply in [&get, &head] {
            assert_eq!(reply.header("content-length"), content.len().to_string());
            assert_eq!(reply.header("content-type"), "application/octet-stream");
            assert_eq!(reply.header("docker-content-digest"), digest.to_string());
            assert_eq!(reply.header("etag"), format!("\"{digest}\""));
            assert_eq!(reply.header("accept-ranges"), "bytes");
            assert_eq!(reply.header("cache-control"), "max-age=31536000");
        }
    }
}

#[tokio::test]
async fn a2_3_a_blob_is_of_a_repository() {
    let client = Client::new();
    let digest = client.push_blob("a", b"content").await;
    client.get(&format!("/v2/b/blobs/{digest}")).await.expect_error(404, "BLOB_UNKNOWN");
    client.head(&format!("/v2/b/blobs/{digest}")).await.expect(404);
    let nothing = Digest::of(b"nothing");
    client.get(&format!("/v2/a/blobs/{nothing}")).await.expect_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a2_5_ranges() {
    let client = Client::new();
    for size in [4000_usize, 400_000] {
        let content: Vec<u8> = (0..size).map(|place| place as u8).collect();
        let digest = client.push_blob("a", &content).await;
        let path = format!("/v2/a/blobs/{digest}");
        for (range, part) in [
            ("bytes=500-1499", 500..1500),
            ("bytes=500-", 500..size),
            ("bytes=-500", size - 500..size),
            ("bytes=2000-5000000", 2000..size),
            ("bytes=0-0", 0..1),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let reply = client.send(method.clone(), &path, &[("range", range)], "").await.expect(206);
                let expected = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                assert_eq!(reply.header("content-range"), expected, "{range}");
                assert_eq!(reply.header("content-length"), part.len().to_string(), "{range}");
                assert!(method == Method::HEAD || reply.body == content[part.clone()], "{range}");
            }
        }
        for range in ["bytes=500-0", "bytes=5000000-10000000", "bytes=-0"] {
            let reply =
                client.send(Method::GET, &path, &[("range", range)], "").await.expect_error(416, "RANGE_INVALID");
            assert_eq!(reply.header("content-range"), format!("bytes */{size}"));
        }
        for range in ["bytes=abc", "items=0-1", "bytes=0-1,4-5"] {
            let reply = client.send(Method::GET, &path, &[("range", range)], "").await.expect(200);
            assert!(reply.body == content);
        }
    }
}

#[tokio::test]
async fn a2_5_what_the_client_has_is_not_sent() {
    let client = Client::new();
    let digest = client.push_blob("a", b"content").await;
    let path = format!("/v2/a/blobs/{digest}");
    let send = |headers: &'static str, value: String| {
        let (client, path) = (&client, path.clone());
        async move { client.send(Method::GET, &path, &[(headers, &value)], "").await }
    };
    let reply = send("if-none-match", format!("\"{digest}\"")).await.expect(304);
    assert_eq!((reply.body.len(), reply.header("etag")), (0, format!("\"{digest}\"").as_str()));
    send("if-none-match", "\"other\"".to_owned()).await.expect(200);
    let headers = [("if-range", "\"other\""), ("range", "bytes=1-")];
    client.send(Method::GET, &path, &headers, "").await.expect(200);
    let mine = format!("\"{digest}\"");
    let headers = [("if-range", mine.as_str()), ("range", "bytes=1-")];
    assert_eq!(client.send(Method::GET, &path, &headers, "").await.expect(206).body, &b"ontent"[..]);
    let other = format!("/v2/b/blobs/{digest}");
    client.send(Method::GET, &other, &[("if-none-match", &mine)], "").await.expect_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a0_4_content_is_called_what_its_client_calls_it() {
    let client = Client::new();
    let digest = Digest::with(Algorithm::Sha512, b"content");
    let upload = client.begin("a").await;
    let reply = client.put(&format!("{upload}&digest={digest}"), "content").await.expect(201);
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    let path = reply.location();
    assert_eq!(path, format!("/v2/a/blobs/{digest}"));
    for reply in [client.get(&path).await.expect(200), client.head(&path).await.expect(200)] {
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    }
    client.get(&format!("/v2/a/blobs/{}", Digest::of(b"content"))).await.expect(200);
    client.post(&format!("/v2/b/blobs/uploads/?mount={digest}&from=a")).await.expect(201);
    client.get(&format!("/v2/b/blobs/{digest}")).await.expect(200);
    client.delete(&path).await.expect(202);
    client.get(&path).await.expect(404);
}

#[tokio::test]
async fn a5_18_a_manifest_is_no_blob() {
    let client = Client::new();
    let (digest, _) = client.push_image("a", "latest", "").await;
    client.get(&format!("/v2/a/blobs/{digest}")).await.expect_error(404, "BLOB_UNKNOWN");
    client.get(&format!("/v2/a/manifests/{}", Digest::of(b"layer"))).await.expect_error(404, "MANIFEST_UNKNOWN");
}
