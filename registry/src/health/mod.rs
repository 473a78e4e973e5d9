//! Whether a registry is well: what is checked, how often, and what came of it.
//!
//! A failing check makes the API answer 503, so that nobody is sent to a registry that cannot serve; what fails is told on the
//! debug address only.

mod checks;
mod options;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use driver_api::Storage;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

pub use options::{FileCheck, HealthOptions, HttpCheck, StorageCheck, TcpCheck};

use watch::watch;

/// The check that is no check: somebody said so.
const MANUAL: &str = "manual_http_status";

/// What came of the checks of a registry. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    failing: Mutex<BTreeMap<String, String>>,
    /// How many there are, so that requests need no lock.
    count: AtomicUsize,
    checked: Mutex<Checked>,
}

/// What is checked.
#[derive(Debug, Default)]
struct Checked {
    /// The check of the storage.
    storage: Option<String>,
    others: usize,
}

/// How a registry is doing, without anything of how it is made: for those who are no operators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Whether the storage is well; none where that is not checked.
    pub(crate) storage: Option<bool>,
    /// How many other checks there are.
    pub(crate) others: usize,
    /// How many things fail beside the storage.
    pub(crate) failing: usize,
}

impl Health {
    /// Nothing is checked, and nothing fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether anything fails. It takes no time.
    pub fn failing(&self) -> bool {
        self.0.count.load(Ordering::Relaxed) > 0
    }

    /// What fails, and why.
    pub fn report(&self) -> BTreeMap<String, String> {
        self.0.failing.lock().clone()
    }

    /// How it is doing, in a few words.
    pub(crate) fn summary(&self) -> Summary {
        let (checked, failing) = (self.0.checked.lock(), self.0.failing.lock());
        let storage = checked.storage.as_ref().map(|check| !failing.contains_key(check));
        let failing = failing.len() - usize::from(storage == Some(false));
        Summary { storage, others: checked.others, failing }
    }

    /// Says of a check that it fails, or that it does not. The change is logged.
    pub fn update(&self, check: &str, outcome: Result<(), String>) {
        let mut failing = self.0.failing.lock();
        match outcome {
            Ok(()) => {
                if failing.remove(check).is_some() {
                    tracing::info!(check, "a health check does not fail any more");
                }
            }
            Err(error) => {
                if !failing.contains_key(check) {
                    tracing::error!(check, %error, "a health check fails");
                }
                failing.insert(check.to_owned(), error);
            }
        }
        self.0.count.store(failing.len(), Ordering::Relaxed);
    }

    /// Takes the registry out of service, whatever its checks say.
    pub fn down(&self) {
        self.update(MANUAL, Err("manual check".to_owned()));
    }

    /// Takes back [`Health::down`].
    pub fn up(&self) {
        self.update(MANUAL, Ok(()));
    }

    /// Checks from now on what `options` say, until what is returned is dropped. It needs a runtime.
    ///
    /// Errors: what is wrong with the options.
    pub fn watch(&self, options: &HealthOptions, storage: Option<(&str, Storage)>) -> Result<Watch, String> {
        let checks = checks::from_options(options, storage)?;
        let (of_storage, others): (Vec<_>, Vec<_>) = checks.iter().partition(|check| check.is_of_storage());
        let storage = of_storage.first().map(|check| check.name.clone());
        *self.0.checked.lock() = Checked { storage, others: others.len() };
        Ok(Watch(checks.into_iter().map(|check| tokio::spawn(watch(self.clone(), check))).collect()))
    }
}

/// Checks that are repeated as long as this is not dropped.
#[derive(Debug)]
pub struct Watch(Vec<JoinHandle<()>>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_fails_until_it_does_not() {
        let health = Health::new();
        assert!(!health.failing());
        health.update("a", Err("one".to_owned()));
        health.update("a", Err("two".to_owned()));
        health.update("b", Ok(()));
        health.down();
        assert!(health.failing());
        let report = health.report();
        assert_eq!(
            (report["a"].as_str(), report["manual_http_status"].as_str(), report.len()),
            ("two", "manual check", 2)
        );
        health.up();
        assert!(health.failing());
        health.update("a", Ok(()));
        assert!(!health.failing());
    }
}
