//! A registry in memory, and requests to it.

use std::sync::Arc;

use blobstore::cache::MemoryCache;
use blobstore::{Digest, Namespace, NamespaceOptions, media_type};
use bytes::Bytes;
use driver_api::Storage;
use driver_inmemory::MemoryDriver;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use registry::{Peer, Registry, RegistryOptions};
use serde_json::{Value, json};

/// A registry and the storage below it.
pub(crate) struct Client {
    pub(crate) registry: Registry,
    pub(crate) storage: Storage,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().unwrap()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Asserts a status and the code of the first error.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.json()["errors"][0]["code"], code, "{reply:?}");
        reply
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The path and the query of `Location`.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        let location = self.header("location");
        location.strip_prefix("http://registry.test").unwrap_or(location).to_owned()
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(RegistryOptions::default())
    }

    /// A registry that deletes, and remembers blobs.
    pub(crate) fn with(options: RegistryOptions) -> Self {
        let storage = Storage::new(MemoryDriver::default());
        let mut stores = NamespaceOptions::default();
        stores.delete_enabled = true;
        stores.cache = Some(Arc::new(MemoryCache::default()));
        let registry = Registry::new(Namespace::new(storage.clone(), stores), options);
        Self { registry, storage }
    }

    /// Another server on the same storage.
    pub(crate) fn other_server(&self, options: RegistryOptions) -> Self {
        let namespace = Namespace::new(self.storage.clone(), NamespaceOptions::default());
        Self { registry: Registry::new(namespace, options), storage: self.storage.clone() }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let is_head = method == Method::HEAD;
        let mut request = Request::builder().method(method).uri(path).header("host", "registry.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = self.registry.handle(request, Peer::default()).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(!is_head || body.is_empty(), "a HEAD was answered with a body");
        assert_eq!(head.headers["docker-distribution-api-version"], "registry/2.0");
        Reply { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn head(&self, path: &str) -> Reply {
        self.send(Method::HEAD, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str) -> Reply {
        self.send(Method::POST, path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        self.send(Method::PUT, path, &[], body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        self.send(Method::PATCH, path, &[], body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], "").await
    }

    /// Begins an upload; answers with its address.
    pub(crate) async fn begin(&self, repository: &str) -> String {
        self.post(&format!("/v2/{repository}/blobs/uploads/")).await.expect(202).location()
    }

    /// Pushes a blob in one request.
    pub(crate) async fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.send(Method::POST, &path, &[], content.to_vec()).await.expect(201);
        digest
    }

    /// Pushes an image of one layer, whose text `extra` is put into; answers with its digest and its text.
    pub(crate) async fn push_image(&self, repository: &str, reference: &str, extra: &str) -> (Digest, String) {
        self.push_blob(repository, b"{}").await;
        self.push_blob(repository, b"layer").await;
        let text = image(extra);
        self.put_manifest(repository, reference, &text).await.expect(201);
        (Digest::of(text.as_bytes()), text)
    }

    pub(crate) async fn put_manifest(&self, repository: &str, reference: &str, text: &str) -> Reply {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let media_type: Value = serde_json::from_str(text).unwrap_or_default();
        let media_type = media_type["mediaType"].as_str().unwrap_or(media_type::OCI_MANIFEST);
        self.send(Method::PUT, &path, &[("content-type", media_type)], text.to_owned()).await
    }
}

/// The text of an image of one layer.
pub(crate) fn image(extra: &str) -> String {
    let (config, layer) = (Digest::of(b"{}"), Digest::of(b"layer"));
    let media_type = media_type::OCI_MANIFEST;
    format!(
        r#"{{ "schemaVersion": 2,  "mediaType": "{media_type}",
  "config": {{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "{config}", "size": 2}},
  "layers": [{{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "{layer}", "size": 5}}]{extra}}}"#
    )
}

/// The text of an index of some manifests.
pub(crate) fn index(manifests: &[(Digest, usize)], extra: &str) -> String {
    let manifests: Vec<_> = manifests
        .iter()
        .map(|(digest, size)| json!({ "mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": size }))
        .collect();
    let manifests = Value::from(manifests);
    let media_type = media_type::OCI_INDEX;
    format!(r#"{{"schemaVersion": 2, "mediaType": "{media_type}", "manifests": {manifests}{extra}}}"#)
}
