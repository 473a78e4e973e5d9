//! A registry that asks who is there, and requests to it.

use blobstore::Digest;
use http::Method;
use registry::RegistryOptions;
use registry::access::{AccessControl, AccessOptions};

use crate::harness::{Client, Reply};

/// A registry that asks who is there, with another beside it, on the same storage, that does not.
pub(crate) struct Secured {
    client: Client,
    pub(crate) open: Client,
}

impl Secured {
    pub(crate) async fn with(options: AccessOptions) -> Self {
        let access = AccessControl::open(options).await.unwrap();
        let mut options = RegistryOptions::default();
        options.access = access;
        let client = Client::with(options);
        let open = client.other_server(RegistryOptions::default());
        Self { client, open }
    }

    /// Sends a request with `Authorization`, unless that is empty.
    pub(crate) async fn send(&self, method: Method, path: &str, authorization: &str) -> Reply {
        let headers = [("authorization", authorization)];
        let headers = if authorization.is_empty() { &[][..] } else { &headers[..] };
        self.client.send(method, path, headers, "").await
    }

    pub(crate) async fn send_with(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.client.send(method, path, headers, "").await
    }

    pub(crate) async fn get(&self, path: &str, authorization: &str) -> Reply {
        self.send(Method::GET, path, authorization).await
    }

    /// The challenge of a request that must be refused.
    #[track_caller]
    pub(crate) fn refused(reply: Reply) -> String {
        let reply = if reply.body.is_empty() { reply.expect(401) } else { reply.expect_error(401, "UNAUTHORIZED") };
        assert_eq!(reply.headers.get_all("www-authenticate").iter().count(), 1);
        reply.header("www-authenticate").to_owned()
    }
}

/// Requests of every kind to a repository, and the actions that they need.
pub(crate) fn requests(name: &str) -> Vec<(Method, String, &'static str)> {
    let digest = Digest::of(b"layer");
    let upload = format!("/v2/{name}/blobs/uploads/00000000-0000-4000-8000-000000000000");
    vec![
        (Method::GET, format!("/v2/{name}/manifests/latest"), "pull"),
        (Method::HEAD, format!("/v2/{name}/manifests/latest"), "pull"),
        (Method::GET, format!("/v2/{name}/blobs/{digest}"), "pull"),
        (Method::HEAD, format!("/v2/{name}/blobs/{digest}"), "pull"),
        (Method::GET, format!("/v2/{name}/tags/list"), "pull"),
        (Method::GET, format!("/v2/{name}/referrers/{digest}"), "pull"),
        (Method::GET, upload.clone(), "pull"),
        (Method::POST, format!("/v2/{name}/blobs/uploads/"), "pull,push"),
        (Method::PATCH, upload.clone(), "pull,push"),
        (Method::PUT, format!("{upload}?digest={digest}"), "pull,push"),
        (Method::DELETE, upload, "pull,push"),
        (Method::PUT, format!("/v2/{name}/manifests/other"), "pull,push"),
        (Method::DELETE, format!("/v2/{name}/manifests/latest"), "delete"),
        (Method::DELETE, format!("/v2/{name}/manifests/{digest}"), "delete"),
        (Method::DELETE, format!("/v2/{name}/blobs/{digest}"), "delete"),
    ]
}
