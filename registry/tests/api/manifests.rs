//! A5: manifests.

use blobstore::{Algorithm, Digest, media_type};
use http::Method;
use serde_json::Value;

use crate::harness::{Client, image, index};

#[tokio::test]
async fn a5_1_and_a5_9_stored_byte_by_byte() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "latest", r#", "x": [1,  2]"#).await;
    let reply = client.put_manifest("a", "latest", &text).await.expect(201);
    assert_eq!(reply.location(), format!("/v2/a/manifests/{digest}"));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    for reference in ["latest".to_owned(), digest.to_string()] {
        let path = format!("/v2/a/manifests/{reference}");
        let (get, head) = (client.get(&path).await.expect(200), client.head(&path).await.expect(200));
        assert_eq!(get.body, text.as_bytes());
        for reply in [&get, &head] {
            assert_eq!(reply.header("content-type"), media_type::OCI_MANIFEST);
            assert_eq!(reply.header("content-length"), text.len().to_string());
            assert_eq!(reply.header("docker-content-digest"), digest.to_string());
            assert_eq!(reply.header("etag"), format!("\"{digest}\""));
        }
        for tag in [format!("\"{digest}\""), digest.to_string()] {
            client.send(Method::GET, &path, &[("if-none-match", &tag)], "").await.expect(304);
        }
    }
}

#[tokio::test]
async fn a5_2_the_digest_is_that_of_the_bytes() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "latest", "").await;
    client.put_manifest("a", &digest.to_string(), &format!("{text}  ")).await.expect_error(400, "DIGEST_INVALID");
    let digest = Digest::with(Algorithm::Sha512, text.as_bytes());
    let reply = client.put_manifest("a", &digest.to_string(), &text).await.expect(201);
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    for reply in [client.get(&reply.location()).await.expect(200), client.head(&reply.location()).await.expect(200)] {
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    }
}

#[tokio::test]
async fn a5_3_media_types() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    let bare = image("").replace(&format!(r#""mediaType": "{}","#, media_type::OCI_MANIFEST), "");
    let put = |headers: &'static [(&'static str, &'static str)], text: String| {
        let client = &client;
        async move { client.send(Method::PUT, "/v2/a/manifests/x", headers, text).await }
    };
    put(&[], bare.clone()).await.expect(201);
    assert_eq!(client.head("/v2/a/manifests/x").await.header("content-type"), media_type::OCI_MANIFEST);
    put(&[("content-type", "application/json")], bare.clone()).await.expect(201);
    put(&[("content-type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8")], image("")).await.expect(201);
    assert_eq!(client.head("/v2/a/manifests/x").await.header("content-type"), media_type::OCI_MANIFEST);
    put(&[("content-type", media_type::OCI_INDEX)], image("")).await.expect_error(400, "MANIFEST_INVALID");
    put(&[("content-type", "text/html")], bare).await.expect_error(400, "MANIFEST_INVALID");
    put(&[("content-type", media_type::DOCKER_SIGNED)], r#"{"schemaVersion": 1, "fsLayers": []}"#.to_owned())
        .await
        .expect_error(400, "MANIFEST_INVALID");
}

#[tokio::test]
async fn a5_4_what_is_no_manifest() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    for text in [
        "",
        "x",
        "[]",
        "{}",
        r#"{"schemaVersion": 2}"#,
        &image(r#", "manifests": []"#),
        &index(&[], r#", "layers": []"#),
    ] {
        client.put_manifest("a", "x", text).await.expect_error(400, "MANIFEST_INVALID");
    }
    client.get("/v2/a/manifests/x").await.expect_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a5_5_four_mebibytes_are_enough() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    let annotation = |bytes: usize| image(&format!(r#", "annotations": {{"x": "{}"}}"#, "x".repeat(bytes)));
    client.put_manifest("a", "large", &annotation(3_900_000)).await.expect(201);
    client.put_manifest("a", "larger", &annotation(4_194_304)).await.expect_error(413, "MANIFEST_INVALID");
}

#[tokio::test]
async fn a5_6_what_it_names_must_be_there() {
    let client = Client::new();
    let text = image("");
    let reply = client.put_manifest("a", "latest", &text).await.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
    let errors = reply.json()["errors"].as_array().unwrap().clone();
    let mut details: Vec<_> = errors.iter().map(|error| error["detail"].as_str().unwrap().to_owned()).collect();
    details.sort();
    let mut expected = [Digest::of(b"{}").to_string(), Digest::of(b"layer").to_string()];
    expected.sort();
    assert_eq!(details, expected);
    let (digest, text) = client.push_image("b", "latest", "").await;
    let list = index(&[(digest, text.len())], "");
    client.put_manifest("b", "list", &list).await.expect(201);
    client.put_manifest("a", "list", &list).await.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn a5_7_layers_from_elsewhere_need_not_be_there() {
    let client = Client::new();
    client.push_blob("a", b"{}").await;
    let digest = Digest::of(b"elsewhere");
    for kind in [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        let layers = format!(
            r#""layers": [{{"mediaType": "{kind}", "digest": "{digest}", "size": 9, "urls": ["https://layers.test/x"]}}], "was": "#
        );
        let text = image("").replace(r#""layers": "#, &layers);
        client.put_manifest("a", "latest", &text).await.expect(201);
    }
}

#[tokio::test]
async fn a5_8_unusual_and_right() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "latest", "").await;
    let config = Digest::of(b"{}");
    let empty = format!(
        r#"{{"schemaVersion": 2, "mediaType": "{}", "artifactType": "application/vnd.example+type", "layers": [],
            "config": {{"mediaType": "application/vnd.oci.empty.v1+json", "digest": "{config}", "size": 2, "data": "e30="}}}}"#,
        media_type::OCI_MANIFEST
    );
    client.put_manifest("a", "empty", &empty).await.expect(201);
    client.put_manifest("a", "none", &index(&[], "")).await.expect(201);
    let inner = index(&[(digest, text.len())], r#", "org.example": {"a": 1}"#);
    client.put_manifest("a", "inner", &inner).await.expect(201);
    let outer = index(&[(Digest::of(inner.as_bytes()), inner.len())], "");
    client.put_manifest("a", "outer", &outer).await.expect(201);
}

#[tokio::test]
async fn a5_10_what_is_stored_is_served() {
    let client = Client::new();
    let (_, text) = client.push_image("a", "latest", "").await;
    for accept in ["", "*/*", media_type::DOCKER_LIST, "text/html"] {
        let reply = client.send(Method::GET, "/v2/a/manifests/latest", &[("accept", accept)], "").await.expect(200);
        assert_eq!(reply.body, text.as_bytes());
    }
}

#[tokio::test]
async fn a5_11_unknown_manifests() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    let digest = Digest::of(b"nothing");
    for path in
        ["/v2/a/manifests/other".to_owned(), format!("/v2/a/manifests/{digest}"), "/v2/b/manifests/latest".to_owned()]
    {
        client.get(&path).await.expect_error(404, "MANIFEST_UNKNOWN");
        client.head(&path).await.expect(404);
    }
}

#[tokio::test]
async fn a5_12_several_tags_at_once() {
    let client = Client::new();
    let (_, text) = client.push_image("a", "latest", "").await;
    for algorithm in Algorithm::ALL {
        let digest = Digest::with(algorithm, text.as_bytes());
        let tags: Vec<_> = (0..12).map(|number| format!("{algorithm}-{number}")).collect();
        let query: Vec<_> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let path = format!("/v2/a/manifests/{digest}?{}", query.join("&"));
        let headers = [("content-type", media_type::OCI_MANIFEST)];
        let reply = client.send(Method::PUT, &path, &headers, text.clone()).await.expect(201);
        assert_eq!(reply.header("oci-tag"), tags.join(", "));
        for tag in tags {
            client.get(&format!("/v2/a/manifests/{tag}")).await.expect(200);
        }
    }
    let query: Vec<_> = (0..100).map(|number| format!("tag=t{number}")).collect();
    let path = format!("/v2/a/manifests/{}?{}", Digest::of(text.as_bytes()), query.join("&"));
    client.put(&path, text.clone()).await.expect(414);
    let path = format!("/v2/a/manifests/{}?tag=-x", Digest::of(text.as_bytes()));
    client.put(&path, text).await.expect_error(400, "TAG_INVALID");
}

#[tokio::test]
async fn a5_14_a_tag_is_given_to_another() {
    let client = Client::new();
    let (first, text) = client.push_image("a", "latest", "").await;
    client.put_manifest("a", "latest", &text).await.expect(201);
    let (second, _) = client.push_image("a", "latest", r#", "x": 1"#).await;
    let reply = client.head("/v2/a/manifests/latest").await.expect(200);
    assert_eq!(reply.header("docker-content-digest"), second.to_string());
    client.get(&format!("/v2/a/manifests/{first}")).await.expect(200);
}

#[tokio::test]
async fn errors_are_of_the_form_that_clients_read() {
    let client = Client::new();
    let reply = client.get("/v2/a/manifests/none").await.expect(404);
    let Value::Object(error) = &reply.json()["errors"][0] else { panic!("{reply:?}") };
    assert_eq!(error.keys().collect::<Vec<_>>(), ["code", "detail", "message"]);
}
