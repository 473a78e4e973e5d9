//! The `layers:` list of the storage section: what is wrapped around the driver, the innermost first.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use driver_api::layers::{ConcurrencyLimit, Metrics, Prefix, ReadOnly, Retry, Timeout, Trace};
use driver_api::{Storage, StoragePath};
use serde::Deserialize;

use crate::values::ReadableDuration;

/// One layer with its parameters, as the file names it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerSettings {
    /// `retry: {attempts: 4, firstpause: 100ms, longestpause: 5s}`: repeats what failed for now and is safe to repeat.
    Retry(RetrySettings),
    /// `timeout: {call: 1m, piece: 30s}`: a limit for every call, and for the next piece of a stream.
    Timeout(TimeoutSettings),
    /// `concurrencylimit: 64`: at most so many calls at once.
    ConcurrencyLimit(NonZeroUsize),
    /// `prefix: /registry`: shows one directory as if it were all there is.
    Prefix(PrefixPath),
    /// `readonly`: refuses every change.
    ReadOnly,
    /// `trace`: logs every call.
    Trace,
    /// `metrics`: counts and times every call.
    Metrics,
}

/// Parameters of the layer `retry`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct RetrySettings {
    /// How many attempts in all.
    pub attempts: NonZeroU32,
    /// The pause before the second attempt.
    pub firstpause: ReadableDuration,
    /// The longest pause.
    pub longestpause: ReadableDuration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: NonZeroU32::MIN.saturating_add(3),
            firstpause: ReadableDuration(Duration::from_millis(100)),
            longestpause: ReadableDuration(Duration::from_secs(5)),
        }
    }
}

/// Parameters of the layer `timeout`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct TimeoutSettings {
    /// The limit for a call.
    pub call: ReadableDuration,
    /// The limit for the next piece of a stream.
    pub piece: ReadableDuration,
}

impl Default for TimeoutSettings {
    fn default() -> Self {
        Self { call: ReadableDuration(Duration::from_secs(60)), piece: ReadableDuration(Duration::from_secs(30)) }
    }
}

/// A path in the store.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct PrefixPath(pub StoragePath);

impl TryFrom<String> for PrefixPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        StoragePath::parse(&text).map(Self).map_err(|error| error.to_string())
    }
}

impl LayerSettings {
    /// `storage` with this layer around it.
    pub fn apply(&self, storage: &Storage) -> Storage {
        match self {
            Self::Retry(RetrySettings { attempts, firstpause, longestpause }) => {
                storage.layered(Retry::new(attempts.get(), firstpause.0, longestpause.0))
            }
            Self::Timeout(TimeoutSettings { call, piece }) => storage.layered(Timeout::new(call.0, piece.0)),
            Self::ConcurrencyLimit(calls) => storage.layered(ConcurrencyLimit::new(calls.get())),
            Self::Prefix(PrefixPath(path)) => storage.layered(Prefix::new(path.clone())),
            Self::ReadOnly => storage.layered(ReadOnly),
            Self::Trace => storage.layered(Trace),
            Self::Metrics => storage.layered(Metrics),
        }
    }
}
