//! Spans, as a collector of OpenTelemetry gets them.
#![cfg(feature = "opentelemetry")]

use std::convert::Infallible;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::server::Server;

/// A collector: where it is, and what it is sent.
async fn collector() -> (String, mpsc::UnboundedReceiver<(String, Bytes)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sent, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let sent = sent.clone();
            let take = service_fn(move |request: Request<Incoming>| {
                let sent = sent.clone();
                async move {
                    let path = request.uri().path().to_owned();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let _ = sent.send((path, body));
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
        }
    });
    (format!("http://{address}"), received)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_what_they_cost_are_told_a_collector() {
    let (endpoint, mut received) = collector().await;
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_file(directory.path(), None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let url = format!("http://{}/v2/some/repository/tags/list", server.address);
    let response = reqwest::get(&url).await.unwrap();
    assert_eq!(response.status(), 404);
    // What was not sent yet is sent at the end.
    let (status, log) = tokio::task::spawn_blocking(|| server.end()).await.unwrap();
    assert!(status.success(), "{log}");
    let mut told = Vec::new();
    while let Ok((path, body)) = received.try_recv() {
        assert_eq!(path, "/v1/traces");
        told.extend_from_slice(&body);
    }
    let told = String::from_utf8_lossy(&told);
    for text in [
        "blobstore",
        "request",
        "/v2/some/repository/tags/list",
        "storage",
        "/docker/registry/v2/repositories/some/repository",
    ] {
        assert!(told.contains(text), "no {text:?} in {told}");
    }
}
