//! What only a drill shows: a call that is repeated, and a store that has grown.

use std::collections::HashMap;

use bytes::Bytes;
use conformance::Drill;
use driver_api::{
    Context, DeleteOptions, DeleteScope, Entry, EntryPages, ListOptions, Result, StatOptions, StoragePath, async_trait,
};
use parking_lot::Mutex;

use super::{files_below, keep};
use crate::Mutant;
use crate::mutation::{Call, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<KeepsEarly>(
        "keeps-early",
        "a writer keeps what it has at 100 KB by itself, so that one which fails leaves it",
        "WRITE-3",
        &["WRITE-4", "WRITE-2"],
    )
    .shown_by(Drill::Faults),
    Mutant::new::<SizeLags>(
        "size-lags",
        "the size of a writer leaves out the last chunk, which is written again then",
        "WRITE-25",
        &["WRITE-9", "WRITE-3"],
    )
    .shown_by(Drill::Faults),
    Mutant::new::<FirstOfTree>("first-of-tree", "a tree delete takes the first file", "DEL-1", &["DEL-4"])
        .shown_by(Drill::Faults),
    Mutant::new::<StatLooksAtAll>("stat-looks-at-all", "stat looks at every file of the directory", "COST-1", &[])
        .shown_by(Drill::Scale),
    Mutant::new::<LevelLooksBelow>(
        "level-looks-below",
        "a listing looks at all that lies deeper",
        "LIST-11",
        &["LIST-12"],
    )
    .shown_by(Drill::Scale),
    Mutant::new::<PagesFromTheBegin>(
        "pages-from-the-begin",
        "a listing behind a key looks at all that stands before it",
        "LIST-12",
        &[],
    )
    .shown_by(Drill::Scale),
];

#[derive(Debug, Default)]
struct KeepsEarly;

#[async_trait]
impl Mutation for KeepsEarly {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        session.writer.write(context, chunk).await?;
        if session.writer.size() >= 100_000 { keep(session, context).await } else { Ok(()) }
    }
}

#[derive(Debug, Default)]
struct SizeLags {
    last: Mutex<HashMap<StoragePath, u64>>,
}

#[async_trait]
impl Mutation for SizeLags {
    fn size(&self, session: &Session) -> u64 {
        session.writer.size() - self.last.lock().get(&session.path).copied().unwrap_or(0).min(session.writer.size())
    }

    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        self.last.lock().insert(session.path.clone(), chunk.len() as u64);
        session.writer.write(context, chunk).await
    }
}

#[derive(Debug, Default)]
struct FirstOfTree;

#[async_trait]
impl Mutation for FirstOfTree {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let files = files_below(call.inner, call.context, call.path).await?;
        match files.first() {
            Some(first) if call.options.scope == DeleteScope::Tree => {
                call.inner.delete(call.context, first, DeleteOptions::default()).await
            }
            _ => call.forward().await,
        }
    }
}

/// Looks at all files of the directory above `path`.
async fn look_beside(call: &Call<'_, StatOptions>) -> Result<()> {
    let parent = call.path.parent().unwrap_or_else(StoragePath::root);
    files_below(call.inner, call.context, &parent).await.map(drop)
}

#[derive(Debug, Default)]
struct StatLooksAtAll;

#[async_trait]
impl Mutation for StatLooksAtAll {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        look_beside(&call).await?;
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct LevelLooksBelow;

#[async_trait]
impl Mutation for LevelLooksBelow {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        files_below(call.inner, call.context, call.path).await?;
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct PagesFromTheBegin;

#[async_trait]
impl Mutation for PagesFromTheBegin {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        if call.options.start_after.is_some() {
            files_below(call.inner, call.context, call.path).await?;
        }
        call.forward().await
    }
}
