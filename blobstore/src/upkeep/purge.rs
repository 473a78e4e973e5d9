//! Uploads that nobody will go on with.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use driver_api::{Context, ListOptions, Storage};
use futures_util::TryStreamExt;

use super::{Event, Listener};
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::names::{RepositoryName, UploadId};
use crate::namespace::Namespace;
use crate::upload::States;
use crate::walk::Walk;

/// Which uploads are taken away.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PurgeOptions {
    /// Those that began longer ago than this.
    pub older_than: Duration,
    /// Tell which, and leave them.
    pub dry_run: bool,
}

impl Default for PurgeOptions {
    /// A week, as the Go registry has it.
    fn default() -> Self {
        Self { older_than: Duration::from_secs(7 * 24 * 60 * 60), dry_run: false }
    }
}

/// What became of old uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Uploads that there were.
    pub found: u64,
    /// Uploads that were taken away, or would be.
    pub purged: u64,
    /// What could not be looked at, or taken away.
    pub problems: u64,
}

/// What is known of an upload without asking for it.
struct Seen {
    has_start: bool,
    /// When something of it was written last, by the clock of the storage.
    touched: SystemTime,
    bytes: u64,
}

/// Takes away the uploads that began long ago; one of which that is not known, as long ago as something of it was written.
pub async fn purge_uploads(
    namespace: &Namespace,
    context: &Context,
    options: &PurgeOptions,
    listener: &mut Listener<'_>,
) -> Result<Purged> {
    let mut purged = Purged::default();
    let mut walk = Walk::behind(namespace.storage().clone(), None);
    while let Some(repository) = walk.next(context).await? {
        // A kept session makes no directory, so that there need be none.
        let uploads = match uploads(namespace.storage(), context, &repository).await {
            Ok(uploads) => uploads,
            Err(error) => {
                purged.problems += 1;
                listener(Event::Problem { path: &Directory::Uploads(&repository).path(), error: &error });
                continue;
            }
        };
        for (id, seen) in uploads {
            purged.found += 1;
            let path = Directory::Upload(&repository, id).path();
            match purge(namespace, context, options, &repository, id, &seen).await {
                Ok(false) => {}
                Ok(true) => {
                    purged.purged += 1;
                    listener(Event::Victim { path: &path, reason: "it began long ago", bytes: seen.bytes });
                }
                Err(error) => {
                    purged.problems += 1;
                    listener(Event::Problem { path: &path, error: &error });
                }
            }
        }
    }
    Ok(purged)
}

/// The uploads of a repository: those that have files, and those that have a kept session.
async fn uploads(
    storage: &Storage,
    context: &Context,
    repository: &RepositoryName,
) -> Result<BTreeMap<UploadId, Seen>> {
    let directory = Directory::Uploads(repository).path();
    let mut uploads = BTreeMap::new();
    let mut note = |id, is_start: bool, modified: SystemTime, bytes: u64| {
        let seen = uploads.entry(id).or_insert(Seen { has_start: false, touched: modified, bytes: 0 });
        seen.has_start |= is_start;
        seen.touched = seen.touched.max(modified);
        seen.bytes += bytes;
    };
    match storage.list(context, &directory, ListOptions::recursive()).await {
        Ok(mut listing) => {
            while let Some(entry) = listing.try_next().await? {
                let Some(info) = entry.as_file() else { continue };
                if let Some((id, is_start)) = upload_at(&info.path, &directory) {
                    note(id, is_start, info.modified, info.size);
                }
            }
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let mut sessions = storage.unfinished(context, &directory).await?;
    while let Some(page) = sessions.try_next().await? {
        for session in page {
            if let Some((id, is_start)) = upload_at(&session.path, &directory) {
                note(id, is_start, session.modified, session.size);
            }
        }
    }
    Ok(uploads)
}

/// The upload that a file is of, whatever it is there for; and whether it tells when the upload began.
fn upload_at(path: &driver_api::StoragePath, uploads: &driver_api::StoragePath) -> Option<(UploadId, bool)> {
    let below = path.strip_directory(uploads)?;
    let id = below.components().next()?.parse().ok()?;
    Some((id, matches!(Place::parse(path), Some(Place::UploadStarted(..)))))
}

/// Whether the upload is an old one; it is gone then.
async fn purge(
    namespace: &Namespace,
    context: &Context,
    options: &PurgeOptions,
    repository: &RepositoryName,
    id: UploadId,
    seen: &Seen,
) -> Result<bool> {
    let states = States::new(namespace.storage().clone(), repository.clone(), id);
    let began = match seen.has_start {
        true => match states.began(context).await {
            Ok(began) => SystemTime::from(began),
            Err(Error::UploadUnknown(_)) => return Ok(false),
            Err(Error::Damaged { .. }) => seen.touched,
            Err(error) => return Err(error),
        },
        false => seen.touched,
    };
    if SystemTime::now().duration_since(began).is_ok_and(|age| age > options.older_than) {
        // Nobody who writes to it in this process is disturbed; one in another has had as long.
        let Ok(_turn) = namespace.shared().uploads.take(id) else { return Ok(false) };
        if !options.dry_run {
            states.remove(context).await?;
        }
        return Ok(true);
    }
    Ok(false)
}
