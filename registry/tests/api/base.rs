//! A0 and A1: names, errors, addresses, the base.

use http::Method;
use registry::RegistryOptions;

use crate::harness::Client;

#[tokio::test]
async fn a11_1_the_parameter_for_proxies_is_passed_over() {
    let client = Client::new();
    let (digest, _) = client.push_image("a", "latest", "").await;
    for path in ["manifests/latest", &format!("manifests/{digest}"), "tags/list", &format!("referrers/{digest}")] {
        let [plain, asked] = [format!("/v2/a/{path}"), format!("/v2/a/{path}?ns=upstream.test")];
        let reply = client.get(&asked).await.expect(200);
        assert!(!reply.headers.contains_key("oci-namespace"));
        assert_eq!(reply.body, client.get(&plain).await.expect(200).body);
    }
}

#[tokio::test]
async fn a0_1_names_are_checked_and_may_have_words_of_the_api() {
    let client = Client::new();
    let name = "blobs/uploads/manifests/tags/list";
    client.push_image(name, "latest", "").await;
    client.get(&format!("/v2/{name}/tags/list")).await.expect(200);
    client.get(&format!("/v2/{name}/manifests/latest")).await.expect(200);
    for bad in ["A", "a..b", "a/", "-a", &"a".repeat(256)] {
        client.get(&format!("/v2/{bad}/tags/list")).await.expect_error(400, "NAME_INVALID");
    }
    client.get(&format!("/v2/{}/tags/list", "a".repeat(255))).await.expect_error(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn a0_2_what_has_a_colon_is_a_digest() {
    let client = Client::new();
    client.get("/v2/a/manifests/sha256:baddigeststring").await.expect_error(400, "DIGEST_INVALID");
    client.put("/v2/a/manifests/sha256:baddigeststring", "{}").await.expect_error(400, "DIGEST_INVALID");
    client.put(&format!("/v2/a/manifests/{}", "t".repeat(129)), "{}").await.expect_error(400, "TAG_INVALID");
}

#[tokio::test]
async fn a0_3_digests_may_be_percent_encoded() {
    let client = Client::new();
    let digest = client.push_blob("a", b"content").await;
    let encoded = digest.to_string().replace(':', "%3A");
    client.get(&format!("/v2/a/blobs/{encoded}")).await.expect(200);
    let upload = client.begin("a").await;
    client.put(&format!("{upload}&digest={encoded}"), "content").await.expect(201);
    for bad in ["sha256:ab", &digest.to_string().to_uppercase(), "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        client.get(&format!("/v2/a/blobs/{bad}")).await.expect_error(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn a0_6_a_refused_head_has_no_body() {
    let client = Client::new();
    let reply = client.head("/v2/a/manifests/latest").await.expect(404);
    assert!(reply.header("content-length").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a0_8_unknown_paths_and_methods() {
    let client = Client::new();
    for path in ["/v2/a", "/v2/a/b/c", "/v1/", "//v2/", "/v2/a/../b/tags/list/x"] {
        client.get(path).await.expect(404);
    }
    let reply = client.send(Method::PATCH, "/v2/a/tags/list", &[], "").await.expect_error(405, "UNSUPPORTED");
    assert_eq!(reply.header("allow"), "GET, HEAD");
    let blob = format!("/v2/a/blobs/{}", blobstore::Digest::of(b""));
    let reply = client.send(Method::PUT, &blob, &[], "").await.expect_error(405, "UNSUPPORTED");
    assert_eq!(reply.header("allow"), "DELETE, GET, HEAD");
    client.get("/v2").await.expect(200);
    client.post("/v2/a/blobs/uploads").await.expect(202);
    client.push_image("a", "latest", "").await;
    client.head("/v2/a/tags/list").await.expect(200);
}

#[tokio::test]
async fn a0_9_addresses_are_those_of_the_client_or_of_the_operator() {
    let client = Client::new();
    let headers = [("x-forwarded-proto", "https"), ("x-forwarded-host", "outside.test")];
    let reply = client.send(Method::POST, "/v2/a/blobs/uploads/", &headers, "").await.expect(202);
    assert!(reply.header("location").starts_with("https://outside.test/v2/a/blobs/uploads/"), "{reply:?}");
    let mut options = RegistryOptions::default();
    options.location.prefix = "/some/where/".to_owned();
    options.location.relative = true;
    let client = Client::with(options);
    let reply = client.post("/some/where/v2/a/blobs/uploads/").await.expect(202);
    assert!(reply.header("location").starts_with("/some/where/v2/a/blobs/uploads/"), "{reply:?}");
    client.post("/v2/a/blobs/uploads/").await.expect(404);
    client.post("/some/wherever/v2/a/blobs/uploads/").await.expect(404);
}

#[tokio::test]
async fn a1_1_the_base() {
    let client = Client::new();
    for path in ["/v2/", "/v2"] {
        let reply = client.get(path).await.expect(200);
        assert_eq!((&reply.body[..], reply.header("content-type")), (&b"{}"[..], "application/json"));
    }
    assert_eq!(client.head("/v2/").await.expect(200).header("content-length"), "2");
}

#[tokio::test]
async fn a1_2_the_root_is_alive() {
    let reply = Client::new().get("/").await.expect(200);
    assert_eq!((reply.body.len(), reply.header("cache-control")), (0, "no-cache"));
}

#[tokio::test]
async fn answers_have_the_headers_of_the_configuration() {
    let mut options = RegistryOptions::default();
    options.headers.insert("x-mine", "yes".parse().unwrap());
    let client = Client::with(options);
    for path in ["/v2/", "/v2/nothing"] {
        let reply = client.get(path).await;
        assert_eq!((reply.header("x-mine"), reply.header("x-content-type-options")), ("yes", "nosniff"));
    }
}

#[tokio::test]
async fn a_registry_that_is_read_only_takes_nothing() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "latest", "").await;
    let mut options = RegistryOptions::default();
    options.read_only = true;
    let reader = client.other_server(options);
    reader.get("/v2/a/manifests/latest").await.expect(200);
    reader.post("/v2/a/blobs/uploads/").await.expect_error(405, "UNSUPPORTED");
    reader.put_manifest("a", "other", &text).await.expect_error(405, "UNSUPPORTED");
    reader.delete(&format!("/v2/a/manifests/{digest}")).await.expect_error(405, "UNSUPPORTED");
    client.get("/v2/a/manifests/latest").await.expect(200);
}
