//! From a socket to a [`Registry`].

mod listener;
mod tls;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

pub use self::listener::Bound;
use self::listener::{Listener, Stream};
use crate::call::Peer;
use crate::configuration::{Address, Tls};
use crate::registry::Registry;

/// How long a client may take to send the headers of a request, or to agree on TLS.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a request is read at once: the most memory that a connection needs for reading.
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// How large the headers of a request may be over HTTP/2, in bytes; over HTTP/1.1 the buffer is the limit.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// How many requests one connection of HTTP/2 may carry at once.
const MAX_STREAMS: u32 = 250;
/// How long nothing is accepted after the system had no more of what an accepted connection needs.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a server does not serve.
#[derive(Debug)]
pub struct ServerError {
    what: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl ServerError {
    fn new(what: String, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what, source: source.into() }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// How a registry is served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// TLS; none is plain text.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is offered over TLS.
    pub http2: bool,
    /// Whether HTTP/2 is spoken in plain text, to clients that begin with it.
    pub h2c: bool,
    /// How long the requests at hand may take when the server stops.
    pub drain: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { tls: None, http2: true, h2c: false, drain: Duration::from_secs(30) }
    }
}

/// A socket on which a registry is served.
pub struct Server {
    listener: Listener,
    registry: Registry,
    tls: Option<TlsAcceptor>,
    h2c: bool,
    drain: Duration,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// Binds `address`; with port 0, to a port that is free.
    ///
    /// Errors: an address that is taken or is none; certificates that cannot be used.
    pub async fn bind(registry: Registry, address: &Address, options: ServerOptions) -> Result<Self, ServerError> {
        let tls = options.tls.as_ref().map(|tls| tls::acceptor(tls, options.http2)).transpose()?;
        let listener = Listener::bind(address).await?;
        Ok(Self { listener, registry, tls, h2c: options.h2c, drain: options.drain })
    }

    /// Where it is bound to.
    pub fn bound(&self) -> Result<Bound, ServerError> {
        self.listener.bound()
    }

    /// Serves until `stop` is ready; then takes no more connections, and waits for the requests at hand, not longer than the
    /// server drains.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let connections = Connections { builder: self.builder(), graceful: GracefulShutdown::new() };
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = Peer { address, is_tls: self.tls.is_some() };
                    connections.take(self.registry.clone(), stream, self.tls.clone(), peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        if tokio::time::timeout(self.drain, connections.graceful.shutdown()).await.is_err() {
            tracing::warn!("requests that did not end in time are cut off");
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Over TLS the client and the server have agreed on a version.
        if self.tls.is_none() && !self.h2c {
            builder = builder.http1_only();
        }
        builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(READ_BUFFER_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_concurrent_streams(MAX_STREAMS);
        builder
    }
}

/// The connections of a server.
struct Connections {
    builder: auto::Builder<TokioExecutor>,
    graceful: GracefulShutdown,
}

impl Connections {
    fn take(&self, registry: Registry, stream: Stream, tls: Option<TlsAcceptor>, peer: Peer) {
        let (builder, watcher) = (self.builder.clone(), self.graceful.watcher());
        tokio::spawn(async move {
            match tls {
                None => serve(builder, watcher, registry, stream, peer).await,
                Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(builder, watcher, registry, stream, peer).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a client and the registry did not agree on TLS"),
                    Err(_) => tracing::debug!("a client took too long to agree on TLS"),
                },
            }
        });
    }
}

async fn serve(
    builder: auto::Builder<TokioExecutor>,
    watcher: hyper_util::server::graceful::Watcher,
    registry: Registry,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let registry = registry.clone();
        async move { Ok::<_, Infallible>(registry.handle(request, peer).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}
