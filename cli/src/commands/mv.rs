//! `blobstore mv`

use clap::Args;
use driver_api::StoragePath;

use crate::backend::Backend;
use crate::exit::Result;
use crate::interrupt;

/// Move a file, replacing what is at the target
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file
    from: StoragePath,
    /// Its new path
    to: StoragePath,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let storage = arguments.backend.open().await?;
    Ok(storage.move_to(&context, &arguments.from, &arguments.to).await?)
}
