//! The log of a registry, on standard error.

use registry::configuration::{Format, Level, Log};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::exit::{Failure, Result};

/// What the product tells comes from these.
pub(crate) const OWN: [&str; 7] =
    ["blobstore", "driver_api", "driver_azure", "driver_filesystem", "driver_s3", "registry", "storage"];

/// What takes spans, beside the log.
pub(crate) type Spans = Box<dyn Layer<Registry> + Send + Sync>;

/// Begins to write what the program tells, and to pass on its spans.
pub(crate) fn begin(log: &Log, spans: Option<Spans>) -> Result {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let access = if log.access { level } else { LevelFilter::OFF };
    // What libraries tell of their insides is of use to those who look for a fault in one.
    let others = level.min(if log.level == Level::Trace { LevelFilter::TRACE } else { LevelFilter::WARN });
    let targets = Targets::new()
        .with_default(others)
        .with_targets(OWN.map(|target| (target, level)))
        .with_target(registry::ACCESS_LOG, access);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let lines = match log.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let begun = tracing_subscriber::registry().with(spans).with(lines.with_filter(targets)).try_init();
    begun.map_err(|error| Failure::new(format!("the log does not begin: {error}")))?;
    if !log.fields.is_empty() {
        tracing::info!(fields = ?log.fields, "the log begins");
    }
    Ok(())
}
