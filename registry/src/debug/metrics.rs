//! All that is counted and timed, for Prometheus.

use std::fmt;
use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::rename::Renamed;

/// Seconds: from an answer out of memory to a large blob over a slow line.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Bytes: from nothing over manifests to layers.
const BYTES: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];

/// How often what was timed is put into its buckets; until then each value is kept.
pub(super) const UPKEEP: Duration = Duration::from_secs(5);

/// What is counted in this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Why nothing is counted.
#[derive(Debug)]
pub struct MetricsError(String);

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics cannot be kept: {}", self.0)
    }
}

impl std::error::Error for MetricsError {}

impl Metrics {
    /// Begins to count, for the whole process, which does it once. What was counted before is not there; nothing is counted in a
    /// process that does not do it. [`Metrics::tidy`] has to be called from time to time, which a server that has it does.
    pub fn install() -> Result<Self, MetricsError> {
        let (recorder, metrics) = Self::unused()?;
        metrics::set_global_recorder(recorder).map_err(|error| MetricsError(error.to_string()))?;
        Ok(metrics)
    }

    /// A recorder that is not installed, and what it counts.
    pub fn unused() -> Result<(impl metrics::Recorder + 'static, Self), MetricsError> {
        let recorder = Renamed(recorder().map_err(|error| MetricsError(error.to_string()))?);
        let handle = recorder.0.handle();
        metrics::with_local_recorder(&recorder, describe);
        Ok((recorder, Self(handle)))
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Puts what was timed into its buckets.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }
}

fn recorder() -> Result<PrometheusRecorder, metrics_exporter_prometheus::BuildError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES)?;
    Ok(builder.build_recorder())
}

fn describe() {
    describe_counter!("registry_http_requests_total", "Requests that were answered.");
    describe_gauge!("registry_http_in_flight_requests", "Requests that are being answered.");
    describe_histogram!("registry_http_request_duration_seconds", "How long it took until an answer began.");
    describe_histogram!("registry_http_request_size_bytes", "The sizes of bodies of requests that say their size.");
    describe_histogram!("registry_http_response_size_bytes", "The sizes of bodies of answers.");
    describe_histogram!("registry_storage_action_seconds", "How long calls of the storage took.");
    describe_counter!("registry_storage_cache_requests_total", "Questions to the cache of descriptors.");
    describe_counter!("registry_storage_cache_hits_total", "Questions that the cache of descriptors could answer.");
    describe_counter!("registry_storage_cache_errors_total", "Failures of the cache of descriptors.");
    describe_counter!("registry_notifications_events_total", "Events for an endpoint, and what became of them.");
    describe_counter!("registry_notifications_status_total", "What an endpoint answered.");
    describe_gauge!("registry_notifications_pending_total", "Events that an endpoint does not have yet.");
    describe_counter!("storage_calls_total", "Calls of the storage, by their results.");
    describe_counter!("storage_bytes_total", "Bytes that were read from the storage and written to it.");
}
