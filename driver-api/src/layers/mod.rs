//! Layers: wrappers around a driver that are drivers themselves.
//!
//! The order matters: what is wrapped first is nearest to the backend. Around a backend across a network one would have
//! `Retry` outside of `Timeout` outside of `ConcurrencyLimit`, so that each attempt has its own time and its own place.

mod concurrency_limit;
mod count;
mod faults;
mod intercept;
mod metrics;
mod prefix;
mod read_only;
mod retry;
mod timeout;
mod trace;

pub use concurrency_limit::ConcurrencyLimit;
pub use count::Count;
pub use faults::{Fault, FaultPoint, Faults};
pub use intercept::{Call, Intercept, Verdict};
pub use metrics::Metrics;
pub use prefix::Prefix;
pub use read_only::ReadOnly;
pub use retry::Retry;
pub use timeout::Timeout;
pub use trace::Trace;

use std::sync::Arc;

use crate::driver::StorageDriver;

/// Something that wraps a driver into another.
pub trait Layer {
    /// The driver with this layer around it.
    fn wrap(self, inner: Arc<dyn StorageDriver>) -> Arc<dyn StorageDriver>;
}
