//! A proxy in front of registries: each request goes to the next of them.

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
    accepting: JoinHandle<()>,
}

struct Forwarder {
    servers: watch::Receiver<Vec<String>>,
    sent: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn start(servers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (servers, watched) = watch::channel(servers);
        let forwarder = Arc::new(Forwarder { servers: watched, sent: AtomicUsize::new(0) });
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let forwarder = forwarder.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| forwarder.forward(request));
                    // A server that went away in the middle ends the connection of its client as well.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, servers, accepting }
    }

    /// Where requests go from now on.
    pub(crate) fn forward_to(&self, servers: Vec<String>) {
        self.servers.send_replace(servers);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Forwarder {
    async fn forward(&self, request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Failure> {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?.map(BodyExt::boxed))
    }

    /// Connects to the next server that is there; where none is, waits until one is told.
    async fn connect(&self) -> Result<TcpStream, Failure> {
        let mut watched = self.servers.clone();
        loop {
            let servers = watched.borrow_and_update().clone();
            let first = self.sent.fetch_add(1, Ordering::Relaxed);
            for number in 0..servers.len() {
                if let Ok(stream) = TcpStream::connect(&servers[(first + number) % servers.len()]).await {
                    return Ok(stream);
                }
            }
            watched.changed().await?;
        }
    }
}
