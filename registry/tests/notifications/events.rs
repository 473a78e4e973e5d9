//! Which events there are, and what stands in them.

use blobstore::{Digest, media_type};
use http::Method;
use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Mood};
use crate::source::{Origin, one};

const IMAGE: &str = media_type::OCI_MANIFEST;

fn image() -> String {
    let (config, layer) = (Digest::of(b"{}"), Digest::of(b"layer"));
    json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": { "mediaType": "application/c", "digest": config, "size": 2 },
        "layers": [{ "mediaType": "application/l", "digest": layer, "size": 5 }],
    })
    .to_string()
}

/// Pushes an image with its blobs, pulls it, and takes all of it away. Ten events.
async fn do_everything(origin: &Origin) {
    let put = |content: &'static [u8]| async move {
        let path = format!("/v2/a/b/blobs/uploads/?digest={}", Digest::of(content));
        assert_eq!(origin.send(Method::POST, &path, "application/octet-stream", content).await, 201);
    };
    put(b"{}").await;
    put(b"layer").await;
    let mount = format!("/v2/c/blobs/uploads/?mount={}&from=a/b", Digest::of(b"layer"));
    assert_eq!(origin.send(Method::POST, &mount, "", "").await, 201);
    assert_eq!(origin.send(Method::PUT, "/v2/a/b/manifests/latest", IMAGE, image()).await, 201);
    assert_eq!(origin.send(Method::HEAD, "/v2/a/b/manifests/latest", "", "").await, 200);
    assert_eq!(origin.send(Method::GET, "/v2/a/b/manifests/latest", "", "").await, 200);
    let manifest = format!("/v2/a/b/manifests/{}", Digest::of(image().as_bytes()));
    assert_eq!(origin.send(Method::GET, &manifest, "", "").await, 200);
    let layer = format!("/v2/a/b/blobs/{}", Digest::of(b"layer"));
    assert_eq!(origin.send(Method::HEAD, &layer, "", "").await, 200);
    assert_eq!(origin.send(Method::GET, &layer, "", "").await, 200);
    assert_eq!(origin.send(Method::DELETE, "/v2/a/b/manifests/latest", "", "").await, 202);
    assert_eq!(origin.send(Method::DELETE, &manifest, "", "").await, 202);
    assert_eq!(origin.send(Method::DELETE, &layer, "", "").await, 202);
}

fn summary(events: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    events
        .iter()
        .map(|event| {
            let target = &event["target"];
            let parts = [&event["action"], &target["mediaType"], &target["tag"], &target["fromRepository"]].map(text);
            parts.join(" ")
        })
        .collect()
}

#[tokio::test]
async fn everything_that_is_done_is_told_and_questions_are_not() {
    let endpoint = Endpoint::start(Mood::Answer(200)).await;
    let origin = Origin::new(one(
        &endpoint.url(),
        json!({ "headers": { "Authorization": ["Bearer x"], "X-More": ["1", "2"] } }),
    ));
    do_everything(&origin).await;
    let events = endpoint.wait_for(10).await;
    let blob = "application/octet-stream";
    assert_eq!(
        summary(&events),
        [
            format!("push {blob} - -"),
            format!("push {blob} - -"),
            format!("mount {blob} - a/b"),
            format!("push {IMAGE} latest -"),
            format!("pull {IMAGE} latest -"),
            format!("pull {IMAGE} - -"),
            format!("pull {blob} - -"),
            "delete - latest -".to_owned(),
            "delete - - -".to_owned(),
            "delete - - -".to_owned(),
        ]
    );
    let headers = &endpoint.received()[0].headers;
    assert_eq!(headers["content-type"], "application/vnd.docker.distribution.events.v2+json");
    assert_eq!(headers["authorization"], "Bearer x");
    assert_eq!(headers.get_all("x-more").iter().count(), 2);
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn the_document_is_this_byte_for_byte() {
    let endpoint = Endpoint::start(Mood::Answer(200)).await;
    let mut options = one(&endpoint.url(), json!({}));
    options["events"] = json!({ "includereferences": true });
    let origin = Origin::new(options);
    do_everything(&origin).await;
    endpoint.wait_for(10).await;
    for (place, action, method) in [(3, "push", "PUT"), (4, "pull", "GET")] {
        let body = String::from_utf8(endpoint.received()[place].body.to_vec()).unwrap();
        let event = endpoint.taken()[place].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (id, timestamp, request) = (text(&event["id"]), text(&event["timestamp"]), text(&event["request"]["id"]));
        assert!(uuid::Uuid::parse_str(&id).is_ok() && uuid::Uuid::parse_str(&request).is_ok());
        assert!(timestamp.ends_with('Z') && timestamp.len() > "2026-01-01T00:00:00Z".len(), "{timestamp}");
        let (digest, size) = (Digest::of(image().as_bytes()), image().len());
        let (config, layer) = (Digest::of(b"{}"), Digest::of(b"layer"));
        let expected = format!(
            r#"{{
   "events": [
      {{
         "id": "{id}",
         "timestamp": "{timestamp}",
         "action": "{action}",
         "target": {{
            "mediaType": "{IMAGE}",
            "digest": "{digest}",
            "size": {size},
            "length": {size},
            "repository": "a/b",
            "url": "http://registry.test/v2/a/b/manifests/{digest}",
            "tag": "latest",
            "references": [
               {{
                  "mediaType": "application/c",
                  "digest": "{config}",
                  "size": 2
               }},
               {{
                  "mediaType": "application/l",
                  "digest": "{layer}",
                  "size": 5
               }}
            ]
         }},
         "request": {{
            "id": "{request}",
            "addr": "192.0.2.1:4000",
            "host": "registry.test",
            "method": "{method}",
            "useragent": "test/1"
         }},
         "actor": {{}},
         "source": {{
            "addr": "registry.test:5000",
            "instanceID": "00000000-0000-0000-0000-000000000007"
         }}
      }}
   ]
}}"#
        );
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn what_an_endpoint_ignores_it_is_not_told() {
    let (all, some) = (Endpoint::start(Mood::Answer(200)).await, Endpoint::start(Mood::Answer(200)).await);
    let options = json!({ "endpoints": [
        { "name": "all", "url": all.url() },
        { "name": "some", "url": some.url(), "ignoredmediatypes": ["application/octet-stream"],
          "ignore": { "mediatypes": ["application/other"], "actions": ["delete"] } },
        { "name": "none", "url": "http://127.0.0.1:1/", "disabled": true },
    ]});
    let origin = Origin::new(options);
    do_everything(&origin).await;
    let of_all = all.wait_for(10).await;
    let of_some = some.wait_for(3).await;
    assert_eq!(
        summary(&of_some),
        [format!("push {IMAGE} latest -"), format!("pull {IMAGE} latest -"), format!("pull {IMAGE} - -")]
    );
    // It is the same event, whoever is told.
    assert_eq!(of_some[0], of_all[3]);
    origin.broadcaster.stop(std::time::Duration::from_secs(5)).await;
    let numbers = origin.broadcaster.numbers();
    assert_eq!(
        numbers.iter().map(|(name, numbers)| (*name, numbers.events)).collect::<Vec<_>>(),
        [("all", 10), ("some", 3)]
    );
}
