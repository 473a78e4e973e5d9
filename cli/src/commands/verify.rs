//! `blobstore verify`

use blobstore::Digest;
use blobstore::upkeep::{Event, VerifyOptions, verify};
use clap::Args;

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::interrupt;
use crate::teller::Teller;

/// Read every blob, and follow every link, tag and reference of a manifest
///
/// What is damaged or leads nowhere goes to standard error, a line for each thing, and makes the command fail.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Read only the blobs behind this one: where an earlier run came to
    #[arg(long, value_name = "DIGEST")]
    after: Option<Digest>,
    /// Move damaged blobs to /blobstore/quarantine, so that a push brings them back
    #[arg(long)]
    quarantine: bool,
    /// Note what refers to a manifest and was not noted: pushes to a registry without referrers leave it out
    #[arg(long)]
    repair: bool,
    /// Print a JSON object with the sums
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let namespace = arguments.backend.namespace().await?;
    let mut options = VerifyOptions::default();
    options.after = arguments.after;
    options.quarantine = arguments.quarantine;
    options.repair = arguments.repair;
    let (mut teller, mut last) = (Teller::new(false, arguments.json), arguments.after);
    let mut listener = |event: Event<'_>| {
        if let Event::Checked(digest) = event {
            last = Some(*digest);
        }
        teller.tell(&event);
    };
    let verified = verify(&namespace, &context, &options, &mut listener).await;
    let done = match (verified, last) {
        (Ok(done), _) => done,
        (Err(error), None) => return Err(error.into()),
        (Err(error), Some(last)) => {
            return Err(Failure::from(error).advising(&format!("`--after {last}` goes on from here")));
        }
    };
    let sums = serde_json::json!({
        "kind": "summary",
        "blobs": done.blobs,
        "bytes": done.bytes,
        "links": done.links,
        "manifests": done.manifests,
        "damaged": done.damaged,
        "quarantined": done.quarantined,
        "broken": done.broken,
        "unnoted": done.unnoted,
        "problems": done.problems,
    });
    let mut text = format!(
        "{} blobs with {} bytes, {} links and {} manifests; {} damaged, {} broken",
        done.blobs, done.bytes, done.links, done.manifests, done.damaged, done.broken,
    );
    if done.unnoted > 0 {
        let told = if arguments.repair { "is noted now" } else { "was not noted, as `--repair` would" };
        text.push_str(&format!("; that {} manifests refer to others {told}", done.unnoted));
    }
    teller.end(&sums, &text)?;
    match done.damaged + done.broken + done.problems {
        0 => Ok(()),
        wrong => Err(Failure::new(format!("{wrong} things are not as they should be"))),
    }
}
