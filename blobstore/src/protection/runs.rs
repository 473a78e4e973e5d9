//! Which collections run and have run, and what each is about to delete.

use std::time::{Duration, Instant, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use driver_api::{Context, Error, ErrorKind, FileInfo, GetOptions, Storage, StoragePath};

use super::noted;
use crate::error::Result;
use crate::text::paths;

/// A batch that is about to be deleted has some thousand paths.
const MAX_NOTE_BYTES: u64 = 64 * 1024 * 1024;

/// How long a push waits for a batch to be deleted.
const PATIENCE: Duration = Duration::from_secs(60);

/// The collections that were noted at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen(pub(super) Vec<FileInfo>);

impl Seen {
    /// Whether none of them runs.
    pub(super) fn is_quiet(&self) -> bool {
        self.running().next().is_none()
    }

    /// The notes of those that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &FileInfo> {
        self.0.iter().filter(|info| is_running(info))
    }

    /// The notes of those that had ended when the one at `path` was written. Of two that end at the same time each sees the other's,
    /// and only one may take the other's away: else nothing would show that they have run. So they are in one order, by the time
    /// that the storage tells, and by their names.
    pub(super) fn ended_before(&self, path: &StoragePath) -> impl Iterator<Item = &FileInfo> {
        fn order(info: &FileInfo) -> (SystemTime, &StoragePath) {
            (info.modified, &info.path)
        }
        let own = self.0.iter().find(|info| info.path == *path);
        self.0.iter().filter(move |info| !is_running(info) && own.is_some_and(|own| order(info) < order(own)))
    }
}

fn is_running(note: &FileInfo) -> bool {
    note.path.name().is_some_and(|name| name.ends_with(".running"))
}

/// The notes of all collections.
pub(super) struct Runs<'a> {
    storage: &'a Storage,
}

impl<'a> Runs<'a> {
    pub(super) const fn new(storage: &'a Storage) -> Self {
        Self { storage }
    }

    pub(super) async fn seen(&self, context: &Context) -> Result<Seen> {
        Ok(Seen(noted(self.storage, context, "collections").await?))
    }

    /// Waits until no collection is about to delete any of the files.
    pub(super) async fn wait_until_spared_or_gone(&self, context: &Context, relied_on: &[StoragePath]) -> Result<()> {
        let begun = Instant::now();
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(5))
            .with_max_delay(Duration::from_secs(1))
            .without_max_times()
            .build();
        while self.is_any_condemned(context, relied_on).await? {
            if begun.elapsed() > PATIENCE {
                let message = "a collection of garbage is about to delete what this relies on, and does not go on";
                return Err(Error::new(ErrorKind::Unavailable, message).into());
            }
            let pause = pauses.next().unwrap_or(PATIENCE);
            let slept = async {
                tokio::time::sleep(pause).await;
                Ok(())
            };
            context.run(slept).await?;
        }
        Ok(())
    }

    async fn is_any_condemned(&self, context: &Context, relied_on: &[StoragePath]) -> Result<bool> {
        for info in noted(self.storage, context, "condemned").await? {
            match self.storage.get(context, &info.path, GetOptions::default().with_max_bytes(MAX_NOTE_BYTES)).await {
                Ok((_, note)) => {
                    let condemned = paths(&note);
                    if relied_on.iter().any(|path| condemned.contains(path)) {
                        return Ok(true);
                    }
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }
}
