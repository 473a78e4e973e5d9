//! A collection that runs: the side of those who delete.

use std::time::{Duration, Instant, SystemTime};

use driver_api::{
    Context, DeleteOptions, Error as StorageError, ErrorKind, FileInfo, PutOptions, Storage, StoragePath,
};
use uuid::Uuid;

use super::reliance::Reliances;
use super::runs::Runs;
use super::{LONGEST_REQUEST, note};
use crate::error::Result;
use crate::text::lines;

/// How often the note that a collection runs is renewed.
const RENEWAL: Duration = Duration::from_secs(60);

/// A collection that runs.
#[derive(Debug)]
pub(crate) struct Run {
    storage: Storage,
    id: Uuid,
    /// By the clock of the storage.
    started: SystemTime,
    /// When the last renewal was sent that succeeded.
    renewed: Instant,
    reliances: Reliances,
}

impl Run {
    /// Notes that a collection runs. What it reads of references it reads behind this.
    pub(crate) async fn begin(storage: &Storage, context: &Context) -> Result<Self> {
        let (id, renewed) = (Uuid::new_v4(), Instant::now());
        let info = storage.put(context, &running(id), "running\n", PutOptions::default()).await?;
        let reliances = Reliances::new(storage.clone());
        Ok(Self { storage: storage.clone(), id, started: info.modified, renewed, reliances })
    }

    /// When it began, by the clock of the storage: what ages are counted to.
    pub(crate) const fn started(&self) -> SystemTime {
        self.started
    }

    /// Renews the note that it runs where it is time to; to be called in all that takes long.
    ///
    /// Errors: Unavailable where it could not be renewed for so long that others may take the collection for dead.
    pub(crate) async fn renew(&mut self, context: &Context) -> Result<()> {
        let left = self.left()?;
        if self.renewed.elapsed() > RENEWAL {
            let now = Instant::now();
            let context = context.with_timeout(left);
            self.storage.put(&context, &running(self.id), "running\n", PutOptions::default()).await?;
            self.renewed = now;
        }
        Ok(())
    }

    /// How long nobody takes it for dead.
    fn left(&self) -> Result<Duration> {
        let left = LONGEST_REQUEST.checked_sub(self.renewed.elapsed());
        left.ok_or_else(|| {
            let message =
                "this collection of garbage was stopped for so long that others may count it as dead; begin another";
            StorageError::new(ErrorKind::Unavailable, message).into()
        })
    }

    /// Deletes files that nothing refers to, but those that a push relies on. Answers with those that were deleted, and with
    /// what went wrong with others.
    pub(crate) async fn delete(
        &mut self,
        context: &Context,
        mut files: Vec<StoragePath>,
    ) -> Result<(Vec<StoragePath>, Vec<StorageError>)> {
        self.renew(context).await?;
        let condemned = note("condemned", self.id);
        self.storage.put(context, &condemned, lines(&files), PutOptions::default()).await?;
        if let Err(error) = self.reliances.refresh(context).await {
            // Nothing is on its way yet, so that nobody has to wait.
            self.take_back(context, &condemned).await?;
            return Err(error);
        }
        files.retain(|file| !self.reliances.include(file));
        // Where this fails the note stays: the files may still go.
        let context_of_delete = context.with_timeout(self.left()?);
        let failures = self.storage.delete_files(&context_of_delete, files.iter().cloned()).await?;
        self.take_back(context, &condemned).await?;
        files.retain(|file| !failures.iter().any(|failure| failure.path() == Some(file)));
        Ok((files, failures))
    }

    /// Notes that the collection has ended, which stays until another has ended behind it; and takes away the notes that say
    /// nothing any more.
    pub(crate) async fn end(self, context: &Context) -> Result<()> {
        // In this order: at no time is there nothing to show that this one has run.
        let ended = ended(self.id);
        self.storage.put(context, &ended, "ended\n", PutOptions::default()).await?;
        self.take_back(context, &running(self.id)).await?;
        // Before the look at who runs: whoever begins behind it reads the references of all who have written these.
        let reliances = self.reliances.all(context).await?;
        let seen = Runs::new(&self.storage).seen(context).await?;
        let (dead, running): (Vec<_>, Vec<_>) = seen.running().partition(|info| self.is_dead(info));
        for info in dead {
            if let Some(id) = info.path.name().and_then(|name| name.strip_suffix(".running")) {
                self.take_back(context, &note("condemned", id)).await?;
            }
            self.take_back(context, &info.path).await?;
        }
        for info in seen.ended_before(&ended) {
            self.take_back(context, &info.path).await?;
        }
        // One that runs has perhaps not read them all.
        if running.is_empty()
            && let Some(error) = self.storage.delete_files(context, reliances).await?.into_iter().next()
        {
            return Err(error.into());
        }
        Ok(())
    }

    /// Whether the note of a collection was not renewed for so long that it does nothing any more, and has nothing on its way.
    fn is_dead(&self, info: &FileInfo) -> bool {
        self.started.duration_since(info.modified).is_ok_and(|age| age > LONGEST_REQUEST * 2)
    }

    async fn take_back(&self, context: &Context, note: &StoragePath) -> Result<()> {
        match self.storage.delete(context, note, DeleteOptions::default()).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn running(id: Uuid) -> StoragePath {
    note("collections", format_args!("{id}.running"))
}

fn ended(id: Uuid) -> StoragePath {
    note("collections", format_args!("{id}.ended"))
}

#[cfg(test)]
mod tests {
    use driver_api::layers::{Fault, Faults};
    use driver_api::{ListOptions, Operation};
    use driver_inmemory::MemoryDriver;

    use super::*;
    use crate::error::Error;

    async fn exists(storage: &Storage, path: &StoragePath) -> bool {
        storage.stat(&Context::background(), path).await.is_ok()
    }

    async fn with_garbage() -> (Storage, Vec<StoragePath>) {
        let storage = Storage::new(MemoryDriver::default());
        let garbage = StoragePath::parse("/garbage").unwrap();
        storage.put(&Context::background(), &garbage, "x", PutOptions::default()).await.unwrap();
        (storage, vec![garbage])
    }

    /// As if it had been stopped for so long.
    fn stop(run: &mut Run, time: Duration) {
        run.renewed = run.renewed.checked_sub(time).unwrap();
    }

    #[tokio::test]
    async fn one_that_others_may_take_for_dead_deletes_nothing() {
        let ((storage, garbage), context) = (with_garbage().await, Context::background());
        let mut run = Run::begin(&storage, &context).await.unwrap();
        stop(&mut run, LONGEST_REQUEST + Duration::from_secs(1));
        for _ in 0..2 {
            let refused = run.delete(&context, garbage.clone()).await.unwrap_err();
            assert!(matches!(&refused, Error::Storage(error) if error.kind() == ErrorKind::Unavailable), "{refused}");
        }
        assert!(run.renew(&context).await.is_err(), "it does not come back to life");
        assert!(exists(&storage, &garbage[0]).await);
        let condemned = storage.list(&context, &super::super::notes("condemned"), ListOptions::default()).await;
        assert!(condemned.is_err(), "nobody has to wait for it");
    }

    #[tokio::test]
    async fn one_that_is_late_renews_its_note_before_it_deletes() {
        let ((storage, garbage), context) = (with_garbage().await, Context::background());
        let mut run = Run::begin(&storage, &context).await.unwrap();
        stop(&mut run, LONGEST_REQUEST - Duration::from_secs(10));
        let (deleted, failures) = run.delete(&context, garbage.clone()).await.unwrap();
        assert_eq!((&deleted, failures.len()), (&garbage, 0));
        assert!(run.left().unwrap() > LONGEST_REQUEST - Duration::from_secs(10));
        run.end(&context).await.unwrap();
    }

    #[tokio::test]
    async fn no_request_of_it_is_waited_for_beyond_its_time() {
        for hanging in [Operation::Put, Operation::DeleteFiles] {
            let ((storage, garbage), context) = (with_garbage().await, Context::background());
            let faults = Faults::new(move |point| {
                // The note of what is condemned comes in time.
                let hangs = point.operation == hanging && !point.path.as_str().contains("/condemned/");
                if hangs { Fault::Hang } else { Fault::None }
            });
            let mut run = Run::begin(&storage, &context).await.unwrap();
            run.storage = storage.layered(faults);
            // Before a renewal is due, and when one is.
            let late = if hanging == Operation::Put { LONGEST_REQUEST } else { RENEWAL };
            stop(&mut run, late - Duration::from_millis(200));
            let context =
                if hanging == Operation::Put { context } else { context.with_timeout(LONGEST_REQUEST / 9000) };
            let refused = run.delete(&context, garbage.clone()).await.unwrap_err();
            assert!(
                matches!(&refused, Error::Storage(error) if error.kind() == ErrorKind::DeadlineExceeded),
                "{refused}"
            );
            assert!(exists(&storage, &garbage[0]).await);
            // What may still go is waited for, and nothing else.
            let condemned = note("condemned", run.id);
            assert_eq!(exists(&storage, &condemned).await, hanging == Operation::DeleteFiles);
        }
    }

    async fn notes_of(storage: &Storage, kind: &str) -> Vec<String> {
        let noted = super::super::noted(storage, &Context::background(), kind).await.unwrap();
        noted.iter().map(|info| info.path.name().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn what_pushes_rely_on_is_noted_until_nobody_collects() {
        let ((storage, garbage), context) = (with_garbage().await, Context::background());
        let (first, second) =
            (Run::begin(&storage, &context).await.unwrap(), Run::begin(&storage, &context).await.unwrap());
        Reliances::new(storage.clone()).write(&context, &garbage).await.unwrap();
        first.end(&context).await.unwrap();
        assert_eq!(notes_of(&storage, "reliances").await.len(), 1, "the other has perhaps not read it");
        second.end(&context).await.unwrap();
        assert_eq!(notes_of(&storage, "reliances").await.len(), 0);
    }

    #[tokio::test]
    async fn the_last_to_end_leaves_its_note_alone() {
        let ((storage, _), context) = (with_garbage().await, Context::background());
        let mut last = None;
        for _ in 0..3 {
            let run = Run::begin(&storage, &context).await.unwrap();
            last = Some(format!("{}.ended", run.id));
            run.end(&context).await.unwrap();
        }
        assert_eq!(notes_of(&storage, "collections").await, Vec::from_iter(last));
    }

    #[tokio::test]
    async fn of_two_that_end_at_once_one_leaves_its_note() {
        let context = Context::background();
        // Where the storage tells whole seconds, many have the same.
        let storage = Storage::new(MemoryDriver::default());
        let ids = [Uuid::new_v4(), Uuid::new_v4()];
        let info = storage.put(&context, &ended(ids[0]), "ended\n", PutOptions::default()).await.unwrap();
        let note = |id| {
            let mut info = info.clone();
            info.path = ended(id);
            info
        };
        let seen = super::super::runs::Seen(ids.map(note).to_vec());
        let ended = ids.map(ended);
        let taken: Vec<_> = ended.iter().flat_map(|path| seen.ended_before(path)).map(|info| &info.path).collect();
        assert_eq!(taken, [ended.iter().min().unwrap()]);
    }
}
