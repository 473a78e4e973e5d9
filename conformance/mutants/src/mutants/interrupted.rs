//! Right where callers wait: wrong where a call is dropped, runs out of time, or has too much of it.

use std::time::Duration;

use driver_api::{
    Capabilities, CommitOptions, Context, DeleteOptions, Entry, Error, ErrorKind, FileInfo, MoveLevel, MoveOptions,
    Payload, PutOptions, Result, Retry, StatOptions, StoragePath, async_trait,
};
use futures_util::FutureExt;

use super::{bytes_of, pause, put_half};
use crate::Mutant;
use crate::mutation::{Call, Inner, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<DroppedPutIsHalf>("dropped-put-is-half", "a put that is dropped stores half", "PUT-2", &["PUT-1"]),
    Mutant::new::<LatePutIsHalf>(
        "late-put-is-half",
        "a put with less than a second left stores half",
        "PUT-2",
        &["CTX-3"],
    ),
    Mutant::new::<LateCommitIsHalf>(
        "late-commit-is-half",
        "a commit with less than a second left publishes half",
        "CTX-3",
        &["WRITE-3"],
    ),
    Mutant::new::<DroppedMoveStays>(
        "dropped-move-stays",
        "a move that was dropped half-way leaves its source, however often it is made again",
        "MOVE-1",
        &[],
    ),
    Mutant::new::<DeleteIgnoresContext>(
        "delete-ignores-context",
        "a delete with a context that has ended is made",
        "CTX-5",
        &["CTX-3"],
    ),
    Mutant::new::<FarDeadline>(
        "far-deadline",
        "a stat with a deadline in half a minute or later is refused",
        "LAYER-1",
        &["CTX-2"],
    ),
];

fn is_late(context: &Context) -> bool {
    let soon = tokio::time::Instant::now() + Duration::from_secs(1);
    context.deadline().is_some_and(|deadline| deadline < soon)
}

fn out_of_time() -> Error {
    Error::new(ErrorKind::DeadlineExceeded, "no time is left").with_retry(Retry::MaybeApplied)
}

/// Stores half of a put when it is dropped before the put was made.
struct HalfOnDrop(Option<(Inner, StoragePath, Payload)>);

impl Drop for HalfOnDrop {
    fn drop(&mut self) {
        if let Some((inner, path, payload)) = self.0.take() {
            // The right driver answers at once.
            put_half(&inner, &Context::background(), &path, payload).now_or_never();
        }
    }
}

#[derive(Debug, Default)]
struct DroppedPutIsHalf;

#[async_trait]
impl Mutation for DroppedPutIsHalf {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let mut half = HalfOnDrop(Some((call.inner.clone(), call.path.clone(), payload.clone())));
        pause().await;
        half.0 = None;
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct LatePutIsHalf;

#[async_trait]
impl Mutation for LatePutIsHalf {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        call.context.check()?;
        if !is_late(call.context) {
            return call.forward(payload).await;
        }
        put_half(call.inner, &call.context.detached(), call.path, payload).await;
        Err(out_of_time())
    }
}

#[derive(Debug, Default)]
struct LateCommitIsHalf;

#[async_trait]
impl Mutation for LateCommitIsHalf {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        context.check()?;
        if !is_late(context) {
            return session.writer.commit(context, options).await;
        }
        let (inner, detached) = (session.inner.clone(), context.detached());
        session.writer.commit(&detached, options).await?;
        let bytes = bytes_of(&inner, &detached, &session.path).await?.unwrap_or_default();
        put_half(&inner, &detached, &session.path, bytes.into()).await;
        Err(out_of_time())
    }
}

/// A link to the target and a rename: once both names are of one file, a rename does nothing, as POSIX has it.
#[derive(Debug, Default)]
struct DroppedMoveStays;

#[async_trait]
impl Mutation for DroppedMoveStays {
    fn capabilities(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        capabilities.moves = MoveLevel::CopyThenDelete;
        capabilities
    }

    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let bytes = bytes_of(call.inner, call.context, call.path).await?;
        if call.path == to || bytes.is_none() || bytes == bytes_of(call.inner, call.context, to).await? {
            return if bytes.is_some() { Ok(()) } else { call.forward(to).await };
        }
        call.inner.put(call.context, to, bytes.unwrap_or_default().into(), PutOptions::default()).await?;
        pause().await;
        call.forward(to).await
    }
}

#[derive(Debug, Default)]
struct DeleteIgnoresContext;

#[async_trait]
impl Mutation for DeleteIgnoresContext {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        Call { context: &call.context.detached(), ..call }.forward().await
    }
}

#[derive(Debug, Default)]
struct FarDeadline;

#[async_trait]
impl Mutation for FarDeadline {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let far = tokio::time::Instant::now() + Duration::from_secs(30);
        if call.context.deadline().is_some_and(|deadline| deadline > far) {
            return Err(Error::new(ErrorKind::InvalidArgument, "no deadline can be that late"));
        }
        call.forward().await
    }
}
