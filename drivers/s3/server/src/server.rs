//! The server on its socket: starts, answers, goes wrong as it is told, and stops when dropped.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::StreamingBlob;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::faults::{Fault, Faults, Injection};
use crate::objects::{Object, StoredObject};
use crate::operation::{Counter, Operation, Requests};
use crate::service::{Bucket, Store};
use crate::uploads::PendingUpload;

/// The id of the one key that the server accepts.
pub const ACCESS_KEY: &str = "AKIDTEST";
/// The secret of that key.
pub const SECRET_KEY: &str = "a secret that only tests know";
/// The region that the server is in; requests signed for another one are refused.
pub const REGION: &str = "us-east-1";

/// Limits of the service, as Amazon has them; tests lower them.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The least bytes in a part that is not the last.
    pub part_minimum: u64,
    /// The most bytes in one copy, and in one copied part.
    pub copy_maximum: u64,
    /// The most items in a page of objects, parts or uploads.
    pub page: usize,
    /// Whether conditions on writes and deletes are honoured. Some services ignore them without a word.
    pub honours_conditions: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { part_minimum: 5 << 20, copy_maximum: 5 << 30, page: 1000, honours_conditions: true }
    }
}

/// A running server; it stops when this is dropped.
pub struct S3Server {
    address: SocketAddr,
    wire: Arc<Wire>,
    accepting: AbortHandle,
}

impl S3Server {
    /// Starts a server with Amazon's limits on a free port of the loopback interface.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(ServerOptions::default()).await
    }

    /// Starts a server with other limits.
    pub async fn start_with(options: ServerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let store = Store::new(options);
        let mut service = S3ServiceBuilder::new(store.clone());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let wire = Arc::new(Wire {
            service: service.build(),
            store,
            counter: Counter::default(),
            faults: Faults::default(),
            answers: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, wire.clone())).abort_handle();
        Ok(Self { address, wire, accepting })
    }

    /// Where the server is, as an endpoint of path style.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes an empty bucket, or empties one.
    pub fn create_bucket(&self, bucket: &str) {
        self.wire.store.create_bucket(bucket);
    }

    /// Stores an object past the protocol.
    pub fn put_object(&self, bucket: &str, key: &str, content: impl Into<Bytes>) {
        self.wire
            .store
            .with_bucket(bucket, |bucket| bucket.objects.insert(key.to_owned(), Object::from(content.into())));
    }

    /// The object at `key`, past the protocol.
    pub fn object(&self, bucket: &str, key: &str) -> Option<StoredObject> {
        self.wire.store.with_bucket(bucket, |bucket| bucket.objects.get(key).map(StoredObject::from)).flatten()
    }

    /// The keys of all objects, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.wire.store.with_bucket(bucket, |bucket| bucket.objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// The multipart uploads that are neither completed nor aborted.
    pub fn uploads(&self, bucket: &str) -> Vec<PendingUpload> {
        self.wire.store.with_bucket(bucket, |bucket| bucket.pending()).unwrap_or_default()
    }

    /// Ends all multipart uploads of the bucket, past the protocol.
    pub fn end_uploads(&self, bucket: &str) {
        self.wire.store.with_bucket(bucket, Bucket::end_uploads);
    }

    /// Leaves the object at `key` from now on where a batch is to delete it, and says so by `code` within a success.
    pub fn leave_undeleted(&self, bucket: &str, key: &str, code: &'static str) {
        self.wire.store.with_bucket(bucket, |bucket| bucket.undeletable.insert(key.to_owned(), code));
    }

    /// The requests that came since this was asked last.
    pub fn requests(&self) -> Requests {
        self.wire.counter.take()
    }

    /// Lets requests go wrong from now on. Where several injections strike one request, the earliest does.
    pub fn inject(&self, injection: Injection) {
        self.wire.faults.add(injection);
    }

    /// Waits until so many requests have been struck by injections, since these were cleared last.
    pub async fn struck(&self, requests: u64) {
        self.wire.faults.struck(requests).await;
    }

    /// Lets nothing go wrong any more.
    pub fn clear_injections(&self) {
        self.wire.faults.clear();
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for S3Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Accepts connections until it is aborted, which closes them all.
async fn accept(listener: TcpListener, wire: Arc<Wire>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((socket, _)) = accepted {
                    connections.spawn(serve(socket, wire.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(socket: TcpStream, wire: Arc<Wire>) {
    // Answers are small and many: without this each waits for the client's delayed acknowledgement.
    let _ = socket.set_nodelay(true);
    let answer = service_fn(move |request| {
        let wire = wire.clone();
        async move { wire.answer(request).await }
    });
    // A connection that breaks, by the client or by a fault, is no failure of the server.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
}

/// What stands between the socket and the protocol.
struct Wire {
    service: S3Service,
    store: Store,
    counter: Counter,
    faults: Faults,
    answers: AtomicU64,
}

/// Ends a connection without an answer.
fn broken() -> HttpError {
    HttpError::new(io::Error::from(io::ErrorKind::ConnectionReset).into())
}

impl Wire {
    async fn answer(&self, request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
        let request = request.map(Body::from);
        let operation =
            Operation::of(request.method(), request.uri(), request.headers().contains_key("x-amz-copy-source"));
        self.counter.count(operation);
        let mut response = match self.faults.strike(operation, request.uri().path()) {
            None => self.act(request).await,
            Some(fault) => self.go_wrong(fault, request).await,
        }?;
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        response.headers_mut().insert("x-amz-request-id", HeaderValue::from(number));
        Ok(response)
    }

    async fn act(&self, request: Request<Body>) -> Result<HttpResponse, HttpError> {
        if signed_region(request.headers()).is_some_and(|region| region != REGION) {
            return Ok(refuse(request, 400, "AuthorizationHeaderMalformed").await);
        }
        self.service.call(request).await
    }

    async fn go_wrong(&self, fault: Fault, request: Request<Body>) -> Result<HttpResponse, HttpError> {
        match fault {
            Fault::Refuse { status, code } => Ok(refuse(request, status, code).await),
            Fault::DoAndRefuse { status, code } => {
                let method = request.method().clone();
                self.act(request).await?;
                Ok(error_answer(&method, status, code))
            }
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                self.act(request).await
            }
            Fault::CutBody(length) => Ok(ended_after(self.act(request).await?, length, Ending::Broken)),
            Fault::StallBody(length) => Ok(ended_after(self.act(request).await?, length, Ending::Stalled)),
            Fault::Break => Err(broken()),
            Fault::LoseAnswer => {
                self.act(request).await?;
                Err(broken())
            }
            Fault::Hang => std::future::pending().await,
            Fault::DoAndHang => {
                self.act(request).await?;
                std::future::pending().await
            }
            Fault::Garbage => {
                drain(request).await;
                Ok(Response::new(Body::from(Bytes::from_static(b"\x00\xff this is no answer <"))))
            }
            Fault::GarbageHeaders => Ok(with_senseless_headers(self.act(request).await?)),
            Fault::CutRequest(length) => {
                let (mut body, mut come) = (request.into_body(), 0);
                while come < length
                    && let Some(Ok(piece)) = body.next().await
                {
                    come += piece.len() as u64;
                }
                Err(broken())
            }
        }
    }
}

/// The same answer with nothing in its headers that can be read, but for the length of its body.
fn with_senseless_headers(mut response: HttpResponse) -> HttpResponse {
    for (name, value) in response.headers_mut().iter_mut() {
        // Bytes that no text has: a tag that is merely another one could be true.
        if *name != CONTENT_LENGTH
            && let Ok(senseless) = HeaderValue::from_bytes(b"\xff\xfe")
        {
            *value = senseless;
        }
    }
    response
}

/// The region in the scope of a signature, where a request has one in its headers.
fn signed_region(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    authorization.split_once("Credential=")?.1.split('/').nth(2)
}

async fn refuse(request: Request<Body>, status: u16, code: &str) -> HttpResponse {
    let method = request.method().clone();
    drain(request).await;
    error_answer(&method, status, code)
}

/// Reads a request to its end: an answer before that would reach the client as a broken connection.
async fn drain(request: Request<Body>) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.next().await {}
}

fn error_answer(method: &Method, status: u16, code: &str) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>injected</Message></Error>"
    );
    let mut response = Response::new(if method == Method::HEAD { Body::empty() } else { Body::from(body) });
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// What comes when a body ends before its end.
#[derive(Clone, Copy)]
enum Ending {
    Broken,
    Stalled,
}

/// The same answer, of whose body `length` bytes are sent.
fn ended_after(response: HttpResponse, length: u64, ending: Ending) -> HttpResponse {
    response.map(|body| {
        let pieces = stream::unfold((body, length), move |(mut body, left)| async move {
            if left == 0 {
                // Being pending once lets what was sent so far reach the socket.
                tokio::task::yield_now().await;
                return match ending {
                    Ending::Broken => Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), (body, left))),
                    Ending::Stalled => std::future::pending().await,
                };
            }
            let mut piece = body.next().await?.ok()?;
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - piece.len() as u64;
            Some((Ok(piece), (body, left)))
        });
        Body::from(StreamingBlob::wrap(pieces))
    })
}
