//! The mutants, by what they break.

mod chunks;
mod contexts;
mod drills;
mod entries;
mod files;
mod handles;
mod interrupted;
mod listing;
mod names;
mod places;
mod racing;
mod reads;
mod resumed;
mod sessions;
mod sizes;
mod writes;

use std::collections::HashMap;
use std::sync::Arc;

use driver_api::{
    Condition, Context, GetOptions, ListOptions, Payload, PutOptions, Result, StatOptions, StoragePath, Unfinished,
    WriteOptions,
};
use futures_util::TryStreamExt;
use parking_lot::Mutex;

use crate::Mutant;
use crate::mutation::{Inner, Session};

/// All mutants.
pub fn mutants() -> impl Iterator<Item = &'static Mutant> {
    [
        files::MUTANTS,
        reads::MUTANTS,
        writes::MUTANTS,
        sessions::MUTANTS,
        listing::MUTANTS,
        places::MUTANTS,
        contexts::MUTANTS,
        sizes::MUTANTS,
        chunks::MUTANTS,
        names::MUTANTS,
        entries::MUTANTS,
        resumed::MUTANTS,
        racing::MUTANTS,
        interrupted::MUTANTS,
        handles::MUTANTS,
        drills::MUTANTS,
    ]
    .into_iter()
    .flatten()
}

/// Lets whatever else can run do so: the moment in which a state that is broken for a moment is seen.
async fn pause() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

/// The bytes of a file; none where there is no file.
async fn bytes_of(inner: &Inner, context: &Context, path: &StoragePath) -> Result<Option<bytes::Bytes>> {
    match inner.get(context, path, GetOptions::default()).await {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The condition that is left where one that names a version is ignored.
fn without_version(condition: Condition) -> Condition {
    match condition {
        Condition::IfMatch(_) => Condition::None,
        other => other,
    }
}

/// The size of the file at `path`; none where there is no file.
async fn size_of(inner: &Inner, context: &Context, path: &StoragePath) -> Option<u64> {
    let entry = inner.stat(&context.detached(), path, StatOptions::default()).await.ok()?;
    entry.as_file().map(|info| info.size)
}

/// The files below a directory; none where there is no directory.
async fn files_below(inner: &Inner, context: &Context, path: &StoragePath) -> Result<Vec<StoragePath>> {
    match inner.list(context, path, ListOptions::recursive()).await {
        Ok(pages) => Ok(pages.try_concat().await?.iter().map(|entry| entry.path().clone()).collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The sessions kept at and below a path.
async fn sessions_below(inner: &Inner, context: &Context, path: &StoragePath) -> Result<Vec<Unfinished>> {
    inner.unfinished(context, path).await?.try_concat().await
}

/// Keeps what the writer has, and goes on.
async fn keep(session: &mut Session, context: &Context) -> Result<()> {
    session.writer.close(context).await?;
    session.writer = session.inner.writer(context, &session.path, WriteOptions::append()).await?;
    Ok(())
}

/// How many names a path has.
fn depth(path: &StoragePath) -> usize {
    path.components().count()
}

/// Whether the last name of a path has four letters or more. The random checks know only shorter ones, so that a defect of
/// long names is left for an example to find.
fn is_long(path: &StoragePath) -> bool {
    path.name().is_some_and(|name| name.len() >= 4)
}

/// How many of something there are at each path.
#[derive(Debug, Clone, Default)]
struct Counted(Arc<Mutex<HashMap<StoragePath, u32>>>);

impl Counted {
    /// One more, for as long as the claim is held.
    fn claim(&self, path: &StoragePath) -> Claim {
        *self.0.lock().entry(path.clone()).or_default() += 1;
        Claim(self.clone(), path.clone())
    }

    fn of(&self, path: &StoragePath) -> u32 {
        self.0.lock().get(path).copied().unwrap_or(0)
    }
}

/// One of those that are counted.
struct Claim(Counted, StoragePath);

impl Drop for Claim {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock();
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Whether anything is at `path`.
async fn exists(inner: &Inner, context: &Context, path: &StoragePath) -> bool {
    inner.stat(context, path, StatOptions::default()).await.is_ok()
}

/// Sizes that examples have and random checks all but never.
const MIDDLE: std::ops::Range<u64> = 65_537..199_999;

/// Stores the first half of a payload.
async fn put_half(inner: &Inner, context: &Context, path: &StoragePath, payload: Payload) {
    let bytes = payload.into_bytes();
    let half = bytes.slice(..bytes.len() / 2);
    // That this can fail as well is no news of a broken driver.
    drop(inner.put(context, path, half.into(), PutOptions::default()).await);
}
