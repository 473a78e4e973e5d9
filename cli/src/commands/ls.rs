//! `blobstore ls`

use std::io::Write;

use clap::Args;
use driver_api::{Entry, ListOptions, StoragePath};

use crate::backend::Backend;
use crate::exit::Result;
use crate::interrupt;
use crate::output::{standard_output, timestamp, unwritable, write_json};

/// List a directory
///
/// Prints one path a line, a directory's with a `/` behind it, in the order of the bytes. The listing goes out page by page,
/// however long it is.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The directory
    #[arg(default_value = "/")]
    path: StoragePath,
    /// List every file below, at any depth
    #[arg(short, long)]
    recursive: bool,
    /// Show size in bytes and time of last modification as well
    #[arg(short, long)]
    long: bool,
    /// Print a JSON object a line: kind, path, and for files size, modified and version
    #[arg(long, conflicts_with = "long")]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let storage = arguments.backend.open().await?;
    let options = ListOptions::default().with_recursive(arguments.recursive);
    let mut listing = storage.list(&context, &arguments.path, options).await?;
    while let Some(page) = listing.next_page().await {
        let page = page?;
        let mut output = standard_output();
        for entry in &page {
            if arguments.json {
                write_json(&mut output, entry)?;
            } else {
                writeln!(output, "{}", line(entry, arguments.long)).map_err(unwritable)?;
            }
        }
        output.flush().map_err(unwritable)?;
    }
    Ok(())
}

fn line(entry: &Entry, long: bool) -> String {
    let key = entry.key();
    match entry {
        _ if !long => key.to_string(),
        Entry::File(info) => format!("{:>14}  {}  {key}", info.size, timestamp(info.modified)),
        Entry::Directory(_) => format!("{:>14}  {:20}  {key}", "-", "-"),
    }
}
