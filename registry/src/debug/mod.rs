//! What operators and their programs ask a registry, on an address of its own: whether it is well, and what it counts.

mod metrics;
mod rename;
mod server;

pub use metrics::{Metrics, MetricsError};
pub use server::Server;
