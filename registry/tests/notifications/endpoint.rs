//! Somebody who is told what was done, and who can be unwell.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it does with the next requests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    Answer(u16),
    Hang,
    /// Ends the connection without an answer.
    Die,
}

#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether it was taken.
    pub(crate) is_taken: bool,
}

impl Received {
    pub(crate) fn event(&self) -> Value {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["events"].as_array().unwrap().len(), 1);
        body["events"][0].clone()
    }
}

pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    mood: Mutex<Mood>,
    received: Mutex<Vec<Received>>,
}

impl Endpoint {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { mood: Mutex::new(mood), received: Mutex::default() });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.state.mood.lock() = mood;
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().clone()
    }

    /// The events that were taken.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.received().iter().filter(|received| received.is_taken).map(Received::event).collect()
    }

    /// The events that were taken, once there are so many.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Value> {
        wait(|| self.taken().len() >= count).await;
        self.taken()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    assert_eq!(request.method(), "POST");
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mood = *state.mood.lock();
    let is_taken = matches!(mood, Mood::Answer(200..400));
    let received = Received { at: Instant::now(), headers: head.headers, body, is_taken };
    state.received.lock().push(received);
    match mood {
        Mood::Answer(status) => {
            let elsewhere = format!("http://{}/elsewhere", "127.0.0.1:1");
            Ok(Response::builder().status(status).header("location", elsewhere).body(Full::new("ok".into()))?)
        }
        Mood::Hang => std::future::pending::<Result<_, Infallible>>().await.map_err(Into::into),
        Mood::Die => Err("it died".into()),
    }
}

/// Waits until something is so.
pub(crate) async fn wait(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
