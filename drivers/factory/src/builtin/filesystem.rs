//! `filesystem`.

use std::path::PathBuf;
use std::sync::Arc;

use driver_api::{Result, Storage};
use driver_filesystem::{FilesystemDriver, FilesystemDurability, FilesystemOptions, Swept};
use serde::Deserialize;

use crate::opened::{Leftover, Opened};

/// Parameters of `filesystem`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    /// The directory that holds the store.
    rootdirectory: PathBuf,
    /// The most operations that use the disk at once. As for the ancestor, less than 25 counts as 25.
    maxthreads: i64,
    durability: Durability,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Durability {
    #[default]
    Full,
    Process,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { rootdirectory: "/var/lib/registry".into(), maxthreads: 100, durability: Durability::Full }
    }
}

pub(super) async fn open(parameters: Parameters) -> Result<Opened> {
    let mut options = FilesystemOptions::new(parameters.rootdirectory);
    options.max_threads = usize::try_from(parameters.maxthreads).unwrap_or(FilesystemOptions::MIN_THREADS);
    options.durability = match parameters.durability {
        Durability::Full => FilesystemDurability::Full,
        Durability::Process => FilesystemDurability::Process,
    };
    let driver = Arc::new(FilesystemDriver::new(options)?);
    let opened = Opened::new(Storage::from_arc(driver.clone()));
    // No age matters: a lock tells whether a writer is gone.
    Ok(opened.with_sweep(move |context, _age| {
        let driver = driver.clone();
        async move { context.run(leftovers(driver)).await }
    }))
}

/// All there is as one, because one sweep removes it.
async fn leftovers(driver: Arc<FilesystemDriver>) -> Result<Vec<Leftover>> {
    let found = driver.residue().await?;
    if found == Swept::default() {
        return Ok(Vec::new());
    }
    let Swept { drivers, copies, directories, .. } = found;
    let description = format!(
        "what writers that are gone had staged: {drivers}; copies that were not published: {copies}; \
         directories without a file: {directories}"
    );
    Ok(vec![Leftover::new(description, move || async move { driver.sweep().await.map(drop) })])
}
