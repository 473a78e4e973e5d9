//! `blobstore rm`

use clap::Args;
use driver_api::{Context, DeleteOptions, DeleteScope, Entry, Storage, StoragePath};

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::interrupt;

/// Delete files, or whole directories
///
/// Goes on to the next path when one fails, and ends with the code of the first failure.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files, or directories with -r
    #[arg(required = true)]
    paths: Vec<StoragePath>,
    /// Delete directories with all that is below them, unfinished writes included
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let storage = arguments.backend.open().await?;
    let mut first = None;
    for path in &arguments.paths {
        if let Err(failure) = remove(&context, &storage, path, arguments.recursive).await {
            let told = failure.told();
            first.get_or_insert(told);
        }
    }
    first.map_or(Ok(()), Err)
}

async fn remove(context: &Context, storage: &Storage, path: &StoragePath, recursive: bool) -> Result {
    let scope = if recursive { DeleteScope::Tree } else { DeleteScope::File };
    let Err(error) = storage.delete(context, path, DeleteOptions::default().with_scope(scope)).await else {
        return Ok(());
    };
    let is_directory = error.is_not_found() && matches!(storage.stat(context, path).await, Ok(Entry::Directory(_)));
    let failure = Failure::from(error);
    Err(if is_directory { failure.advising("it is a directory: -r deletes it") } else { failure })
}
