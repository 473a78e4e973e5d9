//! From a socket to answers for operators.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::metrics::{Metrics, UPKEEP};
use crate::health::Health;
use crate::notifications::Broadcaster;

/// How many connections there may be at once: few programs ask, and none of them long.
const CONNECTIONS: usize = 64;
/// How long a connection may take to ask something.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system had no more of what an accepted connection needs.
const PAUSE: Duration = Duration::from_millis(50);

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

type Answer = Response<Full<Bytes>>;

/// A socket on which it is told how a registry is doing. Whoever reaches it may ask, and take the registry out of service.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    known: Known,
}

/// What can be told.
#[derive(Debug, Clone)]
struct Known {
    health: Health,
    metrics: Option<(Metrics, Arc<str>)>,
    broadcaster: Option<Arc<Broadcaster>>,
}

impl Server {
    /// Binds `address`; with port 0, to a port that is free.
    pub async fn bind(address: &str, health: Health) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, known: Known { health, metrics: None, broadcaster: None } })
    }

    /// Tells what is counted, under `path`.
    pub fn with_metrics(mut self, metrics: Metrics, path: &str) -> Self {
        self.known.metrics = Some((metrics, path.into()));
        self
    }

    /// Tells what becomes of notifications.
    pub fn with_notifications(mut self, broadcaster: Arc<Broadcaster>) -> Self {
        self.known.broadcaster = Some(broadcaster);
        self
    }

    /// Where it is bound to.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready: to the end of the registry, so that it is seen how it ends.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { listener, known } = self;
        let tidying = async {
            loop {
                tokio::time::sleep(UPKEEP).await;
                if let Some((metrics, _)) = &known.metrics {
                    metrics.tidy();
                }
            }
        };
        tokio::select! {
            () = accept(&listener, &known) => {}
            () = tidying => {}
            () = stop => {}
        }
    }
}

async fn accept(listener: &TcpListener, known: &Known) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with whoever waits for this: no connection outlives the server.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let known = known.clone();
                connections.spawn(async move {
                    serve(stream, known).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the debug address could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, known: Known) {
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let answer = known.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the debug address ended");
    }
}

impl Known {
    fn answer(&self, method: &Method, path: &str) -> Answer {
        let is_reading = matches!(*method, Method::GET | Method::HEAD);
        // To a HEAD, the headers alone are sent.
        match path {
            "/debug/health" if is_reading => self.health(),
            "/debug/health/down" if *method == Method::POST => {
                self.health.down();
                text(StatusCode::OK, String::new())
            }
            "/debug/health/up" if *method == Method::POST => {
                self.health.up();
                text(StatusCode::OK, String::new())
            }
            "/debug/vars" if is_reading => self.vars(),
            "/debug/health" | "/debug/vars" => only("GET, HEAD"),
            "/debug/health/down" | "/debug/health/up" => only("POST"),
            path => match &self.metrics {
                Some((metrics, place)) if **place == *path && is_reading => {
                    with_type(text(StatusCode::OK, metrics.render()), PROMETHEUS)
                }
                Some((_, place)) if **place == *path => only("GET, HEAD"),
                _ => text(StatusCode::NOT_FOUND, "there is nothing here\n".to_owned()),
            },
        }
    }

    fn health(&self) -> Answer {
        let report = self.health.report();
        let status = if report.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        with_type(text(status, json!(report).to_string()), JSON)
    }

    fn vars(&self) -> Answer {
        let endpoints = self.broadcaster.as_ref().map_or_else(|| json!([]), |broadcaster| broadcaster.vars());
        let vars = json!({ "registry": { "notifications": { "endpoints": endpoints } } });
        with_type(text(StatusCode::OK, vars.to_string()), JSON)
    }
}

fn text(status: StatusCode, content: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(content)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn with_type(mut answer: Answer, media_type: HeaderValue) -> Answer {
    answer.headers_mut().insert(CONTENT_TYPE, media_type);
    answer
}

fn only(methods: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {methods} can be done here\n"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    answer
}
