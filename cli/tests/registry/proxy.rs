//! A proxy in front of registries: each request goes to the next of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// It forwards until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: String,
    servers: watch::Sender<Vec<String>>,
    forwarder: Arc<Forwarder>,
    accepting: JoinHandle<()>,
}

struct Forwarder {
    servers: watch::Receiver<Vec<String>>,
    sent: AtomicUsize,
    answers: watch::Sender<Answers>,
}

#[derive(Default)]
struct Answers {
    /// How many requests each server has and did not answer.
    owed: HashMap<String, usize>,
    /// Servers whose answers come to nobody.
    lost: HashSet<String>,
}

impl Proxy {
    pub(crate) async fn start(servers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (servers, watched) = watch::channel(servers);
        let (sent, answers) = (AtomicUsize::new(0), watch::Sender::default());
        let forwarder = Arc::new(Forwarder { servers: watched, sent, answers });
        let forwards = forwarder.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let forwarder = forwards.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| forwarder.forward(request));
                    // A server that went away in the middle ends the connection of its client as well.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, servers, forwarder, accepting }
    }

    /// Where requests go from now on.
    pub(crate) fn forward_to(&self, servers: Vec<String>) {
        self.servers.send_replace(servers);
    }

    /// Waits until that server has a request, which it never answers from then on, nor any other.
    #[cfg(feature = "s3")]
    pub(crate) async fn lose(&self, server: &str) {
        let mut changes = self.forwarder.answers.subscribe();
        let lose = |answers: &mut Answers| answers.owed.contains_key(server) && answers.lost.insert(server.to_owned());
        while !self.forwarder.answers.send_if_modified(lose) {
            changes.changed().await.unwrap();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Forwarder {
    async fn forward(&self, request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Failure> {
        let (server, stream) = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        self.answers.send_modify(|answers| *answers.owed.entry(server.clone()).or_default() += 1);
        let answer = sender.send_request(request).await;
        let mut is_lost = false;
        self.answers.send_modify(|answers| {
            is_lost = answers.lost.contains(&server);
            answers.owed.entry(server).and_modify(|owed| *owed -= 1);
            answers.owed.retain(|_, owed| *owed > 0);
        });
        if is_lost { Err("the answer is lost".into()) } else { Ok(answer?.map(BodyExt::boxed)) }
    }

    /// Connects to the next server that is there; where none is, waits until one is told.
    async fn connect(&self) -> Result<(String, TcpStream), Failure> {
        let mut watched = self.servers.clone();
        loop {
            let servers = watched.borrow_and_update().clone();
            let first = self.sent.fetch_add(1, Ordering::Relaxed);
            for number in 0..servers.len() {
                let server = &servers[(first + number) % servers.len()];
                if let Ok(stream) = TcpStream::connect(server).await {
                    return Ok((server.clone(), stream));
                }
            }
            watched.changed().await?;
        }
    }
}
