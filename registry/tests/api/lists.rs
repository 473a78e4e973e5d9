//! A6 and B1: tags and repositories.

use http::Method;
use serde_json::json;

use crate::harness::Client;

async fn tags(client: &Client, query: &str) -> (Vec<String>, Option<String>) {
    let reply = client.get(&format!("/v2/a/tags/list{query}")).await.expect(200);
    let value = reply.json();
    assert_eq!(value["name"], "a");
    let next = reply.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
    (serde_json::from_value(value["tags"].clone()).unwrap(), next)
}

#[tokio::test]
async fn a6_1_to_a6_5_pages_of_tags() {
    let client = Client::new();
    client.get("/v2/a/tags/list").await.expect_error(404, "NAME_UNKNOWN");
    let (digest, text) = client.push_image("a", "b", "").await;
    for tag in ["B", "1.0", "1.0-rc", "a", "_x"] {
        client.put_manifest("a", tag, &text).await.expect(201);
    }
    let all = ["1.0", "1.0-rc", "B", "_x", "a", "b"];
    assert_eq!(tags(&client, "").await, (all.map(str::to_owned).to_vec(), None));
    assert_eq!(tags(&client, "?last=1.0-rc").await.0, all[2..]);
    assert_eq!(tags(&client, "?last=C").await.0, all[3..]);
    let (first, next) = tags(&client, "?n=4").await;
    assert_eq!(first, all[..4]);
    assert_eq!(next.as_deref(), Some("<http://registry.test/v2/a/tags/list?n=4&last=_x>; rel=\"next\""));
    assert_eq!(tags(&client, "?n=4&last=_x").await, (all[4..].iter().map(|tag| (*tag).to_owned()).collect(), None));
    assert_eq!(tags(&client, "?n=6").await.1, None);
    assert_eq!(tags(&client, "?n=0").await, (Vec::new(), None));
    for query in ["n=-1", "n=x"] {
        client.get(&format!("/v2/a/tags/list?{query}")).await.expect_error(400, "PAGINATION_NUMBER_INVALID");
    }
    for tag in all {
        client.delete(&format!("/v2/a/manifests/{tag}")).await.expect(202);
    }
    let reply = client.get("/v2/a/tags/list").await.expect(200);
    assert_eq!(reply.json(), json!({ "name": "a", "tags": [] }));
    client.get(&format!("/v2/a/manifests/{digest}")).await.expect(200);
}

#[tokio::test]
async fn a6_5_a_page_is_no_larger_than_the_operator_allows() {
    let mut options = registry::RegistryOptions::default();
    options.tags_page = 2;
    let client = Client::with(options);
    let (_, text) = client.push_image("a", "a", "").await;
    for tag in ["b", "c"] {
        client.put_manifest("a", tag, &text).await.expect(201);
    }
    for query in ["", "?n=100"] {
        let (page, next) = tags(&client, query).await;
        assert_eq!(page, ["a", "b"]);
        assert!(next.unwrap().contains("n=2&last=b"));
    }
}

#[tokio::test]
async fn b1_the_catalog() {
    let client = Client::new();
    let catalog = |query: &'static str| {
        let client = &client;
        async move { client.get(&format!("/v2/_catalog{query}")).await }
    };
    assert_eq!(catalog("").await.expect(200).json(), json!({ "repositories": [] }));
    for name in ["b", "a/c", "a", "a-b"] {
        client.push_image(name, "latest", "").await;
    }
    client.push_blob("only/blobs", b"content").await;
    let all = catalog("").await.expect(200).json()["repositories"].clone();
    assert_eq!(all, json!(["a-b", "a", "a/c", "b"]));
    let reply = catalog("?n=2").await.expect(200);
    assert_eq!(reply.json(), json!({ "repositories": ["a-b", "a"] }));
    assert_eq!(reply.header("link"), "<http://registry.test/v2/_catalog?n=2&last=a>; rel=\"next\"");
    let reply = catalog("?n=2&last=a").await.expect(200);
    assert_eq!(reply.json(), json!({ "repositories": ["a/c", "b"] }));
    assert!(!reply.headers.contains_key("link"));
    assert_eq!(catalog("?n=0").await.expect(200).json(), json!({ "repositories": [] }));
    catalog("?n=x").await.expect_error(400, "PAGINATION_NUMBER_INVALID");
    client.send(Method::POST, "/v2/_catalog", &[], "").await.expect_error(405, "UNSUPPORTED");
}
