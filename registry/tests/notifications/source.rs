//! A registry in which things are done that others are told of.

use std::path::Path;
use std::sync::Arc;

use blobstore::{Digest, Namespace, NamespaceOptions};
use bytes::Bytes;
use driver_api::Storage;
use driver_inmemory::MemoryDriver;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use registry::notifications::{Broadcaster, NotificationOptions, Numbers, Source};
use registry::{Peer, Registry, RegistryOptions};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) struct Origin {
    pub(crate) registry: Registry,
    pub(crate) broadcaster: Arc<Broadcaster>,
}

/// The options of one endpoint, quick to be left alone and to be tried again.
pub(crate) fn one(url: &str, extra: Value) -> Value {
    let mut endpoint = json!({ "name": "it", "url": url, "threshold": 3, "backoff": "50ms", "timeout": "500ms" });
    for (key, value) in extra.as_object().unwrap() {
        endpoint[key] = value.clone();
    }
    json!({ "endpoints": [endpoint] })
}

pub(crate) fn with_spool(mut options: Value, directory: &Path) -> Value {
    options["spool"] = json!({ "directory": directory, "maxsize": "65536" });
    options
}

pub(crate) fn source() -> Source {
    Source { address: "registry.test:5000".to_owned(), instance: Uuid::from_u128(7) }
}

impl Origin {
    pub(crate) fn new(options: Value) -> Self {
        let options: NotificationOptions = serde_json::from_value(options).unwrap();
        let broadcaster = Arc::new(Broadcaster::start(&options, source()).unwrap());
        let mut stores = NamespaceOptions::default();
        stores.delete_enabled = true;
        let namespace = Namespace::new(Storage::new(MemoryDriver::default()), stores);
        let mut options = RegistryOptions::default();
        options.notifier = Some(broadcaster.clone());
        Self { registry: Registry::new(namespace, options), broadcaster }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> StatusCode {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "registry.test")
            .header("user-agent", "test/1")
            .header("content-type", content_type)
            .body(Full::new(body.into()))
            .unwrap();
        let peer = Peer { address: Some("192.0.2.1:4000".parse().unwrap()), is_tls: false };
        let response = self.registry.handle(request, peer).await;
        let status = response.status();
        response.into_body().collect().await.unwrap();
        status
    }

    /// Does something that is told of: pushes the blob of that number.
    pub(crate) async fn push(&self, number: usize) {
        let content = format!("blob {number}");
        let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(content.as_bytes()));
        assert_eq!(self.send(Method::POST, &path, "application/octet-stream", content).await, 201);
    }

    pub(crate) fn numbers(&self) -> Numbers {
        self.broadcaster.numbers()[0].1.clone()
    }
}

/// The number of the blob that an event is of.
pub(crate) fn number(event: &Value, among: usize) -> usize {
    let digest = event["target"]["digest"].as_str().unwrap();
    (0..among).find(|number| Digest::of(format!("blob {number}").as_bytes()).to_string() == digest).unwrap()
}

pub(crate) fn numbers(events: &[Value], among: usize) -> Vec<usize> {
    let known: std::collections::HashMap<_, _> =
        (0..among).map(|number| (Digest::of(format!("blob {number}").as_bytes()).to_string(), number)).collect();
    events.iter().map(|event| known[event["target"]["digest"].as_str().unwrap()]).collect()
}
