//! The section `health` of a configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use driver_factory::{ReadableDuration, SecretText};
use serde::Deserialize;

/// How often is checked, where nothing is said.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a check may take, where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(5);

/// `health`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct HealthOptions {
    /// `storagedriver`.
    pub storagedriver: StorageCheck,
    /// `file`.
    pub file: Vec<FileCheck>,
    /// `http`.
    pub http: Vec<HttpCheck>,
    /// `tcp`.
    pub tcp: Vec<TcpCheck>,
}

/// `health.storagedriver`: the storage is asked for its root.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct StorageCheck {
    /// Whether it is checked.
    pub enabled: bool,
    /// How often: every ten seconds.
    pub interval: Option<ReadableDuration>,
    /// After how many failures in a row it fails.
    pub threshold: u32,
}

impl Default for StorageCheck {
    fn default() -> Self {
        Self { enabled: false, interval: None, threshold: 3 }
    }
}

/// One of `health.file`: a file that is there takes the registry out of service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FileCheck {
    /// The file.
    pub file: PathBuf,
    /// How often: every ten seconds.
    pub interval: Option<ReadableDuration>,
}

/// One of `health.http`: another server answers.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct HttpCheck {
    /// What is asked for, by HEAD.
    pub uri: String,
    /// The status that is well: 200.
    pub statuscode: Option<u16>,
    /// What is sent with it.
    pub headers: BTreeMap<String, Vec<SecretText>>,
    /// How long the answer may take: five seconds.
    pub timeout: Option<ReadableDuration>,
    /// How often: every ten seconds.
    pub interval: Option<ReadableDuration>,
    /// After how many failures in a row it fails.
    pub threshold: u32,
}

/// Addresses may have passwords in them, as headers may.
impl fmt::Debug for HttpCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCheck").field("statuscode", &self.statuscode).finish_non_exhaustive()
    }
}

/// One of `health.tcp`: another server lets connect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TcpCheck {
    /// The host and the port.
    pub addr: String,
    /// How long it may take: five seconds.
    pub timeout: Option<ReadableDuration>,
    /// How often: every ten seconds.
    pub interval: Option<ReadableDuration>,
    /// After how many failures in a row it fails.
    pub threshold: u32,
}

pub(super) fn interval(interval: Option<ReadableDuration>) -> Duration {
    interval.map(|interval| interval.0).filter(|interval| !interval.is_zero()).unwrap_or(INTERVAL)
}

pub(super) fn timeout(timeout: Option<ReadableDuration>) -> Duration {
    timeout.map(|timeout| timeout.0).filter(|timeout| !timeout.is_zero()).unwrap_or(TIMEOUT)
}
