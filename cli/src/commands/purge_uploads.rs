//! `blobstore purge-uploads`

use std::time::Duration;

use blobstore::upkeep::{PurgeOptions, purge_uploads};
use clap::Args;

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::teller::Teller;
use crate::{interrupt, values};

/// Delete uploads that nobody will go on with
///
/// Prints a line for each upload that is deleted; what goes wrong with one goes to standard error, and the others are looked at.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Leave uploads that began less than this ago
    #[arg(long, value_name = "DURATION", default_value = "168h", value_parser = values::duration())]
    older_than: Duration,
    /// Tell what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object a line, and a last one with the sums
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let namespace = arguments.backend.namespace().await?;
    let mut options = PurgeOptions::default();
    options.older_than = arguments.older_than;
    options.dry_run = arguments.dry_run;
    let mut teller = Teller::new(arguments.dry_run, arguments.json);
    let done = purge_uploads(&namespace, &context, &options, &mut |event| teller.tell(&event)).await?;
    let sums = serde_json::json!({
        "kind": "summary", "found": done.found, "purged": done.purged, "problems": done.problems,
    });
    teller.end(&sums, &format!("{} uploads, {} deleted", done.found, done.purged))?;
    match done.problems {
        0 => Ok(()),
        problems => Err(Failure::new(format!("{problems} problems"))),
    }
}
