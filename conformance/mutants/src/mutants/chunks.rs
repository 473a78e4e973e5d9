//! Sessions that are right at every size but some.

use std::collections::HashSet;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, DeleteScope, Error, ErrorKind, FileInfo, PutOptions, Result,
    StoragePath, WriteOptions, async_trait,
};
use parking_lot::Mutex;

use super::{MIDDLE, depth, sessions_below, size_of, without_version};
use crate::Mutant;
use crate::base::zeros;
use crate::mutation::{Call, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<ChunkOverAMebibyte>(
        "chunk-over-a-mebibyte",
        "of a chunk of one byte more than 1 MiB that byte is zero",
        "WRITE-1",
        &["WRITE-9"],
    ),
    Mutant::new::<HintIsTaken>(
        "size-hint-is-taken",
        "a writer that was told a size below 1 MiB drops its second chunk",
        "WRITE-1",
        &[],
    ),
    Mutant::new::<FourthPart>(
        "fourth-part-is-zeros",
        "the chunk that begins at 3 MiB is stored as zeros",
        "WRITE-1",
        &[],
    ),
    Mutant::new::<LargePartialShows>(
        "large-partial-shows",
        "what a close keeps of more than 1.5 MiB is listed beside the file",
        "WRITE-2",
        &["LIST-1"],
    ),
    Mutant::new::<LargeCommitStays>(
        "large-commit-stays",
        "a commit of 1 MiB over a file leaves a session",
        "WRITE-3",
        &["WRITE-12"],
    ),
    Mutant::new::<ElsewhereTakesOwn>(
        "elsewhere-takes-own-file",
        "a resumed session that is committed elsewhere takes the file at its own path along",
        "WRITE-20",
        &["WRITE-19"],
    ),
    Mutant::new::<RefusedCommitLocks>(
        "refused-commit-locks",
        "a session of 66 to 199 KB whose commit if-absent was refused cannot be cancelled",
        "WRITE-17",
        &["WRITE-4"],
    ),
    Mutant::new::<LargeIfMatchIgnored>(
        "large-commit-if-match-ignored",
        "a commit of 80 to 199 KB overwrites any version",
        "WRITE-18",
        &["WRITE-9"],
    ),
    Mutant::new::<OwnCondition>(
        "condition-on-own-path",
        "of a small commit elsewhere the condition is about the writer's own path",
        "WRITE-20",
        &["WRITE-17"],
    ),
    Mutant::new::<RefusedChunkStays>(
        "refused-chunk-stays",
        "a chunk of 160,000 bytes is taken, and said to be refused",
        "WRITE-25",
        &["WRITE-9"],
    ),
    Mutant::new::<DeepSessionsStay>(
        "deep-sessions-stay",
        "a tree delete leaves large sessions two levels below",
        "DEL-6",
        &["WRITE-12"],
    ),
];

#[derive(Debug, Default)]
struct ChunkOverAMebibyte;

#[async_trait]
impl Mutation for ChunkOverAMebibyte {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        if chunk.len() != (1 << 20) + 1 {
            return session.writer.write(context, chunk).await;
        }
        session.writer.write(context, chunk.slice(..1 << 20)).await?;
        session.writer.write(context, zeros(1)).await
    }
}

#[derive(Debug, Default)]
struct HintIsTaken;

#[async_trait]
impl Mutation for HintIsTaken {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        if session.chunks == 2 && session.size_hint.is_some_and(|hint| hint < 1 << 20) {
            session.swallowed += chunk.len() as u64;
            return Ok(());
        }
        session.writer.write(context, chunk).await
    }
}

#[derive(Debug, Default)]
struct FourthPart;

#[async_trait]
impl Mutation for FourthPart {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        let lost = session.writer.size() == 3 << 20;
        let chunk = if lost { zeros(chunk.len() as u64) } else { chunk };
        session.writer.write(context, chunk).await
    }
}

#[derive(Debug, Default)]
struct LargePartialShows;

#[async_trait]
impl Mutation for LargePartialShows {
    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        let kept = session.writer.close(context).await?;
        if kept > 3 << 19
            && let Ok(partial) = StoragePath::parse(&format!("{}.part", session.path))
        {
            session.inner.put(context, &partial, "partial".into(), PutOptions::default()).await?;
        }
        Ok(kept)
    }
}

#[derive(Debug, Default)]
struct LargeCommitStays;

#[async_trait]
impl Mutation for LargeCommitStays {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let replaces = size_of(&session.inner, context, &session.path).await.is_some();
        let info = session.writer.commit(context, options).await?;
        if replaces && info.size == 1 << 20 {
            session.inner.writer(context, &session.path, WriteOptions::default()).await?.close(context).await?;
        }
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct ElsewhereTakesOwn;

#[async_trait]
impl Mutation for ElsewhereTakesOwn {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let resumed = session.resumed_at.is_some_and(|size| MIDDLE.contains(&size));
        let takes = resumed && options.to.is_some();
        let info = session.writer.commit(context, options).await?;
        if takes {
            session.inner.delete_files(context, std::slice::from_ref(&session.path)).await?;
        }
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct DeepSessionsStay;

#[async_trait]
impl Mutation for DeepSessionsStay {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let (inner, context, path) = (call.inner, call.context, call.path);
        let mut deep = Vec::new();
        if call.options.scope == DeleteScope::Tree {
            deep = sessions_below(inner, context, path).await?;
            deep.retain(|session| MIDDLE.contains(&session.size) && depth(&session.path) > depth(path) + 1);
        }
        let deleted = call.forward().await;
        for session in deep {
            let mut writer = inner.writer(context, &session.path, WriteOptions::default()).await?;
            writer.write(context, zeros(session.size)).await?;
            writer.close(context).await?;
        }
        deleted
    }
}

#[derive(Debug, Default)]
struct RefusedCommitLocks {
    locked: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for RefusedCommitLocks {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let if_absent = options.condition == Condition::IfAbsent && MIDDLE.contains(&session.writer.size());
        let answer = session.writer.commit(context, options).await;
        if answer.is_err() && if_absent {
            self.locked.lock().insert(session.path.clone());
        }
        answer
    }

    async fn cancel(&self, session: &mut Session, context: &Context) -> Result<()> {
        if self.locked.lock().remove(&session.path) {
            return Err(Error::new(ErrorKind::Other, "the upload is being completed"));
        }
        session.writer.cancel(context).await
    }
}

#[derive(Debug, Default)]
struct LargeIfMatchIgnored;

#[async_trait]
impl Mutation for LargeIfMatchIgnored {
    async fn commit(&self, session: &mut Session, context: &Context, mut options: CommitOptions) -> Result<FileInfo> {
        if (80_000..199_000).contains(&session.writer.size()) {
            options.condition = without_version(options.condition);
        }
        session.writer.commit(context, options).await
    }
}

#[derive(Debug, Default)]
struct OwnCondition;

#[async_trait]
impl Mutation for OwnCondition {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let small = (256..4000).contains(&session.writer.size());
        if small
            && options.to.is_some()
            && options.condition == Condition::IfAbsent
            && size_of(&session.inner, context, &session.path).await.is_some()
        {
            return Err(Error::new(ErrorKind::AlreadyExists, "a file is there"));
        }
        session.writer.commit(context, options).await
    }
}

#[derive(Debug, Default)]
struct RefusedChunkStays;

#[async_trait]
impl Mutation for RefusedChunkStays {
    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        let refused = chunk.len() == 160_000;
        session.writer.write(context, chunk).await?;
        if refused { Err(Error::new(ErrorKind::Other, "the chunk was refused")) } else { Ok(()) }
    }
}
