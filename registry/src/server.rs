//! From a socket to a [`Registry`].

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use crate::call::Peer;
use crate::registry::Registry;

/// How long a client may take to send the headers of a request.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);
/// How large the headers of a request may be, in bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How much of a request is read at once: the most memory that a connection needs for reading.
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// How many requests one connection of HTTP/2 may carry at once.
const MAX_STREAMS: u32 = 250;
/// How long nothing is accepted after the system had no more of what an accepted connection needs.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a server does not serve.
#[derive(Debug)]
pub struct ServerError {
    what: String,
    source: std::io::Error,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A socket on which a registry is served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    registry: Registry,
    drain: Duration,
}

impl Server {
    /// Binds `address`; with port 0, to a port that is free.
    pub async fn bind(registry: Registry, address: &str) -> Result<Self, ServerError> {
        let failed = |source| ServerError { what: format!("cannot listen on {address}"), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self { listener, registry, drain: Duration::from_secs(30) })
    }

    /// Where it is bound to.
    pub fn address(&self) -> Result<SocketAddr, ServerError> {
        self.listener
            .local_addr()
            .map_err(|source| ServerError { what: "the socket has no address".to_owned(), source })
    }

    /// Serves until `stop` is ready; then takes no more connections, and waits for the requests at hand, not longer than the
    /// server drains.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut connections = auto::Builder::new(TokioExecutor::new());
        connections
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_PATIENCE)
            .max_buf_size(READ_BUFFER_BYTES);
        connections
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEADER_BYTES as u32)
            .max_concurrent_streams(MAX_STREAMS);
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    // Answers go out in one piece as it is; to wait for more would be to wait for the client.
                    let _ = stream.set_nodelay(true);
                    let peer = Peer { address: Some(address), is_tls: false };
                    self.serve(&connections, &graceful, stream, peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        if tokio::time::timeout(self.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests that did not end in time are cut off");
        }
    }

    fn serve(
        &self,
        connections: &auto::Builder<TokioExecutor>,
        graceful: &GracefulShutdown,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
    ) {
        let registry = self.registry.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let registry = registry.clone();
            async move { Ok::<_, Infallible>(registry.handle(request, peer).await) }
        });
        let connection = connections.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}
