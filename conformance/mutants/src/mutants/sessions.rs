//! What is kept, and who may continue it.

use bytes::Bytes;
use driver_api::{
    Context, ErrorKind, FileWriter, Result, StoragePath, Unfinished, UnfinishedPages, WriteMode, WriteOptions,
    async_trait,
};
use futures_util::{StreamExt, TryStreamExt};

use super::bytes_of;
use crate::Mutant;
use crate::mutation::{Call, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<LostAppend>(
        "lost-append",
        "what a resumed writer is given is not stored",
        "WRITE-5",
        &["WRITE-1", "WRITE-9"],
    ),
    Mutant::new::<WrongSize>(
        "wrong-size-after-resume",
        "a resumed writer counts from 0",
        "WRITE-5",
        &["WRITE-9", "WRITE-22"],
    ),
    Mutant::new::<ClosePublishes>(
        "close-publishes",
        "a close publishes instead of keeping",
        "WRITE-2",
        &["WRITE-5", "WRITE-12"],
    ),
    Mutant::new::<TruncateResumes>(
        "truncate-resumes",
        "a writer in mode Truncate goes on with what was kept",
        "WRITE-6",
        &["WRITE-13", "WRITE-5"],
    ),
    Mutant::new::<AppendReplaces>(
        "append-replaces",
        "append to a file that is not empty begins at 0",
        "WRITE-7",
        &["WRITE-22"],
    ),
    Mutant::new::<SecondOwner>("second-owner", "a second resume of a session succeeds", "WRITE-13", &["WRITE-22"]),
    Mutant::new::<ExpectedSizeIgnored>(
        "expected-size-ignored",
        "append resumes a session of any size",
        "WRITE-22",
        &[],
    ),
    Mutant::new::<AskingDiscards>(
        "asking-discards",
        "opening to append and closing discards the session",
        "WRITE-12",
        &["WRITE-5"],
    ),
    Mutant::new::<ListsSiblings>(
        "unfinished-lists-siblings",
        "unfinished takes its prefix for the begin of a text",
        "WRITE-12",
        &[],
    ),
    Mutant::new::<SizeOff>("unfinished-size-off", "unfinished tells one byte too many", "WRITE-12", &["WRITE-5"]),
    Mutant::new::<AbandonSucceeds>("abandon-missing", "abandon of a missing session succeeds", "WRITE-21", &["ERR-9"]),
];

#[derive(Debug, Default)]
struct LostAppend;

#[async_trait]
impl Mutation for LostAppend {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        if session.resumed_at.is_some_and(|size| size > 0) {
            session.swallowed += chunk.len() as u64;
            return Ok(());
        }
        session.writer.write(context, chunk).await
    }
}

#[derive(Debug, Default)]
struct WrongSize;

#[async_trait]
impl Mutation for WrongSize {
    fn size(&self, session: &Session) -> u64 {
        session.writer.size() - session.resumed_at.unwrap_or(0)
    }
}

#[derive(Debug, Default)]
struct ClosePublishes;

#[async_trait]
impl Mutation for ClosePublishes {
    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        session.writer.commit(context, driver_api::CommitOptions::default()).await.map(|info| info.size)
    }
}

#[derive(Debug, Default)]
struct TruncateResumes;

#[async_trait]
impl Mutation for TruncateResumes {
    async fn writer(&self, mut call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        if call.options.mode == WriteMode::Truncate
            && let Ok(resumed) = call.inner.writer(call.context, call.path, WriteOptions::append()).await
            && resumed.size() > 0
        {
            drop(resumed);
            call.options.mode = WriteMode::Append { expected_size: None };
        }
        call.forward().await
    }
}

/// Opens a fresh writer where appending is a Conflict and `wrongly` says so.
async fn fresh_where(
    mut call: Call<'_, WriteOptions>,
    wrongly: impl Fn(Option<&Bytes>) -> bool,
) -> Result<Box<dyn FileWriter>> {
    let file = bytes_of(call.inner, call.context, call.path).await?;
    let answer = call.inner.writer(call.context, call.path, call.options.clone()).await;
    match answer {
        Err(error) if error.kind() == ErrorKind::Conflict && wrongly(file.as_ref()) => {
            call.options.mode = WriteMode::Truncate;
            call.forward().await
        }
        answer => answer,
    }
}

#[derive(Debug, Default)]
struct AppendReplaces;

#[async_trait]
impl Mutation for AppendReplaces {
    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        fresh_where(call, |file| file.is_some_and(|bytes| !bytes.is_empty())).await
    }
}

#[derive(Debug, Default)]
struct SecondOwner;

#[async_trait]
impl Mutation for SecondOwner {
    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        fresh_where(call, |file| file.is_none()).await
    }
}

#[derive(Debug, Default)]
struct ExpectedSizeIgnored;

#[async_trait]
impl Mutation for ExpectedSizeIgnored {
    async fn writer(&self, mut call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        if call.options.mode != WriteMode::Truncate {
            call.options.mode = WriteMode::Append { expected_size: None };
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct AskingDiscards;

#[async_trait]
impl Mutation for AskingDiscards {
    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        let size = session.writer.size();
        if session.chunks == 0 && session.resumed_at.is_some() {
            session.writer.cancel(context).await?;
            return Ok(size);
        }
        session.writer.close(context).await
    }
}

#[derive(Debug, Default)]
struct ListsSiblings;

#[async_trait]
impl Mutation for ListsSiblings {
    async fn unfinished(&self, call: Call<'_, ()>) -> Result<UnfinishedPages> {
        let prefix = call.path.clone();
        let all = call.inner.unfinished(call.context, &StoragePath::root()).await?;
        let matching = all.map_ok(move |mut page: Vec<Unfinished>| {
            page.retain(|session| session.path.as_str().starts_with(prefix.as_str()));
            page
        });
        Ok(Box::pin(matching.filter(|page| {
            let empty = page.as_ref().is_ok_and(Vec::is_empty);
            async move { !empty }
        })))
    }
}

#[derive(Debug, Default)]
struct SizeOff;

#[async_trait]
impl Mutation for SizeOff {
    async fn unfinished(&self, call: Call<'_, ()>) -> Result<UnfinishedPages> {
        let pages = call.inner.unfinished(call.context, call.path).await?;
        Ok(Box::pin(pages.map_ok(|mut page| {
            page.iter_mut().for_each(|session| session.size += 1);
            page
        })))
    }
}

#[derive(Debug, Default)]
struct AbandonSucceeds;

#[async_trait]
impl Mutation for AbandonSucceeds {
    async fn abandon(&self, call: Call<'_, ()>) -> Result<()> {
        match call.inner.abandon(call.context, call.path).await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer,
        }
    }
}
