//! The contents.

use driver_api::{Context, ListOptions, ReadOptions, Storage, StoragePath};
use futures_util::{StreamExt, stream};

use super::{Verified, VerifyOptions};
use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::layout::{self, Directory, Place};
use crate::listed::list_if_any;
use crate::marks::Marks;
use crate::upkeep::{Event, Listener};

/// How many contents are read at once.
const AT_ONCE: usize = 4;

/// What is known of the contents.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Those against which nothing is known.
    pub(super) good: Marks,
    pub(super) damaged: Marks,
}

/// Reads every content.
pub(super) async fn verify(
    storage: &Storage,
    context: &Context,
    options: &VerifyOptions,
    verified: &mut Verified,
    listener: &mut Listener<'_>,
) -> Result<Contents> {
    let mut contents = Contents::default();
    let Some(mut listing) = list_if_any(storage, context, &Directory::Blobs.path(), ListOptions::recursive()).await?
    else {
        return Ok(contents);
    };
    while let Some(page) = listing.next_page().await {
        let digests = page?.into_iter().filter_map(|entry| match Place::parse(entry.path()) {
            Some(Place::Blob(digest)) => Some(digest),
            _ => None,
        });
        let (known, unread): (Vec<_>, Vec<_>) =
            digests.partition(|digest| options.after.is_some_and(|after| *digest <= after));
        known.iter().for_each(|digest| contents.good.insert(digest));
        let read = stream::iter(unread).map(|digest| {
            let (storage, context) = (storage.clone(), context.clone());
            async move { (digest, hash(&storage, &context, &digest).await) }
        });
        let mut read = read.buffered(AT_ONCE);
        while let Some((digest, hashed)) = read.next().await {
            let path = Place::Blob(digest).path();
            match hashed {
                Ok((found, bytes)) => {
                    verified.blobs += 1;
                    verified.bytes += bytes;
                    if found == digest {
                        contents.good.insert(&digest);
                        listener(Event::Checked(&digest));
                        continue;
                    }
                    verified.damaged += 1;
                    contents.damaged.insert(&digest);
                    let error =
                        Error::Damaged { path: path.clone(), reason: format!("its content has the digest {found}") };
                    listener(Event::Problem { path: &path, error: &error });
                    if options.quarantine {
                        verified.quarantined += u64::from(quarantine(storage, context, &digest, listener).await);
                    }
                }
                // It was collected meanwhile.
                Err(Error::Storage(error)) if error.is_not_found() => {}
                Err(error) => {
                    verified.problems += 1;
                    contents.good.insert(&digest);
                    listener(Event::Problem { path: &path, error: &error });
                }
            }
        }
    }
    Ok(contents)
}

async fn hash(storage: &Storage, context: &Context, digest: &Digest) -> Result<(Digest, u64)> {
    let mut reader = storage.reader(context, &Place::Blob(*digest).path(), ReadOptions::default()).await?;
    let (mut hasher, bytes) = (Hasher::new(digest.algorithm()), reader.len());
    while let Some(chunk) = reader.next_chunk().await {
        hasher.update(&chunk?);
    }
    Ok((hasher.digest(), bytes))
}

/// Moves a damaged content out of the way; whether that succeeded.
async fn quarantine(storage: &Storage, context: &Context, digest: &Digest, listener: &mut Listener<'_>) -> bool {
    let path = Place::Blob(*digest).path();
    match storage.move_to(context, &path, &quarantined(digest)).await {
        Ok(()) => true,
        Err(error) => {
            listener(Event::Problem { path: &path, error: &error.into() });
            false
        }
    }
}

/// Where a damaged content is kept.
fn quarantined(digest: &Digest) -> StoragePath {
    layout::path(format_args!("/blobstore/quarantine/{}/{}", digest.algorithm(), digest.hex()))
}
