//! What became of the events for one endpoint, in numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use metrics::{counter, gauge};
use parking_lot::Mutex;
use reqwest::StatusCode;
use serde::Serialize;

/// The numbers of an endpoint, which are metrics as well.
#[derive(Debug)]
pub(super) struct Tally {
    endpoint: String,
    pending: AtomicI64,
    events: AtomicU64,
    successes: AtomicU64,
    failures: AtomicU64,
    errors: AtomicU64,
    dropped: AtomicU64,
    /// By status: no more of them than an endpoint has different answers, of which there are some 60.
    statuses: Mutex<BTreeMap<String, u64>>,
}

/// The numbers at one time, in the spelling of the ancestor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Numbers {
    /// Events that are still to be delivered.
    pub pending: u64,
    /// Events that were taken on.
    pub events: u64,
    /// Events that were delivered.
    pub successes: u64,
    /// Attempts that the endpoint refused.
    pub failures: u64,
    /// Attempts to which there was no answer.
    pub errors: u64,
    /// Events that are given up: there was no room for them.
    pub dropped: u64,
    /// How often the endpoint answered what.
    pub statuses: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn new(endpoint: &str) -> Self {
        let tally = Self {
            endpoint: endpoint.to_owned(),
            pending: AtomicI64::new(0),
            events: AtomicU64::new(0),
            successes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            statuses: Mutex::default(),
        };
        // What did not happen yet is told as well, so that it can be watched from the beginning.
        for kind in ["Events", "Successes", "Failures", "Errors", "Dropped"] {
            tally.count(kind, 0);
        }
        tally.add_pending(0);
        tally
    }

    pub(super) fn numbers(&self) -> Numbers {
        Numbers {
            pending: u64::try_from(self.pending.load(Ordering::Relaxed)).unwrap_or(0),
            events: self.events.load(Ordering::Relaxed),
            successes: self.successes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            statuses: self.statuses.lock().clone(),
        }
    }

    /// Events were found that are still to be delivered.
    pub(super) fn found(&self, count: u64) {
        self.add_pending(signed(count));
    }

    /// An event came.
    pub(super) fn taken_on(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.count("Events", 1);
        self.add_pending(1);
    }

    /// An event is done with.
    pub(super) fn done(&self) {
        self.add_pending(-1);
    }

    /// Events are given up.
    pub(super) fn dropped(&self, count: u64) {
        if count > 0 {
            self.dropped.fetch_add(count, Ordering::Relaxed);
            self.count("Dropped", count);
            self.add_pending(-signed(count));
        }
    }

    /// The endpoint answered.
    pub(super) fn answered(&self, status: StatusCode, is_success: bool) {
        let code = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        let (kind, number) = if is_success { ("Successes", &self.successes) } else { ("Failures", &self.failures) };
        number.fetch_add(1, Ordering::Relaxed);
        self.count(kind, 1);
        let labels = [("code", code.clone()), ("endpoint", self.endpoint.clone())];
        counter!("registry_notifications_status_total", &labels).increment(1);
        *self.statuses.lock().entry(code).or_default() += 1;
    }

    /// The endpoint did not answer.
    pub(super) fn unanswered(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.count("Errors", 1);
    }

    fn count(&self, kind: &'static str, count: u64) {
        counter!("registry_notifications_events_total", "type" => kind, "endpoint" => self.endpoint.clone())
            .increment(count);
    }

    fn add_pending(&self, count: i64) {
        self.pending.fetch_add(count, Ordering::Relaxed);
        gauge!("registry_notifications_pending_total", "endpoint" => self.endpoint.clone()).increment(count as f64);
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
