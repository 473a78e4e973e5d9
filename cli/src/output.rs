//! Entries of a store as people and scripts read them.

use std::io::{self, Write};
use std::time::SystemTime;

use driver_api::Entry;
use serde::Serialize;

use crate::exit::{Failure, Result};

/// Standard output, buffered; whoever writes to it flushes it.
pub(crate) fn standard_output() -> impl Write {
    io::BufWriter::new(io::stdout().lock())
}

/// Writes all of `text` to standard output.
pub(crate) fn print(text: &str) -> Result {
    let mut output = standard_output();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(unwritable)
}

/// A failure to write to standard output.
pub(crate) fn unwritable(error: io::Error) -> Failure {
    Failure::local("standard output", &error)
}

/// An entry as JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum EntryJson<'a> {
    File {
        path: &'a str,
        size: u64,
        modified: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'a str>,
    },
    Directory {
        path: &'a str,
    },
}

/// Writes one entry as a line of JSON.
pub(crate) fn write_json(output: &mut impl Write, entry: &Entry) -> Result {
    let json = match entry {
        Entry::Directory(path) => EntryJson::Directory { path: path.as_str() },
        Entry::File(info) => EntryJson::File {
            path: info.path.as_str(),
            size: info.size,
            modified: timestamp(info.modified),
            version: info.version.as_ref().map(|version| version.as_str()),
        },
    };
    write_json_line(output, &json)
}

/// Writes anything as a line of JSON.
pub(crate) fn write_json_line(output: &mut impl Write, value: &impl Serialize) -> Result {
    serde_json::to_writer(&mut *output, value).map_err(|error| unwritable(error.into()))?;
    writeln!(output).map_err(unwritable)
}

/// A point in time by RFC 3339, in UTC, to the second.
pub(crate) fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
