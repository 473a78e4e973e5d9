//! Wrong only after something else: after a resume, a close, a number of calls, a listing of another kind.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use driver_api::{
    Capabilities, Context, EntryPages, Error, ErrorKind, FileWriter, ListOptions, Result, StoragePath, Url, UrlOptions,
    WriteMode, WriteOptions, async_trait,
};
use futures_util::TryStreamExt;
use parking_lot::Mutex;

use super::keep;
use crate::Mutant;
use crate::base::zeros;
use crate::mutation::{Call, Inner, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<SeventeenthClose>(
        "seventeenth-close",
        "the 17th close of a session tells one byte less",
        "WRITE-5",
        &["WRITE-9"],
    ),
    Mutant::new::<ResumedWithinABlock>(
        "resumed-within-a-block",
        "a long chunk behind a resume in the midst of 16 bytes loses its first byte",
        "WRITE-5",
        &["WRITE-1"],
    ),
    Mutant::new::<CancelledStaysOwned>(
        "cancelled-stays-owned",
        "a large session that its second owner cancelled is Conflict for the third",
        "WRITE-13",
        &["WRITE-4"],
    ),
    Mutant::new::<Checkpoints>(
        "checkpoints",
        "a writer keeps what it has at 1.5 MiB by itself",
        "WRITE-4",
        &["WRITE-12"],
    ),
    Mutant::new::<ResumedCheckpoints>(
        "resumed-checkpoints",
        "a resumed writer keeps a large chunk at once",
        "WRITE-4",
        &["WRITE-5"],
    ),
    Mutant::new::<SessionsAreFew>(
        "sessions-are-few",
        "the session that is 25 writers old is given up",
        "LIMIT-4",
        &["WRITE-5"],
    ),
    Mutant::new::<RecursiveAfterLevels>(
        "recursive-after-levels",
        "after listings of nine directories a recursive one lacks its last file",
        "LIST-7",
        &["LIST-5"],
    ),
    Mutant::new::<LimitOfSixteen>("limit-of-sixteen", "a file has sixteen readers at a time at most", "READ-6", &[]),
    Mutant::new::<ShortPaths>("short-paths", "paths of 800 bytes at most are declared", "LIMIT-1", &[]),
    Mutant::new::<UndeclaredUrls>("undeclared-urls", "there is a URL that is not declared", "URL-3", &[]),
    Mutant::new::<RemembersChunks>(
        "remembers-chunks",
        "the debug print of a writer shows the last chunk",
        "ERR-4",
        &[],
    ),
    Mutant::new::<SecondPage>(
        "second-page",
        "every second page of full size lacks its last entry",
        "LIST-5",
        &["LIST-10"],
    ),
    Mutant::new::<OneInTwenty>(
        "one-in-twenty",
        "one chunk in twenty is stored as zeros",
        "WRITE-1",
        &["WRITE-5", "CONC-1"],
    ),
];

#[derive(Debug, Default)]
struct SeventeenthClose {
    closes: Mutex<HashMap<StoragePath, u32>>,
}

#[async_trait]
impl Mutation for SeventeenthClose {
    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        let kept = session.writer.close(context).await?;
        let mut closes = self.closes.lock();
        let closes = closes.entry(session.path.clone()).or_default();
        *closes = if session.resumed_at.unwrap_or(0) == 0 { 1 } else { *closes + 1 };
        Ok(if *closes == 17 { kept - 1 } else { kept })
    }
}

#[derive(Debug, Default)]
struct ResumedWithinABlock;

#[async_trait]
impl Mutation for ResumedWithinABlock {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        let within = session.resumed_at.is_some_and(|size| (5..8).contains(&(size % 16)));
        if !within || session.chunks > 1 || chunk.len() < 22_000 {
            return session.writer.write(context, chunk).await;
        }
        session.swallowed += 1;
        session.writer.write(context, chunk.slice(1..)).await
    }
}

#[derive(Debug, Default)]
struct CancelledStaysOwned {
    owned: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for CancelledStaysOwned {
    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        if call.options.mode == WriteMode::Truncate {
            self.owned.lock().remove(call.path);
        } else if self.owned.lock().contains(call.path) {
            return Err(Error::new(ErrorKind::Conflict, "the session has an owner"));
        }
        call.forward().await
    }

    async fn cancel(&self, session: &mut Session, context: &Context) -> Result<()> {
        session.writer.cancel(context).await?;
        if session.resumed_at.is_some_and(|size| size >= 100_000) {
            self.owned.lock().insert(session.path.clone());
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Checkpoints;

#[async_trait]
impl Mutation for Checkpoints {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        let before = session.writer.size();
        session.writer.write(context, chunk).await?;
        let due = 3 << 19;
        if before < due && session.writer.size() >= due { keep(session, context).await } else { Ok(()) }
    }
}

#[derive(Debug, Default)]
struct ResumedCheckpoints;

#[async_trait]
impl Mutation for ResumedCheckpoints {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        let large = chunk.len() >= 200_000 && session.resumed_at.is_some_and(|size| size >= 70_000);
        session.writer.write(context, chunk).await?;
        if large { keep(session, context).await } else { Ok(()) }
    }
}

#[derive(Debug, Default)]
struct SessionsAreFew {
    writers: Mutex<u64>,
    kept: Mutex<HashMap<StoragePath, u64>>,
}

#[async_trait]
impl Mutation for SessionsAreFew {
    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        let now = {
            let mut writers = self.writers.lock();
            *writers += 1;
            *writers
        };
        let old: Vec<_> = {
            let mut kept = self.kept.lock();
            let old = kept.iter().filter(|(_, since)| **since + 25 < now).map(|(path, _)| path.clone()).collect();
            kept.retain(|_, since| *since + 25 >= now);
            old
        };
        for path in old {
            // It may have an owner, or be gone already.
            drop(call.inner.abandon(call.context, &path).await);
        }
        call.forward().await
    }

    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        let now = *self.writers.lock();
        self.kept.lock().insert(session.path.clone(), now);
        session.writer.close(context).await
    }
}

#[derive(Debug, Default)]
struct RecursiveAfterLevels {
    levels: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for RecursiveAfterLevels {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let short = {
            let mut levels = self.levels.lock();
            if call.options.recursive {
                std::mem::take(&mut *levels).len() >= 9
            } else {
                levels.insert(call.path.clone());
                false
            }
        };
        let pages = call.forward().await?;
        match short {
            true => Ok(Box::pin(pages.map_ok(|mut page| {
                page.pop();
                page
            }))),
            false => Ok(pages),
        }
    }
}

#[derive(Debug, Default)]
struct LimitOfSixteen {
    readers: super::Counted,
}

#[async_trait]
impl Mutation for LimitOfSixteen {
    async fn reader(&self, call: Call<'_, driver_api::ReadOptions>) -> Result<driver_api::Reader> {
        let claim = self.readers.claim(call.path);
        if self.readers.of(call.path) > 16 {
            return Err(Error::new(ErrorKind::Unavailable, "too many readers"));
        }
        let driver_api::Reader { info, range, stream } = call.forward().await?;
        let stream = stream.map_ok(move |piece| {
            let _held_with_the_stream = &claim;
            piece
        });
        Ok(driver_api::Reader::new(info, range, Box::pin(stream)))
    }
}

#[derive(Debug, Default)]
struct ShortPaths;

impl Mutation for ShortPaths {
    fn capabilities(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        capabilities.limits.path_bytes = 800;
        capabilities
    }
}

#[derive(Debug, Default)]
struct UndeclaredUrls;

#[async_trait]
impl Mutation for UndeclaredUrls {
    async fn url_for(&self, _: Call<'_, UrlOptions>) -> Result<Option<Url>> {
        Ok(Url::parse("http://localhost/").ok())
    }
}

#[derive(Debug, Default)]
struct RemembersChunks {
    last: Mutex<Bytes>,
}

#[async_trait]
impl Mutation for RemembersChunks {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        *self.last.lock() = chunk.clone();
        session.writer.write(context, chunk).await
    }
}

#[derive(Debug, Default)]
struct SecondPage;

#[async_trait]
impl Mutation for SecondPage {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let mut number = 0;
        Ok(Box::pin(call.forward().await?.map_ok(move |mut page| {
            number += 1;
            if number == 2 && page.len() > 90 {
                page.pop();
            }
            page
        })))
    }
}

#[derive(Debug, Default)]
struct OneInTwenty {
    written: Mutex<u64>,
}

#[async_trait]
impl Mutation for OneInTwenty {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        let is_lost = {
            let mut written = self.written.lock();
            *written += 1;
            written.is_multiple_of(20)
        };
        let chunk = if is_lost { zeros(chunk.len() as u64) } else { chunk };
        session.writer.write(context, chunk).await
    }
}
