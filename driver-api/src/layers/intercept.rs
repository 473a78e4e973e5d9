//! What most layers have in common: the same thing done around every call of a driver and of its writers.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use url::Url;

use crate::capabilities::Capabilities;
use crate::context::Context;
use crate::driver::{EntryPages, FileWriter, StorageDriver, UnfinishedPages};
use crate::entry::{Entry, FileInfo};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::interruption::begin;
use crate::layers::Layer;
use crate::options::{
    CommitOptions, DeleteOptions, GetOptions, ListOptions, MoveOptions, PutOptions, ReadOptions, StatOptions,
    UrlOptions, WriteOptions,
};
use crate::path::StoragePath;
use crate::payload::Payload;
use crate::reader::Reader;
use crate::writer::{Ending, cancelling, closing, committing};

/// A call on its way through a layer.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What is called.
    pub operation: Operation,
    /// The path it is about; the source of a move, the first of a batch.
    pub path: &'a StoragePath,
    /// The driver's name.
    pub driver: &'a str,
    /// The first attempt is 1; more where an [`Intercept`] repeats.
    pub attempt: u32,
}

/// What becomes of a call that came back.
#[derive(Debug)]
pub enum Verdict {
    /// Its answer stands.
    Answer,
    /// It is made again.
    Repeat,
    /// This is the answer instead.
    Fail(Error),
}

/// Something done around every call. Implement this, and [`Layer`] is implemented for it.
///
/// The pieces of streams are no calls: they pass [`item`](Self::item) and [`reader`](Self::reader).
pub trait Intercept: Debug + Send + Sync + 'static {
    /// What a call holds while it runs, also when it goes on without its caller, and brings back to [`after`](Self::after).
    type Pass: Clone + Send + 'static;

    /// What the wrapped driver declares.
    fn capabilities(&self, inner: Capabilities) -> Capabilities {
        inner
    }

    /// Comes before a call: waits, refuses, or gives the context for it. What it refuses is not made, and does not come to
    /// [`after`](Self::after).
    fn before(&self, context: &Context, call: Call<'_>) -> impl Future<Output = Result<(Context, Self::Pass)>> + Send;

    /// Comes after a call that was made and took `elapsed`; `context` is the caller's.
    fn after(
        &self,
        context: &Context,
        call: Call<'_>,
        pass: Self::Pass,
        elapsed: Duration,
        error: Option<&Error>,
    ) -> impl Future<Output = Verdict> + Send;

    /// Comes before each piece of a reader ([`Operation::Read`]) and each page of a listing.
    fn item(&self, _call: Call<'_>) -> Result<()> {
        Ok(())
    }

    /// Learns how many bytes a call brought.
    fn transferred(&self, _call: Call<'_>, _bytes: u64) {}

    /// Wraps a reader that was opened, with the options it was opened with.
    fn reader(
        &self,
        _inner: &Arc<dyn StorageDriver>,
        _context: &Context,
        _options: ReadOptions,
        reader: Reader,
    ) -> Reader {
        reader
    }

    /// Wraps the pages of a listing that has begun, with the options it began with.
    fn entries(
        &self,
        _inner: &Arc<dyn StorageDriver>,
        _context: &Context,
        _path: &StoragePath,
        _options: ListOptions,
        pages: EntryPages,
    ) -> EntryPages {
        pages
    }

    /// Wraps the pages of a listing of kept sessions that has begun.
    fn sessions(
        &self,
        _inner: &Arc<dyn StorageDriver>,
        _context: &Context,
        _prefix: &StoragePath,
        pages: UnfinishedPages,
    ) -> UnfinishedPages {
        pages
    }
}

impl<I: Intercept> Layer for I {
    fn wrap(self, inner: Arc<dyn StorageDriver>) -> Arc<dyn StorageDriver> {
        Arc::new(Intercepted { inner, intercept: Arc::new(self) })
    }
}

#[derive(Debug)]
struct Intercepted<I> {
    inner: Arc<dyn StorageDriver>,
    intercept: Arc<I>,
}

impl<I: Intercept> Intercepted<I> {
    /// Makes a call, as often as the intercept wants. `attempt` begins it with what belongs to it alone, so that it can
    /// outlive this future.
    async fn around<T: Send + 'static>(
        &self,
        context: &Context,
        operation: Operation,
        path: &StoragePath,
        attempt: impl Fn(Arc<dyn StorageDriver>, StoragePath, Context) -> BoxFuture<'static, Result<T>> + Send + Sync,
    ) -> Result<T> {
        let mut call = Call { operation, path, driver: self.inner.name(), attempt: 1 };
        loop {
            let (limited, pass) = self.intercept.before(context, call).await?;
            let begun = Instant::now();
            let answer = match limited.check() {
                Err(ended) => Err(ended),
                Ok(()) => {
                    let running = attempt(self.inner.clone(), path.clone(), limited.clone());
                    run(&limited, operation, pass.clone(), running).await
                }
            };
            match self.intercept.after(context, call, pass, begun.elapsed(), answer.as_ref().err()).await {
                Verdict::Answer => return answer,
                Verdict::Fail(error) => return Err(error),
                Verdict::Repeat => call.attempt += 1,
            }
        }
    }

    fn pages<T: 'static>(
        &self,
        operation: Operation,
        path: &StoragePath,
        pages: impl Stream<Item = Result<T>> + Send + 'static,
    ) -> impl Stream<Item = Result<T>> + Send + 'static {
        let (inner, intercept, path) = (self.inner.clone(), self.intercept.clone(), path.clone());
        pages.map(move |page| {
            intercept.item(Call { operation, path: &path, driver: inner.name(), attempt: 1 })?;
            page
        })
    }
}

/// Begins one attempt within `limited`, which has not ended, holding `pass` until it has really ended.
async fn run<T: Send + 'static>(
    limited: &Context,
    operation: Operation,
    pass: impl Send + 'static,
    running: BoxFuture<'static, Result<T>>,
) -> Result<T> {
    let held = async move {
        let answer = running.await;
        drop(pass);
        answer
    };
    if operation.changes_the_store() { begin(limited, held).await } else { limited.run(held).await }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<I: Intercept> StorageDriver for Intercepted<I> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.intercept.capabilities(self.inner.capabilities())
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        let (info, bytes) = self
            .around(context, Operation::Get, path, |inner, path, context| {
                let options = options.clone();
                Box::pin(async move { inner.get(&context, &path, options).await })
            })
            .await?;
        self.transferred(Operation::Get, path, bytes.len() as u64);
        Ok((info, bytes))
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        let info = self
            .around(context, Operation::Put, path, |inner, path, context| {
                let (payload, options) = (payload.clone(), options.clone());
                Box::pin(async move { inner.put(&context, &path, payload, options).await })
            })
            .await?;
        self.transferred(Operation::Put, path, info.size);
        Ok(info)
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        let reader = self
            .around(context, Operation::Reader, path, |inner, path, context| {
                let options = options.clone();
                Box::pin(async move { inner.reader(&context, &path, options).await })
            })
            .await?;
        let Reader { info, range, stream } = self.intercept.reader(&self.inner, context, options, reader);
        let (inner, intercept, path) = (self.inner.clone(), self.intercept.clone(), path.clone());
        let stream = stream.map(move |piece| {
            let call = Call { operation: Operation::Read, path: &path, driver: inner.name(), attempt: 1 };
            intercept.item(call)?;
            piece.inspect(|bytes| intercept.transferred(call, bytes.len() as u64))
        });
        Ok(Reader { info, range, stream: Box::pin(stream) })
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        let inner = self
            .around(context, Operation::Writer, path, |inner, path, context| {
                let options = options.clone();
                Box::pin(async move { inner.writer(&context, &path, options).await })
            })
            .await?;
        Ok(Box::new(InterceptedWriter {
            size: inner.size(),
            inner: Some(inner),
            driver: self.inner.clone(),
            path: path.clone(),
            intercept: self.intercept.clone(),
        }))
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        let pages = self
            .around(context, Operation::Unfinished, prefix, |inner, prefix, context| {
                Box::pin(async move { inner.unfinished(&context, &prefix).await })
            })
            .await?;
        let pages = self.intercept.sessions(&self.inner, context, prefix, pages);
        Ok(Box::pin(self.pages(Operation::Unfinished, prefix, pages)))
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        self.around(context, Operation::Abandon, path, |inner, path, context| {
            Box::pin(async move { inner.abandon(&context, &path).await })
        })
        .await
    }

    async fn stat(&self, context: &Context, path: &StoragePath, options: StatOptions) -> Result<Entry> {
        self.around(context, Operation::Stat, path, |inner, path, context| {
            let options = options.clone();
            Box::pin(async move { inner.stat(&context, &path, options).await })
        })
        .await
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        let pages = self
            .around(context, Operation::List, path, |inner, path, context| {
                let options = options.clone();
                Box::pin(async move { inner.list(&context, &path, options).await })
            })
            .await?;
        let pages = self.intercept.entries(&self.inner, context, path, options, pages);
        Ok(Box::pin(self.pages(Operation::List, path, pages)))
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        options: MoveOptions,
    ) -> Result<()> {
        self.around(context, Operation::Move, from, |inner, from, context| {
            let (to, options) = (to.clone(), options.clone());
            Box::pin(async move { inner.move_to(&context, &from, &to, options).await })
        })
        .await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        self.around(context, Operation::Delete, path, |inner, path, context| {
            let options = options.clone();
            Box::pin(async move { inner.delete(&context, &path, options).await })
        })
        .await
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let Some(first) = paths.first() else { return Ok(Vec::new()) };
        let paths: Arc<[StoragePath]> = paths.into();
        self.around(context, Operation::DeleteFiles, first, |inner, _, context| {
            let paths = paths.clone();
            Box::pin(async move { inner.delete_files(&context, &paths).await })
        })
        .await
    }

    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        self.around(context, Operation::UrlFor, path, |inner, path, context| {
            let options = options.clone();
            Box::pin(async move { inner.url_for(&context, &path, options).await })
        })
        .await
    }
}

impl<I: Intercept> Intercepted<I> {
    fn transferred(&self, operation: Operation, path: &StoragePath, bytes: u64) {
        self.intercept.transferred(Call { operation, path, driver: self.inner.name(), attempt: 1 }, bytes);
    }
}

struct InterceptedWriter<I> {
    intercept: Arc<I>,
    driver: Arc<dyn StorageDriver>,
    path: StoragePath,
    /// None once it went on without its caller.
    inner: Option<Box<dyn FileWriter>>,
    /// The size when the writer was last at hand.
    size: u64,
}

impl<I> Debug for InterceptedWriter<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InterceptedWriter").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<I: Intercept> InterceptedWriter<I> {
    async fn end<T: Send + 'static>(
        &mut self,
        context: &Context,
        operation: Operation,
        ending: impl Fn(Box<dyn FileWriter>, Context) -> Ending<T> + Send + Sync,
    ) -> Result<T> {
        let mut call = Call { operation, path: &self.path, driver: self.driver.name(), attempt: 1 };
        loop {
            let (limited, pass) = self.intercept.before(context, call).await?;
            let begun = Instant::now();
            // A call that is not begun leaves the writer here; one that is begun takes it along.
            let answer = match limited.check() {
                Err(ended) => Err(ended),
                Ok(()) => {
                    let inner = self.inner.take().ok_or_else(gone)?;
                    self.size = inner.size();
                    let running = ending(inner, limited.clone());
                    run(&limited, operation, pass.clone(), Box::pin(async { Ok(running.await) })).await.and_then(
                        |(inner, answer)| {
                            self.inner = Some(inner);
                            answer
                        },
                    )
                }
            };
            match self.intercept.after(context, call, pass, begun.elapsed(), answer.as_ref().err()).await {
                Verdict::Answer => return answer,
                Verdict::Fail(error) => return Err(error),
                Verdict::Repeat => call.attempt += 1,
            }
        }
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Conflict, "an earlier call on this writer was interrupted and went on without its caller")
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<I: Intercept> FileWriter for InterceptedWriter<I> {
    fn size(&self) -> u64 {
        self.inner.as_ref().map_or(self.size, |inner| inner.size())
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        let mut call = Call { operation: Operation::Write, path: &self.path, driver: self.driver.name(), attempt: 1 };
        loop {
            let inner = self.inner.as_mut().ok_or_else(gone)?;
            let before = inner.size();
            let (limited, pass) = self.intercept.before(context, call).await?;
            let begun = Instant::now();
            // The driver's writer stays here: it is at hand for the next call, whatever becomes of this one.
            let answer = limited.run(inner.write(&limited, chunk.clone())).await;
            if answer.is_ok() {
                self.intercept.transferred(call, chunk.len() as u64);
            }
            match self.intercept.after(context, call, pass, begun.elapsed(), answer.as_ref().err()).await {
                // What the driver has taken it must not be given again.
                Verdict::Repeat if inner.size() == before => call.attempt += 1,
                Verdict::Repeat | Verdict::Answer => return answer,
                Verdict::Fail(error) => return Err(error),
            }
        }
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        self.end(context, Operation::Close, closing).await
    }

    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        self.end(context, Operation::Commit, |inner, context| committing(inner, context, options.clone())).await
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        self.end(context, Operation::Cancel, cancelling).await
    }
}
