//! What a writer accepts and publishes.

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, Error, ErrorKind, FileInfo, PutOptions, Result, StoragePath,
    WriteOptions, async_trait,
};

use super::{bytes_of, pause, without_version};
use crate::Mutant;
use crate::mutation::{Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<LostChunk>(
        "lost-chunk",
        "of two chunks the second is not stored",
        "WRITE-1",
        &["WRITE-5", "WRITE-3"],
    ),
    Mutant::new::<VisiblePartial>(
        "visible-partial",
        "what is written shows under another name",
        "WRITE-2",
        &["LIST-1", "WRITE-4"],
    ),
    Mutant::new::<CancelPublishes>("cancel-publishes", "a cancel publishes", "WRITE-4", &["WRITE-2"]),
    Mutant::new::<CancelKeeps>("cancel-keeps", "a cancel keeps the session", "WRITE-4", &["WRITE-6"]),
    Mutant::new::<EmptyCommit>("empty-commit", "a commit of nothing publishes nothing", "WRITE-8", &[]),
    Mutant::new::<CommitDeletesFirst>(
        "commit-deletes-first",
        "a commit deletes what it replaces, and publishes then",
        "WRITE-3",
        &["PUT-1", "CONC-1"],
    ),
    Mutant::new::<CommitIfAbsentIgnored>(
        "commit-if-absent-ignored",
        "a commit if-absent replaces",
        "WRITE-17",
        &["CONC-1", "WRITE-20"],
    ),
    Mutant::new::<CommitIfMatchIgnored>(
        "commit-if-match-ignored",
        "a commit overwrites any version",
        "WRITE-18",
        &["CONC-1"],
    ),
    Mutant::new::<CommitElsewhereTwice>(
        "commit-elsewhere-twice",
        "a commit to another path publishes at its own, too",
        "WRITE-20",
        &["WRITE-19"],
    ),
    Mutant::new::<CommitElsewhereKeeps>(
        "commit-elsewhere-keeps",
        "a commit to another path leaves a session",
        "WRITE-19",
        &["WRITE-12"],
    ),
    Mutant::new::<OpenersContext>("openers-context", "a writer ends with the context that opened it", "WRITE-14", &[]),
    Mutant::new::<LaggingSize>(
        "lagging-size",
        "the size of a writer leaves out the first byte",
        "WRITE-9",
        &["WRITE-5", "WRITE-22"],
    ),
];

#[derive(Debug, Default)]
struct LostChunk;

#[async_trait]
impl Mutation for LostChunk {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        if session.chunks == 2 {
            session.swallowed += chunk.len() as u64;
            return Ok(());
        }
        session.writer.write(context, chunk).await
    }
}

#[derive(Debug, Default)]
struct VisiblePartial;

fn partial(path: &StoragePath) -> Option<StoragePath> {
    StoragePath::parse(&format!("{path}.part")).ok()
}

#[async_trait]
impl Mutation for VisiblePartial {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        if let Some(partial) = partial(&session.path) {
            session.inner.put(context, &partial, chunk.clone().into(), PutOptions::default()).await?;
        }
        session.writer.write(context, chunk).await
    }

    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let info = session.writer.commit(context, options).await?;
        if let Some(partial) = partial(&session.path) {
            session.inner.delete_files(context, &[partial]).await?;
        }
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct CancelPublishes;

#[async_trait]
impl Mutation for CancelPublishes {
    async fn cancel(&self, session: &mut Session, context: &Context) -> Result<()> {
        session.writer.commit(context, CommitOptions::default()).await.map(drop)
    }
}

#[derive(Debug, Default)]
struct CancelKeeps;

#[async_trait]
impl Mutation for CancelKeeps {
    async fn cancel(&self, session: &mut Session, context: &Context) -> Result<()> {
        session.writer.close(context).await.map(drop)
    }
}

#[derive(Debug, Default)]
struct EmptyCommit;

#[async_trait]
impl Mutation for EmptyCommit {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        if session.writer.size() > 0 {
            return session.writer.commit(context, options).await;
        }
        session.writer.cancel(context).await?;
        Ok(FileInfo::new(options.to.unwrap_or_else(|| session.path.clone()), 0, std::time::SystemTime::now()))
    }
}

#[derive(Debug, Default)]
struct CommitDeletesFirst;

#[async_trait]
impl Mutation for CommitDeletesFirst {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        if options.condition == Condition::None {
            let target = options.to.as_ref().unwrap_or(&session.path);
            match session.inner.delete(context, target, DeleteOptions::default()).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => pause().await,
            }
        }
        session.writer.commit(context, options).await
    }
}

#[derive(Debug, Default)]
struct CommitIfAbsentIgnored;

#[async_trait]
impl Mutation for CommitIfAbsentIgnored {
    async fn commit(&self, session: &mut Session, context: &Context, mut options: CommitOptions) -> Result<FileInfo> {
        if options.condition == Condition::IfAbsent {
            options.condition = Condition::None;
        }
        session.writer.commit(context, options).await
    }
}

#[derive(Debug, Default)]
struct CommitIfMatchIgnored;

#[async_trait]
impl Mutation for CommitIfMatchIgnored {
    async fn commit(&self, session: &mut Session, context: &Context, mut options: CommitOptions) -> Result<FileInfo> {
        options.condition = without_version(options.condition);
        session.writer.commit(context, options).await
    }
}

#[derive(Debug, Default)]
struct CommitElsewhereTwice;

#[async_trait]
impl Mutation for CommitElsewhereTwice {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let elsewhere = options.to.is_some();
        let info = session.writer.commit(context, options).await?;
        if elsewhere && let Some(bytes) = bytes_of(&session.inner, context, &info.path).await? {
            session.inner.put(context, &session.path, bytes.into(), PutOptions::default()).await?;
        }
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct CommitElsewhereKeeps;

#[async_trait]
impl Mutation for CommitElsewhereKeeps {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let elsewhere = options.to.is_some();
        let info = session.writer.commit(context, options).await?;
        if elsewhere {
            session.inner.writer(context, &session.path, WriteOptions::default()).await?.close(context).await?;
        }
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct OpenersContext;

#[async_trait]
impl Mutation for OpenersContext {
    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        session.opened_with.check().map_err(gone)?;
        session.writer.close(context).await
    }

    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        session.opened_with.check().map_err(gone)?;
        session.writer.commit(context, options).await
    }
}

fn gone(cause: Error) -> Error {
    Error::new(ErrorKind::Other, "the upload is gone").with_source(cause)
}

#[derive(Debug, Default)]
struct LaggingSize;

#[async_trait]
impl Mutation for LaggingSize {
    fn size(&self, session: &Session) -> u64 {
        session.writer.size().saturating_sub(1)
    }
}
