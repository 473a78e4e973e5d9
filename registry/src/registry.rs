//! From a request to its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use blobstore::{Namespace, UploadId};
use bytes::Bytes;
use driver_api::Context;
use http::header::{HOST, HeaderName, HeaderValue, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use moka::sync::Cache;
use tokio::sync::Semaphore;
use tracing::Instrument;
use uuid::Uuid;

use crate::access::{AccessControl, Action, Caller, Grant, Refusal, Resource};
use crate::body::{Body, BoxError, RequestBody};
use crate::call::{Call, Client, Peer};
use crate::error::{ApiError, Code};
use crate::health::Health;
use crate::location::{Base, LocationOptions};
use crate::notifications::Notifier;
use crate::page::Query;
use crate::redirects::Redirects;
use crate::route::{NoRoute, Route};
use crate::ticket::Secret;
use crate::web::Asked;

/// Older clients of Docker know by it that this is a registry of the second version.
const API_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));

/// The target of the lines that note requests.
pub const ACCESS_LOG: &str = "registry::access";

/// How many uploads that have ended are remembered, and how long: their tickets would begin them again.
const ENDED_UPLOADS: u64 = 10_000;
const ENDED_FOR: Duration = Duration::from_secs(60 * 60);

/// How a registry behaves.
#[derive(Debug)]
#[non_exhaustive]
pub struct RegistryOptions {
    /// How addresses in answers are written.
    pub location: LocationOptions,
    /// What servers on one storage share.
    pub secret: Secret,
    /// Whether clients may only read.
    pub read_only: bool,
    /// Where clients are sent for blobs; none where all content goes through the registry.
    pub redirects: Option<Redirects>,
    /// The most repositories in a page of the catalog.
    pub catalog_page: usize,
    /// The most tags in a page.
    pub tags_page: usize,
    /// How long a client may take for its next bytes.
    pub patience: Duration,
    /// How many uploads may be going on at once, in this process.
    pub uploads: usize,
    /// Headers that every answer has.
    pub headers: HeaderMap,
    /// Who may do what.
    pub access: AccessControl,
    /// Who is told what was done.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// Whether it can serve: while something fails, it answers that it cannot.
    pub health: Option<Health>,
    /// Whether browsers are shown what there is.
    pub page: bool,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            location: LocationOptions::default(),
            secret: Secret::random(),
            read_only: false,
            redirects: Some(Redirects::default()),
            catalog_page: 1000,
            tags_page: 1000,
            patience: Duration::from_secs(60),
            uploads: 1000,
            headers: HeaderMap::new(),
            access: AccessControl::default(),
            notifier: None,
            health: None,
            page: true,
        }
    }
}

/// A registry: answers requests from what is in a storage. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use blobstore::{Namespace, NamespaceOptions};
/// use driver_api::Storage;
/// use registry::{Peer, Registry, RegistryOptions};
/// let storage = Storage::new(driver_inmemory::MemoryDriver::default());
/// let namespace = Namespace::new(storage, NamespaceOptions::default());
/// let registry = Registry::new(namespace, RegistryOptions::default());
/// let request = http::Request::get("/v2/").body(http_body_util::Empty::new())?;
/// assert_eq!(registry.handle(request, Peer::default()).await.status(), 200);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    namespace: Namespace,
    options: RegistryOptions,
    ended: Cache<UploadId, ()>,
    uploads: Arc<Semaphore>,
}

impl Registry {
    /// A registry of what is in `namespace`.
    pub fn new(namespace: Namespace, options: RegistryOptions) -> Self {
        let ended = Cache::builder().max_capacity(ENDED_UPLOADS).time_to_live(ENDED_FOR).build();
        let uploads = Arc::new(Semaphore::new(options.uploads.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Inner { namespace, options, ended, uploads }))
    }

    /// What is in it.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    pub(crate) fn options(&self) -> &RegistryOptions {
        &self.0.options
    }

    /// Uploads that have ended lately, in this process.
    pub(crate) fn ended(&self) -> &Cache<UploadId, ()> {
        &self.0.ended
    }

    pub(crate) fn uploads(&self) -> &Semaphore {
        &self.0.uploads
    }

    /// Answers a request. Whatever goes wrong is an answer as well.
    pub async fn handle<B>(&self, request: Request<B>, peer: Peer) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (mut head, body) = request.into_parts();
        // HTTP/2 has the host elsewhere.
        if let (None, Some(authority)) = (head.headers.get(HOST), head.uri.authority())
            && let Ok(host) = HeaderValue::try_from(authority.as_str())
        {
            head.headers.insert(HOST, host);
        }
        let id = Uuid::new_v4();
        let span = tracing::info_span!("request", %id, method = %head.method, path = head.uri.path());
        let client = Client::of(&head.headers, peer);
        let log = AccessLog {
            begun: Instant::now(),
            method: head.method.clone(),
            client,
            user_agent: head.headers.get(USER_AGENT).cloned(),
        };
        let is_reading = matches!(head.method, Method::GET | Method::HEAD);
        let (registry, body) = (self.clone(), RequestBody::new(body, self.options().patience));
        let (_in_flight, request_bytes) = (InFlight::begin(), body.declared());
        let answer = {
            let span = span.clone();
            async move { registry.answer(head, body, id, (client, peer), &span).instrument(span.clone()).await }
        };
        // A connection that ends drops what it waits for; what changes something is not left half done, and keeps what has come.
        let (handler, mut response) = if is_reading {
            answer.await
        } else {
            tokio::spawn(answer).await.unwrap_or_else(|error| {
                tracing::error!(%error, "a request was not answered");
                ("unknown", ApiError::new(Code::Unknown, "the registry failed; its log says why").into_response())
            })
        };
        let headers = response.headers_mut();
        headers.insert(API_VERSION.0, API_VERSION.1);
        headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(self.options().headers.clone());
        span.in_scope(|| log.write(handler, &response, request_bytes));
        response
    }

    async fn answer(
        &self,
        head: request::Parts,
        mut body: RequestBody,
        id: Uuid,
        (client, peer): (Option<Client>, Peer),
        span: &tracing::Span,
    ) -> (&'static str, Response<Body>) {
        let is_head = head.method == Method::HEAD;
        let path = self.below_prefix(head.uri.path());
        if self.options().page
            && let Some(asked) = path.and_then(|path| Asked::read(path, &head))
        {
            let page = self.page(asked, &head, Context::background().with_span(span.clone())).await;
            if !page.status().is_success() {
                body.drain().await;
            }
            return ("page", page);
        }
        if path == Some("/") && matches!(head.method, Method::GET | Method::HEAD) {
            return ("root", alive(self.options().page));
        }
        if self.options().health.as_ref().is_some_and(Health::failing) {
            return ("unknown", refuse(body, unhealthy(), is_head).await);
        }
        let route = match path.map_or(Err(NoRoute::Unknown), Route::parse) {
            Ok(route) => route,
            Err(NoRoute::Unknown) => return ("unknown", refuse(body, nothing_here(), is_head).await),
            // Who may not ask is not told what was wrong with the question.
            Err(NoRoute::Invalid(error)) => {
                let error = self.authorize(&head.headers, &[]).await.err().unwrap_or(error);
                return ("unknown", refuse(body, error, is_head).await);
            }
        };
        let handler = route.handler();
        let caller = match self.check(&head, &route).await {
            Ok(caller) => caller,
            Err(error) => return (handler, refuse(body, error, is_head).await),
        };
        let call = Call {
            context: Context::background().with_span(span.clone()),
            id,
            base: Base::of(&self.options().location, &head.headers, peer.is_tls),
            query: Query::read(head.uri.query()),
            method: head.method,
            headers: head.headers,
            client,
            caller,
        };
        match self.dispatch(&call, route, &mut body).await {
            Ok(response) => (handler, response),
            Err(error) => (handler, refuse(body, error, is_head).await),
        }
    }

    /// The path below the prefix of the server; none where it is outside.
    fn below_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        match self.options().location.prefix.trim_end_matches('/') {
            "" => Some(path),
            _ if path == "/" => Some(path),
            prefix => path.strip_prefix(prefix).filter(|rest| rest.starts_with('/')),
        }
    }

    async fn check(&self, head: &request::Parts, route: &Route) -> Result<Caller, ApiError> {
        let methods = route.methods();
        if !methods.contains(&head.method) {
            return Err(ApiError::method_not_allowed(methods));
        }
        let is_reading = matches!(head.method, Method::GET | Method::HEAD);
        let wanted = wanted(route, &head.method);
        let caller = self.authorize_wishing(&head.headers, &wanted, &wished(route, head)).await?;
        if self.options().read_only && !is_reading {
            let allowed: Vec<_> =
                methods.iter().filter(|method| matches!(**method, Method::GET | Method::HEAD)).cloned().collect();
            return Err(ApiError::method_not_allowed(&allowed));
        }
        Ok(caller)
    }

    pub(crate) async fn authorize(&self, headers: &HeaderMap, wanted: &[Grant]) -> Result<Caller, ApiError> {
        self.authorize_wishing(headers, wanted, &[]).await
    }

    async fn authorize_wishing(
        &self,
        headers: &HeaderMap,
        wanted: &[Grant],
        wished: &[Grant],
    ) -> Result<Caller, ApiError> {
        match self.options().access.authorize_wishing(headers, wanted, wished).await {
            Ok(caller) => Ok(caller),
            Err(Refusal::Challenge(challenge)) => {
                Err(ApiError::new(Code::Unauthorized, "authentication required")
                    .with_header(WWW_AUTHENTICATE, challenge))
            }
            Err(Refusal::Denied) => Err(ApiError::new(Code::Denied, "this is not allowed to you")),
        }
    }
}

/// Says that a request is refused, in such a way that its sender gets to read it.
async fn refuse(body: RequestBody, error: ApiError, is_head: bool) -> Response<Body> {
    body.drain().await;
    let response = error.into_response();
    if is_head { without_body(response) } else { response }
}

/// What a request needs to be allowed.
pub(crate) fn wanted(route: &Route, method: &Method) -> Vec<Grant> {
    let Some(name) = route.repository() else {
        return match route {
            Route::Catalog => vec![Grant { resource: Resource::Catalog, action: Action::All }],
            _ => Vec::new(),
        };
    };
    let actions: &[Action] = match *method {
        Method::GET | Method::HEAD => &[Action::Pull],
        // An upload that is given up takes away nothing that anybody could pull.
        Method::DELETE if !matches!(route, Route::Upload(..)) => &[Action::Delete],
        _ => &[Action::Pull, Action::Push],
    };
    actions.iter().map(|action| Grant::repository(name.clone(), *action)).collect()
}

/// What a request can do without, and does better with: to read the repository that it mounts from.
fn wished(route: &Route, head: &request::Parts) -> Vec<Grant> {
    if !matches!(route, Route::Uploads(_)) {
        return Vec::new();
    }
    let query = Query::read(head.uri.query());
    let from = query.first("mount").and(query.first("from")).and_then(|from| from.parse().ok());
    from.map(|from| Grant::repository(from, Action::Pull)).into_iter().collect()
}

/// What a load balancer looks at. It has no more in it, whatever there is for browsers.
fn alive(has_page: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if has_page {
        response.headers_mut().insert(http::header::VARY, HeaderValue::from_static("Accept"));
    }
    response
}

/// What fails is told on the debug address, to operators.
pub(crate) fn unhealthy() -> ApiError {
    ApiError::new(Code::Unavailable, "health check failed: please see /debug/health")
}

pub(crate) fn nothing_here() -> ApiError {
    ApiError::new(Code::Unknown, "the API of the registry has no such path").with_status(StatusCode::NOT_FOUND)
}

/// The same answer to a HEAD: the length stays, the bytes do not.
pub(crate) fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let length = http_body::Body::size_hint(&body).exact().unwrap_or_default();
    head.headers.entry(http::header::CONTENT_LENGTH).or_insert_with(|| length.into());
    Response::from_parts(head, Body::empty())
}

/// A request that is being answered.
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        metrics::gauge!("registry_http_in_flight_requests").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("registry_http_in_flight_requests").decrement(1.0);
    }
}

/// What is noted of each request when its answer begins.
struct AccessLog {
    begun: Instant,
    method: Method,
    client: Option<Client>,
    user_agent: Option<HeaderValue>,
}

impl AccessLog {
    fn write(&self, handler: &'static str, response: &Response<Body>, request_bytes: Option<u64>) {
        let status = response.status().as_u16();
        let seconds = self.begun.elapsed().as_secs_f64();
        let bytes = http_body::Body::size_hint(response.body()).exact().unwrap_or_default();
        let client = self.client.map(tracing::field::display);
        let user_agent = self.user_agent.as_ref().and_then(|name| name.to_str().ok());
        tracing::info!(target: ACCESS_LOG, status, bytes, seconds, client, user_agent, "answered");
        let labels = [
            ("handler", handler.to_owned()),
            ("method", self.method.as_str().to_ascii_lowercase()),
            ("code", status.to_string()),
        ];
        metrics::counter!("registry_http_requests_total", &labels).increment(1);
        metrics::histogram!("registry_http_request_duration_seconds", &labels).record(seconds);
        if let Some(bytes) = request_bytes {
            metrics::histogram!("registry_http_request_size_bytes", &labels).record(bytes as f64);
        }
        metrics::histogram!("registry_http_response_size_bytes", &labels).record(bytes as f64);
    }
}
