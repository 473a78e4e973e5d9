//! What pushes rely on, written down while a collection runs.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use driver_api::{Context, GetOptions, ListOptions, PutOptions, Storage, StoragePath};
use futures_util::TryStreamExt;
use uuid::Uuid;

use super::{note, notes};
use crate::error::Result;
use crate::listed::list_if_any;
use crate::text::{lines, paths};

/// A push of the largest manifest has some hundred thousand paths.
const MAX_NOTE_BYTES: u64 = 64 * 1024 * 1024;

/// The notes of all pushes.
#[derive(Debug)]
pub(crate) struct Reliances {
    storage: Storage,
    /// A note never changes, so that each is read once.
    read: HashMap<StoragePath, (SystemTime, HashSet<StoragePath>)>,
}

impl Reliances {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage, read: HashMap::new() }
    }

    /// Notes that a push relies on these files. Each note has a name of its own, so that taking away an old one never takes away
    /// a new one.
    pub(super) async fn write(&self, context: &Context, paths: &[StoragePath]) -> Result<()> {
        let place = note("reliances", Uuid::new_v4());
        self.storage.put(context, &place, lines(paths), PutOptions::default()).await?;
        Ok(())
    }

    /// Reads the notes that have come since the last time.
    pub(crate) async fn refresh(&mut self, context: &Context) -> Result<()> {
        let Some(mut listing) =
            list_if_any(&self.storage, context, &notes("reliances"), ListOptions::default()).await?
        else {
            return Ok(());
        };
        while let Some(entry) = listing.try_next().await? {
            let Some(info) = entry.as_file() else { continue };
            if self.read.contains_key(&info.path) {
                continue;
            }
            match self.storage.get(context, &info.path, GetOptions::default().with_max_bytes(MAX_NOTE_BYTES)).await {
                Ok((_, note)) => {
                    self.read.insert(info.path.clone(), (info.modified, paths(&note)));
                }
                // Another collection has found it too old.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether some push relies on the file.
    pub(crate) fn include(&self, path: &StoragePath) -> bool {
        self.read.values().any(|(_, paths)| paths.contains(path))
    }

    /// Takes away the notes that are older than `age` at `now`, by the clock of the storage.
    pub(crate) async fn forget(&mut self, context: &Context, now: SystemTime, age: Duration) -> Result<()> {
        let old = |modified: &SystemTime| now.duration_since(*modified).is_ok_and(|passed| passed > age);
        let paths: Vec<_> =
            self.read.iter().filter(|(_, (modified, _))| old(modified)).map(|(path, _)| path.clone()).collect();
        self.read.retain(|path, _| !paths.contains(path));
        if let Some(error) = self.storage.delete_files(context, paths).await?.into_iter().next() {
            return Err(error.into());
        }
        Ok(())
    }
}
