//! A file being written.

use std::cmp::Ordering;
use std::fmt;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;

use crate::context::Context;
use crate::driver::FileWriter;
use crate::entry::FileInfo;
use crate::error::{Error, ErrorKind, Operation, Result, Retry};
use crate::interruption::begin;
use crate::options::{CommitOptions, Condition};
use crate::path::StoragePath;
use crate::storage::Storage;

/// Chunks shorter than this are gathered before the driver sees them: 64 KiB.
const GATHERED: usize = 64 * 1024;

/// A file being written: nothing shows until [`commit`](Self::commit).
///
/// Closing, committing and cancelling consume the writer, so that none of them can happen twice; one that fails hands the
/// writer back in its error, to be tried again or cancelled. Dropping it discards what no earlier close kept.
///
/// ```no_run
/// # async fn example(storage: driver_api::Storage) -> driver_api::Result<()> {
/// use driver_api::{CommitOptions, Context, StoragePath, WriteOptions};
/// let (context, path) = (Context::background(), StoragePath::parse("/uploads/one")?);
/// let mut writer = storage.writer(&context, &path, WriteOptions::default()).await?;
/// writer.write(&context, "first half, ".into()).await?;
/// assert_eq!(writer.close(&context).await?, 12);
///
/// let mut writer = storage.writer(&context, &path, WriteOptions::append()).await?;
/// writer.write(&context, "second half".into()).await?;
/// assert_eq!(writer.commit(&context, CommitOptions::default()).await?.size, 23);
/// # Ok(())
/// # }
/// ```
pub struct Writer {
    storage: Storage,
    path: StoragePath,
    inner: Box<dyn FileWriter>,
    /// A chunk on its way to the driver. It stays here until the driver has it, so that a dropped or failed write loses
    /// nothing.
    in_flight: Option<InFlight>,
    gathered: BytesMut,
    /// The driver lost bytes that it had accepted; what follows would stand at the wrong offset.
    lost: bool,
    /// A commit may have published what is here, and trying it again may find just that: nothing more can become part of it.
    unresolved: bool,
}

struct InFlight {
    chunk: Bytes,
    /// The driver's size before it was given the chunk.
    before: u64,
}

/// Why a writer was not closed, committed or cancelled, and the writer itself unless it went on without its caller.
#[derive(Debug)]
pub struct WriterError {
    /// What went wrong.
    pub error: Error,
    /// The writer, to try again or cancel; none where the context ended during the call, which may still take effect.
    pub writer: Option<Box<Writer>>,
}

impl fmt::Display for WriterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for WriterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<WriterError> for Error {
    fn from(failure: WriterError) -> Self {
        failure.error
    }
}

impl Writer {
    pub(crate) fn new(storage: Storage, path: StoragePath, inner: Box<dyn FileWriter>) -> Self {
        Self { storage, path, inner, in_flight: None, gathered: BytesMut::new(), lost: false, unresolved: false }
    }

    /// Where the file will be, unless the commit says otherwise.
    pub fn path(&self) -> &StoragePath {
        &self.path
    }

    /// The bytes accepted so far, those resumed included.
    pub fn size(&self) -> u64 {
        let in_flight = match &self.in_flight {
            Some(InFlight { chunk, before }) if self.inner.size() == *before => chunk.len() as u64,
            _ => 0,
        };
        self.inner.size() + in_flight + self.gathered.len() as u64
    }

    /// Appends a chunk. Small ones are gathered before the driver sees them.
    ///
    /// After an error, or where the future was dropped, [`size`](Self::size) tells whether the chunk was accepted; what was
    /// accepted is tried again by the next call. Errors: NoSpace, TooLarge and what else the backend refuses; Conflict after a
    /// commit that may have taken effect.
    pub async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        let result = self.accept(context, chunk).await;
        result.map_err(|error| self.place(Operation::Write, error))
    }

    async fn accept(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        context.check()?;
        if self.unresolved {
            return Err(Error::new(
                ErrorKind::Conflict,
                "an earlier commit may have published the file, which takes no more bytes: commit it again, or cancel",
            ));
        }
        self.deliver(context).await?;
        if let Some(limit) = self.storage.capabilities().limits.object_bytes {
            let size = self.size().saturating_add(chunk.len() as u64);
            if size > limit {
                return Err(crate::too_large(size, limit));
            }
        }
        if chunk.len() < GATHERED {
            self.gathered.extend_from_slice(&chunk);
            if self.gathered.len() < GATHERED {
                return Ok(());
            }
            self.deliver_gathered(context).await
        } else {
            self.deliver_gathered(context).await?;
            self.in_flight = Some(InFlight { chunk, before: self.inner.size() });
            self.deliver(context).await
        }
    }

    async fn deliver_gathered(&mut self, context: &Context) -> Result<()> {
        self.deliver(context).await?;
        if !self.gathered.is_empty() {
            self.in_flight = Some(InFlight { chunk: self.gathered.split().freeze(), before: self.inner.size() });
        }
        self.deliver(context).await
    }

    /// Brings the chunk in flight to the driver, unless a write that was dropped or failed has already done so.
    async fn deliver(&mut self, context: &Context) -> Result<()> {
        let outcome = match &self.in_flight {
            Some(InFlight { chunk, before }) if self.inner.size() == *before => {
                let chunk = chunk.clone();
                context.run(self.inner.write(context, chunk)).await
            }
            _ => Ok(()),
        };
        if let Some(InFlight { before, .. }) = &self.in_flight {
            match self.inner.size().cmp(before) {
                Ordering::Equal => {}
                Ordering::Greater => self.in_flight = None,
                Ordering::Less => {
                    self.lost = true;
                    self.in_flight = None;
                    self.gathered.clear();
                }
            }
        }
        outcome?;
        if self.lost {
            return Err(Error::new(
                ErrorKind::Conflict,
                "an earlier write failed and its bytes are lost: close the writer to keep what is good, or cancel it",
            ));
        }
        Ok(())
    }

    /// Keeps what was written, uncommitted, to be continued by a writer opened to append. Answers with its size in bytes.
    ///
    /// After a write that failed this keeps what was accepted before. That accepted bytes are lost is told once: where no write
    /// did so this fails, and hands back a writer whose close keeps the rest.
    pub async fn close(mut self, context: &Context) -> Result<u64, WriterError> {
        if !self.lost
            && let Err(error) = self.prepare(context).await
        {
            return Err(self.failed(Operation::Close, error));
        }
        self.finish(context, Operation::Close, closing).await
    }

    /// Publishes what was written, all or nothing, and replaces what was there. One that failed may be tried again; where it
    /// may have taken effect ([`Retry::MaybeApplied`]) the writer takes no more bytes.
    ///
    /// With `to` on a driver without [`commit_elsewhere`](crate::Capabilities::commit_elsewhere) this is a commit followed by
    /// a move, which takes no condition; where the move fails, the file stays at the writer's own path.
    ///
    /// Errors: AlreadyExists or Conflict where the condition does not hold; Conflict at a directory or below a file, where
    /// the driver's namespace is a tree, and where an earlier write failed.
    pub async fn commit(mut self, context: &Context, mut options: CommitOptions) -> Result<FileInfo, WriterError> {
        // First of all: a condition on the writer's own path needs no capability to commit elsewhere.
        if options.to.as_ref() == Some(&self.path) {
            options.to = None;
        }
        if let Err(error) = self.prepare_commit(context, &options).await {
            return Err(self.failed(Operation::Commit, error));
        }
        let then_move = if self.storage.capabilities().commit_elsewhere { None } else { options.to.take() };
        let (storage, path) = (self.storage.clone(), self.path.clone());
        let info =
            self.finish(context, Operation::Commit, |inner, context| committing(inner, context, options)).await?;
        match then_move {
            None => Ok(info),
            Some(to) => move_committed(&storage, context, &path, &to).await,
        }
    }

    async fn prepare_commit(&mut self, context: &Context, options: &CommitOptions) -> Result<()> {
        let capabilities = self.storage.capabilities();
        self.storage.call(context, Operation::Commit, &self.path).require_condition(
            &options.condition,
            capabilities.commit,
            ["commit_if_absent", "commit_if_match"],
        )?;
        if options.to.as_ref().is_some_and(StoragePath::is_root) {
            return Err(Error::new(ErrorKind::InvalidPath, "`/` is a directory and never a file"));
        }
        if options.to.is_some() && options.condition != Condition::None && !capabilities.commit_elsewhere {
            return Err(Error::unsupported("commit_elsewhere"));
        }
        self.prepare(context).await
    }

    /// Discards what was written, also what earlier closes kept.
    pub async fn cancel(self, context: &Context) -> Result<(), WriterError> {
        if let Err(error) = context.check() {
            return Err(self.failed(Operation::Cancel, error));
        }
        self.finish(context, Operation::Cancel, cancelling).await
    }

    /// Ends the writer by `call`, and puts it together again where that fails.
    async fn finish<T: Send + 'static>(
        self,
        context: &Context,
        operation: Operation,
        call: impl FnOnce(Box<dyn FileWriter>, Context) -> Ending<T>,
    ) -> Result<T, WriterError> {
        let Self { storage, path, inner, in_flight, gathered, lost, unresolved } = self;
        let ending = call(inner, context.clone());
        let place = storage.call(context, operation, &path);
        let answer = place.answer(begin(context, async move { Ok(ending.await) })).await;
        match answer {
            Ok((_, Ok(value))) => Ok(value),
            Ok((inner, Err(error))) => {
                let error = place.place(error);
                let unresolved = unresolved || operation == Operation::Commit && error.retry() == Retry::MaybeApplied;
                let writer = Self { storage, path, inner, in_flight, gathered, lost, unresolved };
                Err(WriterError { error, writer: Some(Box::new(writer)) })
            }
            Err(error) => Err(WriterError { error, writer: None }),
        }
    }

    async fn prepare(&mut self, context: &Context) -> Result<()> {
        context.check()?;
        self.deliver_gathered(context).await
    }

    fn place(&self, operation: Operation, error: Error) -> Error {
        error.in_call(self.storage.name(), operation, Some(&self.path))
    }

    fn failed(self, operation: Operation, error: Error) -> WriterError {
        WriterError { error: self.place(operation, error), writer: Some(Box::new(self)) }
    }
}

/// The end of a driver's writer as a future that can outlive its caller; it gives the writer back, to be tried again.
pub(crate) type Ending<T> = BoxFuture<'static, (Box<dyn FileWriter>, Result<T>)>;

pub(crate) fn closing(mut inner: Box<dyn FileWriter>, context: Context) -> Ending<u64> {
    Box::pin(async move {
        let kept = inner.close(&context).await;
        (inner, kept)
    })
}

pub(crate) fn committing(mut inner: Box<dyn FileWriter>, context: Context, options: CommitOptions) -> Ending<FileInfo> {
    Box::pin(async move {
        let published = inner.commit(&context, options).await;
        (inner, published)
    })
}

pub(crate) fn cancelling(mut inner: Box<dyn FileWriter>, context: Context) -> Ending<()> {
    Box::pin(async move {
        let discarded = inner.cancel(&context).await;
        (inner, discarded)
    })
}

async fn move_committed(
    storage: &Storage,
    context: &Context,
    from: &StoragePath,
    to: &StoragePath,
) -> Result<FileInfo, WriterError> {
    let moved = async {
        storage.move_to(context, from, to).await?;
        storage.stat(context, to).await?.into_file()
    };
    // The bytes are published by now, at one of the two paths or at both.
    moved.await.map_err(|error| WriterError { error: error.with_retry(Retry::MaybeApplied), writer: None })
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).field("size", &self.size()).finish_non_exhaustive()
    }
}
