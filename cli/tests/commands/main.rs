//! The built binary, end to end.

#![expect(clippy::unwrap_used, reason = "a test's own functions panic as its tests do")]

mod bench;
#[cfg(any(feature = "s3", feature = "azure"))]
mod certificates;
mod configuration;
mod conformance;
#[cfg(any(feature = "s3", feature = "azure"))]
mod engines;
#[cfg(feature = "azure-entra")]
mod entra;
mod files;
#[cfg(feature = "s3")]
mod services;
mod stores;
mod streams;
mod support;
mod sweep;
