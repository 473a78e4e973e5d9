//! `blobstore stat`

use std::io::Write;

use clap::Args;
use driver_api::{Entry, StoragePath};

use crate::backend::Backend;
use crate::exit::Result;
use crate::interrupt;
use crate::output::{standard_output, timestamp, unwritable, write_json};

/// Show what stands at a path
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file or directory
    path: StoragePath,
    /// Print a JSON object: kind, path, and for a file size, modified and version
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let storage = arguments.backend.open().await?;
    let entry = storage.stat(&context, &arguments.path).await?;
    let mut output = standard_output();
    if arguments.json {
        write_json(&mut output, &entry)?;
    } else {
        for (name, value) in lines(&entry) {
            writeln!(output, "{name:<9} {value}").map_err(unwritable)?;
        }
    }
    output.flush().map_err(unwritable)
}

fn lines(entry: &Entry) -> Vec<(&'static str, String)> {
    let mut lines = vec![("path", entry.path().to_string())];
    match entry {
        Entry::Directory(_) => lines.push(("kind", "directory".to_owned())),
        Entry::File(info) => {
            lines.push(("kind", "file".to_owned()));
            lines.push(("size", info.size.to_string()));
            lines.push(("modified", timestamp(info.modified)));
            lines.extend(info.version.as_ref().map(|version| ("version", version.as_str().to_owned())));
        }
    }
    lines
}
