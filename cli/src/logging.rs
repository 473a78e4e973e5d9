//! The log of a registry, on standard error.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

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
    let ending = ending(log);
    let writer = move || Lines { to: io::stderr(), ending: ending.clone() };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match log.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let begun = tracing_subscriber::registry().with(spans).with(lines.with_filter(targets)).try_init();
    begun.map_err(|error| Failure::new(format!("the log does not begin: {error}")))
}

/// Lines that all end with the fields that the configuration gives to each.
struct Lines<W> {
    to: W,
    ending: Option<Ending>,
}

/// What the end of a line becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ending {
    usual: &'static str,
    with_fields: Arc<str>,
}

/// What the lines themselves say, in JSON.
const TAKEN: [&str; 6] = ["level", "message", "span", "spans", "target", "timestamp"];

fn ending(log: &Log) -> Option<Ending> {
    if log.fields.is_empty() {
        return None;
    }
    let usual = if log.format == Format::Json { "}\n" } else { "\n" };
    let mut with_fields = String::new();
    for (name, value) in &log.fields {
        // Writing to a String cannot fail.
        let _ = match log.format {
            Format::Text => write!(with_fields, " {name}={value:?}"),
            Format::Json => {
                let prefix = if TAKEN.contains(&name.as_str()) { "fields." } else { "" };
                let name = serde_json::Value::String(format!("{prefix}{name}"));
                write!(with_fields, ",{name}:{}", serde_json::Value::from(value.as_str()))
            }
        };
    }
    with_fields.push_str(usual);
    Some(Ending { usual, with_fields: with_fields.into() })
}

impl<W: Write> Write for Lines<W> {
    /// Takes one whole line: the formatter makes it first.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let found = self.ending.as_ref().and_then(|ending| Some((line.strip_suffix(ending.usual.as_bytes())?, ending)));
        match found {
            // In one piece, so that lines of several threads do not mix.
            Some((begin, ending)) => self.to.write_all(&[begin, ending.with_fields.as_bytes()].concat())?,
            None => self.to.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, fields: &[(&str, &str)], line: &str) -> String {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let log = Log { format, fields, ..Log::default() };
        let mut lines = Lines { to: Vec::new(), ending: ending(&log) };
        lines.write_all(line.as_bytes()).unwrap();
        String::from_utf8(lines.to).unwrap()
    }

    #[test]
    fn every_line_ends_with_the_fields_of_the_configuration() {
        let fields = [("level", "of my own"), ("service", "a \"registry\"\n")];
        let text = line(Format::Text, &fields, "INFO begun\n");
        assert_eq!(text, "INFO begun level=\"of my own\" service=\"a \\\"registry\\\"\\n\"\n");
        let json = line(Format::Json, &fields, "{\"level\":\"INFO\",\"spans\":[{}]}\n");
        let expected = r#"{"level":"INFO","spans":[{}],"fields.level":"of my own","service":"a \"registry\"\n"}"#;
        assert_eq!(json, format!("{expected}\n"));
        assert_eq!(line(Format::Json, &[], "{}\n"), "{}\n");
    }
}
