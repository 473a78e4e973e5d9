//! How those who push and those who collect garbage agree on what may be deleted.
//!
//! A push relies on files that are there already: the layers of an image, a blob that is mounted. A collection deletes files that
//! nothing refers to. Between the moment at which a push has seen a file and the one at which its own reference shows, a
//! collection can find the file without any reference. No backend changes two files at once, so that both sides leave notes,
//! each of them *before* it looks at those of the other:
//!
//! | the push | the collection |
//! | --- | --- |
//! | 1. publishes its reference (a link) | 1. writes that it runs |
//! | 2. lists the collections | 2. reads all references |
//! | 3. if none runs and none has run meanwhile: done; if none runs any more: goes on at 6 | 3. writes which files it will delete |
//! | 4. writes which files it relies on | 4. reads what the pushes rely on, and spares it |
//! | 5. waits until none of them is about to be deleted | 5. deletes the others |
//! | 6. looks whether all are there; if not it begins again, or fails | 6. takes back what it wrote in 3, and goes on there |
//! | | 7. writes that it has ended |
//! | | 8. lists what the pushes rely on, then the collections; if none runs, takes away what the pushes wrote |
//!
//! A push that ends at step 3 published its reference before a collection that it did not see began to read. One that goes on has
//! written its reliance either before step 4 of a collection, which spares the file, or behind it, and then it meets what step 3
//! wrote, waits, and sees at step 6 what became of the file. Nothing else is needed of the backend than that a write that was
//! acknowledged is seen by every later read and listing.
//!
//! What a push relies on is of use to collections that began to read before its reference was published. Where step 8 finds none
//! that runs, each that is to come reads behind the references of all notes that it has listed. So a push that has lost its own
//! reference and publishes it again cannot count on the note of before: it begins again.
//!
//! In quiet times this costs one listing of an empty directory for each push. That the set of collections has changed shows
//! against the set that was seen *before* the push began, however long before: a collection leaves the note that it has ended until
//! another has done so.
//!
//! What is assumed beyond that: a request that changes something takes effect within [`LONGEST_REQUEST`], if ever. A collection
//! renews the note that it runs; one that was stopped for so long that it could not deletes nothing any more, and the notes of one
//! that died are taken away after twice that time.
//!
//! The notes are outside of the layout of the Go registry, which does not see them. It does not heed them either: while it serves
//! pushes on the same storage nothing must be collected.

mod reliance;
mod run;
mod runs;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use driver_api::{Context, FileInfo, ListOptions, Storage, StoragePath};
use futures_util::{StreamExt, TryStreamExt, stream};

use self::reliance::Reliances;
pub(crate) use self::run::Run;
use self::runs::{Runs, Seen};
use crate::error::Result;
use crate::layout;
use crate::listed::list_if_any;

/// Longer than any request lives, whatever becomes of the one who sent it.
pub const LONGEST_REQUEST: Duration = Duration::from_secs(15 * 60);

/// How many files are looked for at once.
const AT_ONCE: usize = 16;

/// Where notes of a kind are.
fn notes(kind: &str) -> StoragePath {
    layout::path(format_args!("/blobstore/{kind}"))
}

/// Where one of them is; `name` is a UUID, and what tells of which sort it is.
fn note(kind: &str, name: impl Display) -> StoragePath {
    layout::path(format_args!("/blobstore/{kind}/{name}"))
}

/// The notes of a kind that are there.
async fn noted(storage: &Storage, context: &Context, kind: &str) -> Result<Vec<FileInfo>> {
    let Some(listing) = list_if_any(storage, context, &notes(kind), ListOptions::default()).await? else {
        return Ok(Vec::new());
    };
    Ok(listing.try_filter_map(|entry| async move { Ok(entry.as_file().cloned()) }).try_collect().await?)
}

/// The side of those who push. Clones share what they have seen.
#[derive(Debug, Clone)]
pub(crate) struct Protection {
    storage: Storage,
    seen: Arc<parking_lot::Mutex<Option<Seen>>>,
}

/// A push that has begun: what it finds from here on can be relied on once it is confirmed.
#[derive(Debug)]
pub(crate) struct Push {
    seen: Seen,
}

impl Protection {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage, seen: Arc::default() }
    }

    /// Comes before anything that a push looks at. Asks the storage once for all pushes.
    pub(crate) async fn begin(&self, context: &Context) -> Result<Push> {
        let known = self.seen.lock().clone();
        let seen = match known {
            Some(seen) => seen,
            None => self.look(context).await?,
        };
        Ok(Push { seen })
    }

    /// Comes behind all that a push publishes, with the files that it relies on. Answers with those that are gone: the push must
    /// begin again, or fail.
    pub(crate) async fn confirm(
        &self,
        context: &Context,
        push: Push,
        relied_on: impl FnOnce() -> Vec<StoragePath>,
    ) -> Result<Vec<StoragePath>> {
        let now = self.look(context).await?;
        if now == push.seen && now.is_quiet() {
            return Ok(Vec::new());
        }
        let relied_on = relied_on();
        if !now.is_quiet() {
            Reliances::new(self.storage.clone()).write(context, &relied_on).await?;
            Runs::new(&self.storage).wait_until_spared_or_gone(context, &relied_on).await?;
        }
        self.missing(context, relied_on).await
    }

    async fn look(&self, context: &Context) -> Result<Seen> {
        let seen = Runs::new(&self.storage).seen(context).await?;
        *self.seen.lock() = Some(seen.clone());
        Ok(seen)
    }

    async fn missing(&self, context: &Context, paths: Vec<StoragePath>) -> Result<Vec<StoragePath>> {
        let looked = stream::iter(paths).map(|path| {
            let (storage, context) = (self.storage.clone(), context.clone());
            async move {
                match storage.stat(&context, &path).await {
                    Ok(entry) => Ok(entry.is_directory().then_some(path)),
                    Err(error) if error.is_not_found() => Ok(Some(path)),
                    Err(error) => Err(error),
                }
            }
        });
        let looked: Vec<_> = looked.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(looked.into_iter().flatten().collect())
    }
}
