//! The leak audit: after every case the store is emptied, and then its backend must be empty too.

use std::time::Duration;

use driver_api::{Context, DeleteOptions, Entry, Error, ErrorKind, ListOptions, StoragePath};
use tokio::time::Instant;

use crate::case::unfinished;
use crate::check::{Failure, Verdict};
use crate::target::Instance;

/// How long what runs on behind a case (a dropped writer's clean-up, a change that outlived its caller) has to come to an
/// end.
const SETTLING: Duration = Duration::from_secs(5);

/// Empties the store and looks for what is left.
pub(crate) async fn audit(instance: &Instance) -> Verdict {
    let deadline = Instant::now() + SETTLING;
    loop {
        let left = what_is_left(instance).await?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let failure = Failure::new(
                "WRITE-4",
                "nothing in the backend after every file was deleted and every session abandoned",
                format!("{} leftovers", left.len()),
            );
            return Err(failure.with_evidence(left.join("\n")).into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Deletes and abandons all that shows, and tells what the backend still holds.
async fn what_is_left(instance: &Instance) -> Result<Vec<String>, Error> {
    let (storage, context, root) = (instance.storage(), Context::background(), StoragePath::root());
    let entries = storage.list(&context, &root, ListOptions::default()).await?.collect().await?;
    for entry in &entries {
        ignore_missing(storage.delete(&context, entry.path(), DeleteOptions::tree()).await)?;
    }
    for session in unfinished(storage, &root).await? {
        ignore_missing(storage.abandon(&context, &session.path).await)?;
    }
    // A directory that nothing is in may stay where the driver does not declare otherwise (PATH-6), so that only files count.
    let exact = storage.capabilities().exact_directories;
    let options = if exact { ListOptions::default() } else { ListOptions::recursive() };
    let mut left: Vec<String> =
        storage.list(&context, &root, options).await?.collect().await?.iter().map(shown).collect();
    left.extend(unfinished(storage, &root).await?.iter().map(|session| format!("a session kept at {}", session.path)));
    if let Some(leftovers) = instance.leftovers().await {
        left.extend(leftovers?);
    }
    Ok(left)
}

fn shown(entry: &Entry) -> String {
    format!("{} in the listing of `/`", entry.key())
}

fn ignore_missing(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        // A session whose writer is about to be dropped has an owner for a moment longer.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => Ok(()),
        other => other,
    }
}
