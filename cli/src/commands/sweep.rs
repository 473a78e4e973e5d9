//! `blobstore sweep`

use std::time::Duration;

use clap::Args;
use driver_factory::Leftover;

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::output::{print, timestamp};
use crate::{interrupt, values};

/// Remove what writers that are gone have left
///
/// Finds what was begun and will be published by nobody: uploads to S3 that belong to no kept session, and what processes that
/// are gone had staged in a directory. Sessions that were kept to go on later stay. Prints a line for each thing. Goes on to
/// the next when one can't be removed, and ends with the code of the first failure.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Leave what was begun less than this ago: longer than any write takes. Where a lock tells who is gone, age is no matter
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = values::duration())]
    older_than: Duration,
    /// Tell what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let opened = arguments.backend.open_with_hooks().await?;
    let Some(leftovers) = opened.leftovers(&context, arguments.older_than).await else {
        eprintln!("blobstore: with the driver {} there is nothing to sweep", opened.storage().name());
        return Ok(());
    };
    let mut first = None;
    for leftover in leftovers? {
        let line = line(&leftover);
        let removed = if arguments.dry_run { Ok(()) } else { context.run(leftover.remove()).await };
        match removed {
            Ok(()) => print(&format!("{} {line}\n", if arguments.dry_run { "found" } else { "removed" }))?,
            Err(error) => {
                let told = Failure::from(error).told();
                first.get_or_insert(told);
            }
        }
    }
    first.map_or(Ok(()), Err)
}

fn line(leftover: &Leftover) -> String {
    match leftover.since() {
        Some(time) => format!("{}, begun {}", leftover.description(), timestamp(time)),
        None => leftover.description().to_owned(),
    }
}
