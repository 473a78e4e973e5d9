//! `blobstore gc`

use std::time::Duration;

use blobstore::upkeep::{CollectOptions, collect};
use clap::Args;

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::teller::Teller;
use crate::{interrupt, values};

/// Delete what no manifest names any more, while the registry serves
///
/// Prints a line for each thing that is deleted, and why; what cannot be made out keeps what it may need, and goes to standard error.
/// Must not run while the Go registry takes pushes on the same storage.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Leave what is younger than this: a push may be about to name it
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = values::duration())]
    grace: Duration,
    /// Delete manifests as well that no tag names, no index lists and that do not refer to one which stays
    #[arg(long)]
    delete_untagged: bool,
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
    let mut options = CollectOptions::default().with_grace(arguments.grace);
    options.delete_untagged = arguments.delete_untagged;
    options.dry_run = arguments.dry_run;
    let mut teller = Teller::new(arguments.dry_run, arguments.json);
    let done = collect(&namespace, &context, &options, &mut |event| teller.tell(&event)).await?;
    let sums = serde_json::json!({
        "kind": "summary",
        "repositories": done.repositories,
        "manifests": done.manifests,
        "needed": done.needed,
        "manifests_deleted": done.manifests_deleted,
        "links_deleted": done.links_deleted,
        "blobs_deleted": done.blobs_deleted,
        "bytes_freed": done.bytes_freed,
        "spared": done.spared,
        "problems": done.problems,
    });
    let text = format!(
        "{} repositories, {} manifests, {} contents needed; {} manifests, {} links and {} contents deleted, {} bytes freed",
        done.repositories,
        done.manifests,
        done.needed,
        done.manifests_deleted,
        done.links_deleted,
        done.blobs_deleted,
        done.bytes_freed,
    );
    teller.end(&sums, &text)?;
    match done.problems {
        0 => Ok(()),
        problems => Err(Failure::new(format!("{problems} problems: what they may need was kept"))),
    }
}
