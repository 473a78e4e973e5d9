//! Measures one operation for a bounded time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use driver_api::{Error, ErrorKind, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;

use super::operations::{Operation, Run, Workload};

/// Latencies are kept in nanoseconds, to three digits; a call that takes longer than an hour counts as an hour.
const LONGEST: u64 = 3600 * 1_000_000_000;
const DIGITS: u8 = 3;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) time: Duration,
    pub(super) count: u64,
    pub(super) jobs: NonZeroUsize,
}

/// What was measured of one operation.
#[derive(Debug, Serialize)]
pub(super) struct Measurement {
    pub(super) driver: String,
    pub(super) operation: &'static str,
    /// Calls under way at once.
    pub(super) jobs: usize,
    /// Calls that were measured.
    pub(super) calls: u64,
    pub(super) calls_per_second: f64,
    /// None where the operation moves no content.
    pub(super) bytes_per_second: Option<f64>,
    pub(super) median_microseconds: f64,
    pub(super) p99_microseconds: f64,
}

/// What was seen of a number of calls.
struct Calls {
    count: u64,
    bytes: u64,
    elapsed: Duration,
    latencies: Histogram<u64>,
}

/// Runs `operation` until the time or the count is used up, with `jobs` calls at once. An operation that must be prepared is
/// prepared before, for as long again. Ends with the first error.
pub(super) async fn measure(
    operation: &'static Operation,
    workload: &Arc<Workload>,
    mut limit: Limit,
) -> Result<Measurement> {
    if let Some(prepare) = operation.prepare {
        limit.count = calls(prepare, workload, limit).await?.count;
    }
    let Calls { count, bytes, elapsed, latencies } = calls(operation.run, workload, limit).await?;
    let per_second = |amount: u64| amount as f64 / elapsed.as_secs_f64().max(f64::EPSILON);
    let microseconds = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
    Ok(Measurement {
        driver: workload.storage.name().to_owned(),
        operation: operation.name,
        jobs: limit.jobs.get(),
        calls: count,
        calls_per_second: per_second(count),
        bytes_per_second: (bytes > 0).then(|| per_second(bytes)),
        median_microseconds: microseconds(0.5),
        p99_microseconds: microseconds(0.99),
    })
}

/// Makes the calls numbered from 0 on, without a gap.
async fn calls(run: Run, workload: &Arc<Workload>, limit: Limit) -> Result<Calls> {
    let begun = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..limit.jobs.get() {
        running.spawn(job(run, workload.clone(), limit, begun, next.clone()));
    }
    let mut all = Calls { count: 0, bytes: 0, elapsed: Duration::ZERO, latencies: latencies()? };
    while let Some(ended) = running.join_next().await {
        let (bytes, latencies) = ended.map_err(|error| failed("a measurement ended early", error))??;
        all.bytes += bytes;
        all.latencies.add(&latencies).map_err(|error| failed("latencies do not add up", error))?;
    }
    all.elapsed = begun.elapsed();
    all.count = all.latencies.len();
    Ok(all)
}

/// One call after the other: the bytes that they moved, and what each took.
async fn job(
    run: Run,
    workload: Arc<Workload>,
    limit: Limit,
    begun: Instant,
    next: Arc<AtomicU64>,
) -> Result<(u64, Histogram<u64>)> {
    let (mut bytes, mut latencies) = (0, latencies()?);
    loop {
        // A slow backend gives a number too: the first call is always made.
        if begun.elapsed() >= limit.time && next.load(Ordering::Relaxed) > 0 {
            return Ok((bytes, latencies));
        }
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= limit.count {
            return Ok((bytes, latencies));
        }
        let call = Instant::now();
        bytes += run(&workload, number).await?;
        latencies.saturating_record(u64::try_from(call.elapsed().as_nanos()).unwrap_or(LONGEST));
    }
}

fn latencies() -> Result<Histogram<u64>> {
    Histogram::new_with_max(LONGEST, DIGITS).map_err(|error| failed("there is no room for latencies", error))
}

fn failed(what: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Other, what).with_source(error)
}
