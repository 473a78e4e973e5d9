//! Links: files that contain a digest and nothing else.

use driver_api::{Context, ErrorKind, GetOptions, PutOptions, Storage};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::Place;

/// More than the longest digest has.
const MAX_LINK_BYTES: u64 = 256;

/// What a link names; none where there is no such link.
pub(crate) async fn read(storage: &Storage, context: &Context, place: &Place) -> Result<Option<Digest>> {
    let path = place.path();
    let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
    match storage.get(context, &path, GetOptions::default().with_max_bytes(MAX_LINK_BYTES)).await {
        // The Go registry trims nothing either: what has a line feed behind it was not written by a registry.
        Ok((_, link)) => match std::str::from_utf8(&link).map(str::parse) {
            Ok(Ok(digest)) => Ok(Some(digest)),
            Ok(Err(error)) => Err(damaged(error.to_string())),
            Err(error) => Err(damaged(error.to_string())),
        },
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) if error.kind() == ErrorKind::TooLarge => Err(damaged(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Makes `place` a link to `target`, whatever it was.
pub(crate) async fn write(storage: &Storage, context: &Context, place: &Place, target: &Digest) -> Result<()> {
    storage.put(context, &place.path(), target.to_string(), PutOptions::default()).await?;
    Ok(())
}

/// Takes a link away; whether there was one.
pub(crate) async fn remove(storage: &Storage, context: &Context, place: &Place) -> Result<bool> {
    match storage.delete(context, &place.path(), driver_api::DeleteOptions::default()).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
