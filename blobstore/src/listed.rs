//! Directories that need not be there.

use driver_api::{Context, ListOptions, Listing, Storage, StoragePath};

use crate::error::Result;

/// Begins to list a directory; none where it is not there, which is as good as empty wherever nothing was written yet.
pub(crate) async fn list_if_any(
    storage: &Storage,
    context: &Context,
    directory: &StoragePath,
    options: ListOptions,
) -> Result<Option<Listing>> {
    match storage.list(context, directory, options).await {
        Ok(listing) => Ok(Some(listing)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
