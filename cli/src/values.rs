//! Arguments with a unit, as configuration files write them.

use std::time::Duration;

use clap::builder::ValueParser;
use driver_factory::{ByteSize, ReadableDuration};

/// Reads a number of bytes: `1048576`, `1MiB`.
pub(crate) fn size() -> ValueParser {
    ValueParser::new(|text: &str| ByteSize::try_from(text.to_owned()).map(|ByteSize(bytes)| bytes))
}

/// Reads a duration: `20m`, `1h30m`.
pub(crate) fn duration() -> ValueParser {
    ValueParser::new(|text: &str| -> Result<Duration, String> {
        ReadableDuration::try_from(text.to_owned()).map(|ReadableDuration(duration)| duration)
    })
}
