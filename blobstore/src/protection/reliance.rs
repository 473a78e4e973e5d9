//! What pushes rely on, written down while a collection runs.

use std::collections::HashSet;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use driver_api::{Context, GetOptions, PutOptions, Retry, Storage, StoragePath};
use uuid::Uuid;

use super::{note, noted};
use crate::error::{Error, Result};
use crate::text::{lines, paths};

/// A push of the largest manifest has some hundred thousand paths.
const MAX_NOTE_BYTES: u64 = 64 * 1024 * 1024;

/// How often reading them is tried again where the storage could not do it, and after which pauses.
const ATTEMPTS: usize = 7;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The notes of all pushes.
#[derive(Debug)]
pub(crate) struct Reliances {
    storage: Storage,
    /// The notes that were read: they never change.
    read: HashSet<StoragePath>,
    /// What they say.
    relied_on: HashSet<StoragePath>,
}

impl Reliances {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage, read: HashSet::new(), relied_on: HashSet::new() }
    }

    /// Notes that a push relies on these files. Each note has a name of its own, so that taking away an old one never takes away
    /// a new one.
    pub(super) async fn write(&self, context: &Context, paths: &[StoragePath]) -> Result<()> {
        let place = note("reliances", Uuid::new_v4());
        self.storage.put(context, &place, lines(paths), PutOptions::default()).await?;
        Ok(())
    }

    /// The notes that are there. That they come faster than a directory can be listed passes.
    pub(crate) async fn all(&self, context: &Context) -> Result<Vec<StoragePath>> {
        let pauses = ExponentialBuilder::default().with_jitter().with_max_delay(LONGEST_PAUSE).with_max_times(ATTEMPTS);
        let mut pauses = pauses.with_min_delay(SHORTEST_PAUSE).build();
        loop {
            let error = match noted(&self.storage, context, "reliances").await {
                Err(Error::Storage(error)) if error.retry() == Retry::Safe => error,
                found => return Ok(found?.into_iter().map(|info| info.path).collect()),
            };
            let Some(pause) = pauses.next() else { return Err(error.into()) };
            let slept = async {
                tokio::time::sleep(pause).await;
                Ok(())
            };
            context.run(slept).await?;
        }
    }

    /// Reads the notes that have come since the last time.
    pub(crate) async fn refresh(&mut self, context: &Context) -> Result<()> {
        for path in self.all(context).await? {
            if self.read.contains(&path) {
                continue;
            }
            match self.storage.get(context, &path, GetOptions::default().with_max_bytes(MAX_NOTE_BYTES)).await {
                Ok((_, note)) => {
                    self.relied_on.extend(paths(&note));
                    self.read.insert(path);
                }
                // It was of no use any more when another collection ended, and so is of none to this one.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether some push relies on the file.
    pub(crate) fn include(&self, path: &StoragePath) -> bool {
        self.relied_on.contains(path)
    }
}

#[cfg(test)]
mod tests {
    use driver_api::layers::{Fault, Faults};
    use driver_api::{ErrorKind, Operation};
    use driver_inmemory::MemoryDriver;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_changes_too_fast_is_listed_again() {
        let (context, path) = (Context::background(), StoragePath::parse("/relied/on").unwrap());
        for (failing, is_read) in [(3, true), (u64::MAX, false)] {
            let busy = Faults::new(move |point| match point.operation {
                Operation::List if point.number <= failing => Fault::Before(ErrorKind::Unavailable),
                _ => Fault::None,
            });
            let mut reliances = Reliances::new(Storage::new(MemoryDriver::default()).layered(busy));
            reliances.write(&context, std::slice::from_ref(&path)).await.unwrap();
            assert_eq!(reliances.refresh(&context).await.is_ok(), is_read);
            assert_eq!(reliances.include(&path), is_read);
        }
    }
}
