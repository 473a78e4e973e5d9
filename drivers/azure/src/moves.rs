//! Moving: a copy within the service, watched until it is whole, and then the end of the source.

use std::time::Duration;

use driver_api::{Context, Error, ErrorKind, Result, Retry, StoragePath};
use tokio::time::{Instant, sleep};

use crate::client::{BlobFacts, CopyState, Effect};
use crate::store::{Nonce, Store};

const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// So many looks in a row may fail, which is some seconds of an outage.
const MOST_UNSEEN: usize = 8;

impl Store {
    /// Three requests: look, copy, delete; one more for each look at a copy that takes its time.
    pub(crate) async fn move_file(&self, context: &Context, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let (source, target) = (self.names.file(from), self.names.file(to));
        let facts = match self.container.head(&source).await {
            Ok(facts) => facts,
            Err(failure) if failure.is_missing() => return Err(Error::not_found(from)),
            Err(failure) => return Err(failure.into_error(Effect::None)),
        };
        let nonce = Nonce::new();
        context.check()?;
        match self.container.copy(&source, &facts.version, &target, &nonce.metadata()).await {
            Ok(CopyState::Done) => {}
            Ok(CopyState::Failed | CopyState::Pending(_)) => self.await_copy(&target, &facts, &nonce).await?,
            Err(failure) if failure.is_missing() => return Err(self.not_copied(from, &source).await),
            Err(failure) if failure.is_unmet_condition() => return Err(source_changed()),
            Err(failure) if failure.is_ambiguous() => {
                let error = failure.into_error(Effect::Change);
                self.await_copy(&target, &facts, &nonce).await.map_err(|_| error)?;
            }
            Err(failure) => return Err(failure.into_error(Effect::Change)),
        }
        // Exactly what was copied goes: a source that was written meanwhile stays.
        match self.container.delete(&source, Some(&facts.version)).await {
            Ok(()) => Ok(()),
            Err(failure) if failure.is_missing() => Ok(()),
            Err(failure) if failure.is_unmet_condition() => Err(source_changed().with_retry(Retry::MaybeApplied)),
            // What says that it did nothing leaves the source, and moving it once more comes to the same.
            Err(failure) => Err(failure.into_error(Effect::Change)),
        }
    }

    /// Waits until the target is the whole copy. Past the deadline the copy is aborted, and the source stays.
    async fn await_copy(&self, target: &str, source: &BlobFacts, nonce: &Nonce) -> Result<()> {
        let deadline = Instant::now() + self.copy_timeout;
        let (mut pause, mut unseen, mut is_aborted) = (FIRST_LOOK, 0, false);
        loop {
            let pending = match self.container.head(target).await {
                Ok(facts) if nonce.made(&facts) => match facts.copy {
                    Some(CopyState::Pending(copy)) => Some(copy),
                    Some(CopyState::Done) if facts.size == source.size => return Ok(()),
                    _ => {
                        // What the copy left is no file. Where this fails too, reading it tells so.
                        let _ = self.container.delete(target, Some(&facts.version)).await;
                        return Err(copy_failed());
                    }
                },
                // A copy of which the answer was lost, and which has not begun or was replaced.
                Ok(_) => return Err(copy_failed()),
                Err(failure) if failure.is_missing() => return Err(copy_failed()),
                // That it cannot be looked at now does not stop the copy.
                Err(_) => None,
            };
            unseen = if pending.is_some() { 0 } else { unseen + 1 };
            if is_aborted || unseen == MOST_UNSEEN || Instant::now() + pause >= deadline {
                let Some(copy) = pending.filter(|_| !is_aborted) else { return Err(self.too_late()) };
                // It may be done by now, or be aborted and leave what is no file: one look more tells.
                let _ = self.container.abort_copy(target, &copy).await;
                is_aborted = true;
                continue;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn too_late(&self) -> Error {
        let message = format!(
            "it was not seen that the service finished the copy, for {:?} or {MOST_UNSEEN} looks in a row; the source stays",
            self.copy_timeout
        );
        Error::new(ErrorKind::Unavailable, message).with_retry(Retry::MaybeApplied)
    }

    /// The error of a copy whose source the service does not find. It looks for it where this driver says that it is, by the
    /// service's URL, which is another name than its own where something stands in between.
    async fn not_copied(&self, from: &StoragePath, source: &str) -> Error {
        match self.container.head(source).await {
            Ok(_) => {
                let message = format!(
                    "the service cannot read {}, from where it was to copy: the service URL must be one that the service \
                     itself reaches",
                    self.container.endpoint()
                );
                Error::new(ErrorKind::Misconfigured, message)
            }
            Err(failure) if failure.is_missing() => Error::not_found(from),
            Err(failure) => failure.into_error(Effect::None),
        }
    }
}

fn copy_failed() -> Error {
    let message = "the service did not make the copy; the source stays";
    Error::new(ErrorKind::Unavailable, message).with_retry(Retry::MaybeApplied)
}

fn source_changed() -> Error {
    Error::new(ErrorKind::Conflict, "the file was written while it was moved")
}
