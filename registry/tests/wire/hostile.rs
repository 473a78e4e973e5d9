//! Requests that should not be.

use std::time::Duration;

use blobstore::{Digest, media_type};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use registry::{Peer, Registry, RegistryOptions, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn in_memory() -> Registry {
    let storage = Storage::new(MemoryDriver::default());
    let mut options = NamespaceOptions::default();
    options.delete_enabled = true;
    Registry::new(Namespace::new(storage, options), RegistryOptions::default())
}

fn path() -> impl Strategy<Value = String> {
    let name =
        prop_oneof!["[a-z0-9/._-]{1,30}", Just("a".to_owned()), Just("..".to_owned()), Just("%2e%2e/x".to_owned())];
    let digest = prop_oneof![
        Just(Digest::of(b"x").to_string()),
        "sha256:[0-9a-fA-F]{0,70}",
        "[a-z0-9+:.%-]{0,40}",
        Just("sha512:..%2F..%2Fetc".to_owned()),
    ];
    let query = prop_oneof![
        Just(String::new()),
        "\\?(n|last|mount|from|digest|tag|_state|digest-algorithm|artifactType)=[ -~&&[^ #]]{0,40}",
        "\\?[ -~&&[^ #]]{0,60}",
    ];
    (
        name,
        prop_oneof!["blobs/uploads/", "blobs/", "manifests/", "tags/list", "referrers/", "[a-z/]{0,9}"],
        digest,
        query,
    )
        .prop_map(|(name, kind, digest, query)| format!("/v2/{name}/{kind}{digest}{query}"))
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        Just("range"),
        Just("content-range"),
        Just("content-type"),
        Just("if-none-match"),
        Just("if-range"),
        Just("authorization"),
        Just("forwarded"),
        Just("x-forwarded-host"),
        Just("x-forwarded-proto"),
        Just("x-forwarded-for"),
        Just("x-real-ip"),
        Just("user-agent"),
        Just("host"),
        Just("accept"),
    ];
    let value =
        prop_oneof!["[ -~]{0,60}", "(bytes[= ])?[0-9]{0,22}-[0-9]{0,22}", Just(media_type::OCI_MANIFEST.to_owned())];
    prop::collection::vec((name.prop_map(str::to_owned), value), 0..4)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[\\[\\]{}:,\"0-9a-z ]{0,200}".prop_map(String::into_bytes),
        Just(br#"{"schemaVersion": 2, "manifests": []}"#.to_vec()),
    ]
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("GET"),
        Just("HEAD"),
        Just("PUT"),
        Just("POST"),
        Just("PATCH"),
        Just("DELETE"),
        Just("OPTIONS"),
        Just("X")
    ]
    .prop_map(str::to_owned)
}

proptest! {
    /// Whatever comes, something is answered, nothing panics, and only what is stored wrongly is the registry's own fault.
    #[test]
    fn any_request_is_answered(requests in prop::collection::vec((method(), path(), headers(), body()), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let registry = in_memory();
            for (method, path, headers, body) in requests {
                let mut request = http::Request::builder().method(method.as_str()).uri(&path);
                for (name, value) in &headers {
                    request = request.header(name, value);
                }
                // What is no address or no header is refused before it comes here.
                let Ok(request) = request.body(Full::new(body.into())) else { continue };
                let response = registry.handle(request, Peer::default()).await;
                let status = response.status().as_u16();
                prop_assert!((200..500).contains(&status), "{method} {path} {headers:?}: {status}");
                let body = response.into_body().collect().await.unwrap().to_bytes();
                prop_assert!(method != "HEAD" || body.is_empty());
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn no_path_leads_out_of_a_repository() {
    let registry = in_memory();
    let secret = registry.namespace().repository("private/a".parse().unwrap()).blobs();
    let context = driver_api::Context::background();
    let digest = blobstore::blob::BlobIngester::put(&secret, &context, "secret".into()).await.unwrap().digest;
    for path in [
        format!("/v2/public/../private/a/blobs/{digest}"),
        format!("/v2/public/%2e%2e/private/a/blobs/{digest}"),
        format!("/v2/public%2f..%2fprivate%2fa/blobs/{digest}"),
        format!("/v2/private/b/blobs/{digest}"),
        format!("/v2/private/blobs/{digest}"),
        format!("/v2/public/manifests/{digest}"),
        format!("/v2/public/blobs/..%2f..%2fprivate%2fa%2fblobs%2f{digest}"),
        format!("/v2/public/blobs/uploads/..%2f{digest}"),
    ] {
        let request = http::Request::get(&path).body(Full::<bytes::Bytes>::default()).unwrap();
        let response = registry.handle(request, Peer::default()).await;
        assert!(response.status().is_client_error(), "{path}: {}", response.status());
    }
}

#[tokio::test]
async fn manifests_that_are_deep_or_wide_do_no_harm() {
    let registry = in_memory();
    let deep = "[".repeat(1_000_000);
    let nested =
        format!(r#"{{"schemaVersion": 2, "manifests": [], "x": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let entry = format!(r#"{{"digest": "{}"}}"#, Digest::of(b"x"));
    let wide = format!(r#"{{"schemaVersion": 2, "manifests": [{}]}}"#, vec![entry; 40_000].join(","));
    let large = "x".repeat(5 * 1024 * 1024);
    // What a manifest has beside what matters here is not read, however deep it is.
    for (text, status) in [(deep, 400), (nested, 201), (wide, 400), (large, 413)] {
        let head: String = text.chars().take(60).collect();
        let request = http::Request::put("/v2/a/manifests/x").body(Full::new(bytes::Bytes::from(text))).unwrap();
        assert_eq!(registry.handle(request, Peer::default()).await.status(), status, "{head}");
    }
}

#[tokio::test]
async fn a_body_that_says_that_it_is_huge_is_not_waited_for() {
    let served = Served::plain().await;
    let head =
        "PUT /v2/a/manifests/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9000000000000\r\n\r\n";
    let answer = served.talk(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let served = Served::plain().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(1_000_000));
    let headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100_000));
    let twice = "PUT /v2/a/manifests/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx";
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01".as_slice(),
        b"nonsense\r\n\r\n",
        long.as_bytes(),
        headers.as_bytes(),
        twice.as_bytes(),
    ] {
        let answer = served.talk(bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:.200}");
    }
    assert!(served.talk(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_stops_in_its_body_is_not_waited_for() {
    let mut options = RegistryOptions::default();
    options.patience = Duration::from_millis(50);
    let served = Served::start(options, ServerOptions::default()).await;
    for head in [
        "PUT /v2/a/manifests/x",
        "POST /v2/a/blobs/uploads/?digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ] {
        let mut stream = served.connect().await;
        let request = format!("{head} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408");
    }
}
