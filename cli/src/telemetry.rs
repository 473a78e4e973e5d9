//! What a registry does, span by span, to a collector of OpenTelemetry.
//!
//! The environment says where it is, as the specification of OpenTelemetry has it: `OTEL_EXPORTER_OTLP_ENDPOINT` and the other
//! `OTEL_…` variables. Where none names an endpoint nothing is sent.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;

use crate::exit::{Failure, Result};
use crate::logging::{self, Spans};

/// Each says where spans go.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// How long a collector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Spans on their way to a collector.
pub(crate) struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Begins to send spans, if the environment says where to. Must be called within a runtime.
    pub(crate) fn begin() -> Result<Option<Self>> {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !ENDPOINTS.iter().any(|name| is_set(name)) {
            return Ok(None);
        }
        let failed = |error: &dyn std::fmt::Display| Failure::configuration(format!("OpenTelemetry: {error}"));
        let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(|error| failed(&error))?;
        let client = Client { client, runtime: Handle::current() };
        let exporter =
            SpanExporter::builder().with_http().with_http_client(client).build().map_err(|error| failed(&error))?;
        let resource = Resource::builder();
        let resource = if is_set(SERVICE_NAME) { resource } else { resource.with_service_name("blobstore") };
        let provider =
            SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
        Ok(Some(Self { provider }))
    }

    /// What takes the spans of the product: each request, and each call of a driver within it.
    pub(crate) fn spans(&self) -> Spans {
        let targets = Targets::new().with_targets(logging::OWN.map(|target| (target, LevelFilter::DEBUG)));
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("blobstore"));
        layer.with_filter(targets).boxed()
    }

    /// Sends what was not sent yet, for some seconds at the most.
    pub(crate) async fn end(self) {
        // It waits for a thread of its own, which sends by this runtime.
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "some spans were not sent");
        }
    }
}

/// Sends on the runtime of the program: who sends spans is a thread without one.
#[derive(Debug, Clone)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> std::result::Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            let status = answer.status();
            // What a collector says is of no use but for its status, and need not end.
            Ok::<_, reqwest::Error>(status)
        });
        Ok(Response::builder().status(sent.await??).body(Bytes::new())?)
    }
}
