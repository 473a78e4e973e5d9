//! What the API does, a module for each thing that it does it to.

mod blobs;
mod lists;
mod manifests;
mod mounts;
mod referrers;
mod uploads;

use blobstore::Digest;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};

use crate::body::{Body, RequestBody};
use crate::call::Call;
use crate::error::ApiError;
use crate::notifications::{Action, Event, Request, Target};
use crate::registry::{Registry, without_body};
use crate::route::Route;

pub(crate) type Answer = Result<Response<Body>, ApiError>;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Registry {
    /// Does what a request asks for, which it may.
    pub(crate) async fn dispatch(&self, call: &Call, route: Route, body: &mut RequestBody) -> Answer {
        match route {
            Route::Base => Ok(json(call, "{}".into(), JSON)),
            Route::Catalog => self.catalog(call).await,
            Route::Tags(name) => self.tags(call, name).await,
            Route::Referrers(name, subject) => self.referrers(call, name, subject).await,
            Route::Manifest(name, reference) => match call.method {
                Method::PUT => self.put_manifest(call, name, reference, body).await,
                Method::DELETE => self.delete_manifest(call, name, reference).await,
                _ => self.get_manifest(call, name, reference).await,
            },
            Route::Blob(name, digest) => match call.method {
                Method::DELETE => self.delete_blob(call, name, digest).await,
                _ => self.get_blob(call, name, digest).await,
            },
            Route::Uploads(name) => self.begin_upload(call, name, body).await,
            Route::Upload(name, id) => match call.method {
                Method::PATCH => self.append_upload(call, name, id, body).await,
                Method::PUT => self.commit_upload(call, name, id, body).await,
                Method::DELETE => self.cancel_upload(call, name, id).await,
                _ => self.upload_status(call, name, id).await,
            },
        }
    }

    /// Tells others what was done, and with what.
    fn notify(&self, call: &Call, action: Action, done: Done<'_>) {
        let Some(notifier) = &self.options().notifier else { return };
        let host = call.header(&http::header::HOST).map(str::to_owned);
        notifier.notify(Event {
            action,
            repository: done.repository.clone(),
            tag: done.tag.cloned(),
            target: done.target,
            url: done.url,
            references: done.references,
            request: Request {
                id: call.id,
                client: call.client.map(|client| client.to_string()),
                host,
                method: call.method.to_string(),
                user_agent: call.header(&http::header::USER_AGENT).map(str::to_owned),
            },
            actor: call.caller.name.clone(),
        });
    }
}

/// With what something was done.
struct Done<'a> {
    repository: &'a blobstore::RepositoryName,
    tag: Option<&'a blobstore::Tag>,
    target: Option<Target>,
    url: Option<String>,
    references: Vec<blobstore::Reference>,
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer of that kind; of its length alone, to a HEAD.
fn json(call: &Call, content: Bytes, media_type: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::full(content));
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    if call.is_head() { without_body(response) } else { response }
}

fn insert_digest(headers: &mut HeaderMap, digest: &Digest) {
    headers.insert(CONTENT_DIGEST, header(digest));
}

/// A header of what is written in visible ASCII characters only, which digests, names and addresses are.
fn header(text: impl std::fmt::Display) -> HeaderValue {
    HeaderValue::try_from(text.to_string()).unwrap_or(HeaderValue::from_static(""))
}

/// The entity tag of content: what it is called is what it is.
fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}
