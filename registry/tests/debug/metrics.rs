//! What is counted, as Prometheus reads it.

use std::sync::Arc;
use std::time::Duration;

use blobstore::cache::MemoryCache;
use blobstore::{Digest, Namespace, NamespaceOptions};
use bytes::Bytes;
use driver_api::Storage;
use driver_api::layers::Metrics as StorageMetrics;
use driver_inmemory::MemoryDriver;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use registry::debug::{Metrics, Server};
use registry::health::Health;
use registry::notifications::{Broadcaster, NotificationOptions, Source};
use registry::{Peer, Registry, RegistryOptions};
use serde_json::{Value, json};

use crate::harness::{ask, serve};

async fn send(registry: &Registry, method: Method, path: &str, body: &'static str) {
    let request = Request::builder().method(method).uri(path).body(Full::new(Bytes::from(body))).unwrap();
    let response = registry.handle(request, Peer::default()).await;
    response.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn everything_is_counted_by_the_names_that_dashboards_know() {
    let metrics = Metrics::install().unwrap();
    let options: NotificationOptions = serde_json::from_value(json!({
        "endpoints": [{ "name": "far", "url": "http://127.0.0.1:1/", "headers": { "Authorization": ["hunter2"] } }]
    }))
    .unwrap();
    let source = Source { address: "here".to_owned(), instance: uuid::Uuid::new_v4() };
    let broadcaster = Arc::new(Broadcaster::start(&options, source).unwrap());
    let storage = Storage::new(MemoryDriver::default()).layered(StorageMetrics);
    let mut stores = NamespaceOptions::default();
    stores.cache = Some(Arc::new(MemoryCache::default()));
    let mut options = RegistryOptions::default();
    options.notifier = Some(broadcaster.clone());
    let registry = Registry::new(Namespace::new(storage, stores), options);
    let server = Server::bind("127.0.0.1:0", Health::new()).await.unwrap();
    let debug = serve(server.with_metrics(metrics.clone(), "/metrics").with_notifications(broadcaster.clone()));

    let digest = Digest::of(b"content");
    send(&registry, Method::POST, &format!("/v2/a/blobs/uploads/?digest={digest}"), "content").await;
    send(&registry, Method::GET, &format!("/v2/a/blobs/{digest}"), "").await;
    send(&registry, Method::GET, "/v2/", "").await;
    while broadcaster.numbers()[0].1.errors == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let reply = ask(debug, "GET", "/metrics").await;
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("content-type: text/plain; version=0.0.4"), "{}", reply.head);
    let text = metrics.render();
    for line in [
        "# TYPE registry_http_requests_total counter",
        "# TYPE registry_http_request_duration_seconds histogram",
        "# TYPE registry_http_request_size_bytes histogram",
        "# TYPE registry_http_response_size_bytes histogram",
        "# TYPE registry_http_in_flight_requests gauge",
        "# TYPE registry_storage_action_seconds histogram",
        "# TYPE registry_storage_cache_requests_total counter",
        "# HELP registry_http_requests_total Requests that were answered.",
        "registry_http_in_flight_requests 0",
        r#"registry_http_requests_total{handler="base",method="get",code="200"} 1"#,
        r#"registry_notifications_events_total{type="Events",endpoint="far"} 2"#,
        r#"registry_notifications_events_total{type="Successes",endpoint="far"} 0"#,
        r#"registry_notifications_pending_total{endpoint="far"} 2"#,
        r#"action="PutContent""#,
        r#"action="Reader""#,
        r#"registry_http_request_duration_seconds_bucket{handler="base",method="get",code="200",le="0.005"}"#,
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(!text.contains("storage_call_seconds"), "{text}");

    let vars = ask(debug, "GET", "/debug/vars").await;
    assert!(!vars.body.contains("hunter2"));
    let vars: Value = serde_json::from_str(&vars.body).unwrap();
    let endpoint = &vars["registry"]["notifications"]["endpoints"][0];
    assert_eq!((&endpoint["name"], &endpoint["url"]), (&json!("far"), &json!("http://127.0.0.1:1/")));
    assert_eq!((&endpoint["Threshold"], &endpoint["Timeout"]), (&json!(10), &json!(1_000_000_000)));
    assert_eq!((&endpoint["Metrics"]["Events"], &endpoint["Metrics"]["Pending"]), (&json!(2), &json!(2)));
    assert_eq!(endpoint["Metrics"]["Statuses"], json!({}));
    assert!(Metrics::install().is_err(), "it is installed once");
}
