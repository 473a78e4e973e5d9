//! Whether a registry is well, as operators and clients see it.

use std::time::{Duration, Instant};

use blobstore::{Namespace, NamespaceOptions};
use bytes::Bytes;
use driver_api::Storage;
use driver_inmemory::MemoryDriver;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use registry::debug::Server;
use registry::health::{Health, HealthOptions};
use registry::{Peer, Registry, RegistryOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{ask, serve};

fn options(value: Value) -> HealthOptions {
    serde_json::from_value(value).unwrap()
}

async fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn answer(registry: &Registry, method: Method, path: &str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path).body(Empty::<Bytes>::new()).unwrap();
    let response = registry.handle(request, Peer::default()).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_registry_that_fails_says_so_and_is_alive() {
    let health = Health::new();
    let debug = serve(Server::bind("127.0.0.1:0", health.clone()).await.unwrap());
    let mut options = RegistryOptions::default();
    options.health = Some(health.clone());
    let registry =
        Registry::new(Namespace::new(Storage::new(MemoryDriver::default()), NamespaceOptions::default()), options);
    let well = ask(debug, "GET", "/debug/health").await;
    assert_eq!((well.status, well.body.as_str()), (200, "{}"));
    assert!(well.head.contains("content-type: application/json"), "{}", well.head);
    assert_eq!(answer(&registry, Method::GET, "/v2/").await.0, 200);

    health.update("disk", Err("it is full".to_owned()));
    let unwell = ask(debug, "GET", "/debug/health").await;
    assert_eq!((unwell.status, unwell.body.as_str()), (503, r#"{"disk":"it is full"}"#));
    for (method, path) in [(Method::GET, "/v2/"), (Method::POST, "/v2/a/blobs/uploads/"), (Method::GET, "/v2/_catalog")]
    {
        let (status, body) = answer(&registry, method, path).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["errors"][0]["code"]), (503, &json!("UNAVAILABLE")));
        assert_eq!(body["errors"][0]["message"], "health check failed: please see /debug/health");
    }
    // Why is the operator's business.
    assert!(!answer(&registry, Method::GET, "/v2/").await.1.contains("full"));
    assert_eq!(answer(&registry, Method::GET, "/").await.0, 200);
    health.update("disk", Ok(()));
    assert_eq!(answer(&registry, Method::GET, "/v2/").await.0, 200);
}

#[tokio::test]
async fn an_operator_takes_it_out_of_service_and_back() {
    let health = Health::new();
    let debug = serve(Server::bind("127.0.0.1:0", health.clone()).await.unwrap());
    assert_eq!(ask(debug, "GET", "/debug/health/down").await.status, 405);
    assert!(!health.failing());
    assert_eq!(ask(debug, "POST", "/debug/health/down").await.status, 200);
    let report = ask(debug, "GET", "/debug/health").await;
    assert_eq!((report.status, report.body.as_str()), (503, r#"{"manual_http_status":"manual check"}"#));
    assert!(health.failing());
    assert_eq!(ask(debug, "HEAD", "/debug/health").await.status, 503);
    assert_eq!(ask(debug, "POST", "/debug/health/up").await.status, 200);
    assert_eq!(ask(debug, "GET", "/debug/health").await.status, 200);
    assert_eq!(ask(debug, "GET", "/debug/other").await.status, 404);
    assert!(ask(debug, "DELETE", "/debug/health").await.head.contains("allow: get, head"));
}

#[tokio::test]
async fn a_file_takes_it_out_of_service() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("out");
    let health = Health::new();
    let checks = options(json!({ "file": [{ "file": file, "interval": "10ms" }] }));
    let watch = health.watch(&checks, None).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!health.failing());
    std::fs::write(&file, "").unwrap();
    until(|| health.failing()).await;
    assert_eq!(health.report()[file.to_str().unwrap()], "file exists");
    std::fs::remove_file(&file).unwrap();
    until(|| !health.failing()).await;
    drop(watch);
    std::fs::write(&file, "").unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!health.failing());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_answers_otherwise_fails() {
    let other = Health::new();
    let address = serve(Server::bind("127.0.0.1:0", other.clone()).await.unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let health = Health::new();
    let checks = options(json!({
        "http": [
            { "uri": format!("http://user:hunter2@{address}/debug/health?x=hunter2"), "interval": "10ms", "threshold": 2 },
            { "uri": format!("http://{address}/nothing"), "statuscode": 404, "interval": "10ms" },
        ],
        "tcp": [
            { "addr": address.to_string(), "interval": "10ms" },
            { "addr": closed.to_string(), "interval": "10ms", "threshold": 3, "timeout": "1s" },
        ],
    }));
    let _watch = health.watch(&checks, None).unwrap();
    until(|| health.failing()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(health.report().into_keys().collect::<Vec<_>>(), [closed.to_string()]);
    other.down();
    until(|| health.report().len() == 2).await;
    let report = format!("{:?}", health.report());
    assert!(report.contains("503") && !report.contains("hunter2"), "{report}");
    other.up();
    until(|| health.report().len() == 1).await;
}

#[tokio::test]
async fn a_storage_that_is_empty_is_well() {
    let health = Health::new();
    let storage = Storage::new(MemoryDriver::default());
    let checks = options(json!({ "storagedriver": { "enabled": true, "interval": "5ms", "threshold": 1 } }));
    let _watch = health.watch(&checks, Some(("inmemory", storage))).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(health.report().len(), 0);
}

#[test]
fn what_cannot_be_checked_is_told_at_the_start() {
    let health = Health::new();
    for check in [
        json!({ "uri": "nowhere" }),
        json!({ "uri": "http://a/", "statuscode": 99 }),
        json!({ "uri": "http://a/", "headers": { "a b": ["hunter2"] } }),
    ] {
        let checks = options(json!({ "http": [check] }));
        let error = health.watch(&checks, None).unwrap_err();
        assert!(!format!("{error}{checks:?}").contains("hunter2"));
    }
}
