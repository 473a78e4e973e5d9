//! The handle that everybody but drivers calls: it does once what no driver should repeat.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use tracing::{Instrument, Span};
use url::Url;

use crate::capabilities::{Capabilities, Conditions};
use crate::context::Context;
use crate::driver::{StorageDriver, UnfinishedPages};
use crate::entry::{Entry, FileInfo};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::interruption::{UntilEnded, change};
use crate::layers::Layer;
use crate::listing::Listing;
use crate::options::{
    Condition, DeleteOptions, DeleteScope, GetOptions, ListOptions, MoveOptions, PutOptions, ReadOptions, StatOptions,
    UrlOptions, WriteOptions,
};
use crate::path::StoragePath;
use crate::payload::Payload;
use crate::reader::{Reader, exact};
use crate::writer::Writer;

/// A cheap handle over a driver.
///
/// Beside the driver's answers it gives: an answer on time when a context ends, whatever the driver does; refusal of `/` where
/// a file is meant and of options that the driver does not declare; a span for every call; streams that are never silently
/// short; errors that name driver, operation and path.
///
/// ```no_run
/// # async fn example(driver: impl driver_api::StorageDriver) -> driver_api::Result<()> {
/// use driver_api::{Context, GetOptions, PutOptions, Storage, StoragePath};
/// let (storage, context) = (Storage::new(driver), Context::background());
/// let path = StoragePath::parse("/greetings/world")?;
/// storage.put(&context, &path, "hello", PutOptions::default()).await?;
/// let (info, content) = storage.get(&context, &path, GetOptions::default()).await?;
/// assert_eq!((info.size, content.as_ref()), (5, b"hello".as_ref()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Storage {
    driver: Arc<dyn StorageDriver>,
    capabilities: Arc<Capabilities>,
}

impl Storage {
    /// A handle over `driver`.
    pub fn new(driver: impl StorageDriver) -> Self {
        Self::from_arc(Arc::new(driver))
    }

    /// A handle over a driver that others share.
    pub fn from_arc(driver: Arc<dyn StorageDriver>) -> Self {
        let capabilities = Arc::new(driver.capabilities());
        Self { driver, capabilities }
    }

    /// The same driver with `layer` around it; this handle stays as it is.
    #[must_use]
    pub fn layered(&self, layer: impl Layer) -> Self {
        Self::from_arc(layer.wrap(self.driver.clone()))
    }

    /// The driver below.
    pub fn driver(&self) -> &Arc<dyn StorageDriver> {
        &self.driver
    }

    /// The driver's name.
    pub fn name(&self) -> &str {
        self.driver.name()
    }

    /// What the driver declares.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Reads a file, or a range of it, into memory.
    ///
    /// Errors: NotFound; InvalidRange; TooLarge for more than `max_bytes`; Conflict for another version than `if_match`.
    pub async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        let call = self.call(context, Operation::Get, path);
        call.answer(async {
            call.refuse_root_as_missing()?;
            call.require(options.if_match.is_none() || self.capabilities.read_if_match, "read_if_match")?;
            context.run(self.driver.get(context, path, options)).await
        })
        .await
    }

    /// Stores a whole file, all or nothing, and makes the directories above it.
    ///
    /// Errors: AlreadyExists or Conflict where the condition does not hold; Conflict at a directory or below a file, where the
    /// driver's namespace is a tree; NoSpace; TooLarge.
    pub async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: impl Into<Payload>,
        options: PutOptions,
    ) -> Result<FileInfo> {
        let call = self.call(context, Operation::Put, path);
        let payload = payload.into();
        call.answer(async {
            call.refuse_root()?;
            call.require_condition(&options.condition, self.capabilities.put, ["put_if_absent", "put_if_match"])?;
            if let Some(limit) = self.capabilities.limits.object_bytes
                && payload.len() > limit
            {
                return Err(crate::too_large(payload.len(), limit));
            }
            if context.is_unlimited() {
                // Nothing ends this context, so nothing has to outlive the call; the copies below cost a small put a tenth of its time.
                return self.driver.put(context, path, payload, options).await;
            }
            let (driver, path, inner) = call.owned();
            change(context, async move { driver.put(&inner, &path, payload, options).await }).await
        })
        .await
    }

    /// Opens a file for reading as a stream. The stream ends with an error when the context does, and when it would be
    /// shorter or longer than the reader says.
    ///
    /// Errors: NotFound; InvalidRange; Conflict for another version than `if_match`.
    pub async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        let call = self.call(context, Operation::Reader, path);
        let reader = call
            .answer(async {
                call.refuse_root_as_missing()?;
                call.require(options.if_match.is_none() || self.capabilities.read_if_match, "read_if_match")?;
                context.run(self.driver.reader(context, path, options)).await
            })
            .await?;
        let (driver, place) = (self.driver.clone(), path.clone());
        let length = reader.range.end - reader.range.start;
        let stream = exact(UntilEnded::new(context, reader.stream), length)
            .map_err(move |error| error.in_call(driver.name(), Operation::Read, Some(&place)));
        Ok(Reader { stream: Box::pin(stream), ..reader })
    }

    /// Opens a writer. Nothing shows of what it is given until it is committed.
    ///
    /// Errors: Conflict where a file that is not empty would be appended to, where another size is kept than expected, or
    /// where the kept session has an owner.
    pub async fn writer(&self, context: &Context, path: &StoragePath, options: WriteOptions) -> Result<Writer> {
        let call = self.call(context, Operation::Writer, path);
        let inner = call
            .answer(async {
                call.refuse_root()?;
                let (driver, path, inner) = call.owned();
                change(context, async move { driver.writer(&inner, &path, options).await }).await
            })
            .await?;
        Ok(Writer::new(self.clone(), path.clone(), inner))
    }

    /// Lists the kept sessions at and below `prefix`, page by page, without opening them.
    pub async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        let call = self.call(context, Operation::Unfinished, prefix);
        let pages = call.answer(context.run(self.driver.unfinished(context, prefix))).await?;
        let (driver, place) = (self.driver.clone(), prefix.clone());
        Ok(Box::pin(
            UntilEnded::new(context, pages)
                .map_err(move |error| error.in_call(driver.name(), Operation::Unfinished, Some(&place))),
        ))
    }

    /// Gives up the session kept at exactly `path`. Errors: NotFound where none is; Conflict where it has an owner.
    pub async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        let call = self.call(context, Operation::Abandon, path);
        call.answer(async {
            call.refuse_root()?;
            let (driver, path, inner) = call.owned();
            change(context, async move { driver.abandon(&inner, &path).await }).await
        })
        .await
    }

    /// Tells what stands at a path. Errors: NotFound.
    pub async fn stat(&self, context: &Context, path: &StoragePath) -> Result<Entry> {
        let call = self.call(context, Operation::Stat, path);
        call.answer(context.run(self.driver.stat(context, path, StatOptions::default()))).await
    }

    /// Lists the direct descendants of a directory, or every file below it, in the order of keys.
    ///
    /// Errors: NotFound for a missing directory or a file. `/` is never missing.
    pub async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<Listing> {
        let call = self.call(context, Operation::List, path);
        let pages = call.answer(context.run(self.driver.list(context, path, options))).await?;
        let (driver, place) = (self.driver.clone(), path.clone());
        Ok(Listing::new(Box::pin(
            UntilEnded::new(context, pages)
                .map_err(move |error| error.in_call(driver.name(), Operation::List, Some(&place))),
        )))
    }

    /// Moves a file, replacing what is at the target. Onto itself it changes nothing and succeeds.
    ///
    /// Errors: NotFound where the source is no file; Conflict where the target is a directory or below a file, where the
    /// driver's namespace is a tree.
    pub async fn move_to(&self, context: &Context, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let call = self.call(context, Operation::Move, from);
        call.answer(async {
            call.refuse_root()?;
            self.call(context, Operation::Move, to).refuse_root()?;
            if from == to {
                context.run(self.driver.stat(context, from, StatOptions::default())).await?.into_file()?;
                return Ok(());
            }
            let (driver, from, inner) = call.owned();
            let to = to.clone();
            change(context, async move { driver.move_to(&inner, &from, &to, MoveOptions::default()).await }).await
        })
        .await
    }

    /// Deletes a file, or a whole subtree with the sessions kept in it.
    ///
    /// Errors: NotFound where nothing was; Conflict for another version than `if_match`; InvalidPath for `/`.
    pub async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        let call = self.call(context, Operation::Delete, path);
        call.answer(async {
            call.refuse_root()?;
            if options.if_match.is_some() && options.scope == DeleteScope::Tree {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "only the delete of a file takes a version to match",
                ));
            }
            call.require(options.if_match.is_none() || self.capabilities.delete_if_match, "delete_if_match")?;
            let (driver, path, inner) = call.owned();
            change(context, async move { driver.delete(&inner, &path, options).await }).await
        })
        .await
    }

    /// Deletes files in batches as large as the backend takes. A path with no file is no failure. Answers with the failures,
    /// each naming its path; an error means that files from some batch on may be left.
    pub async fn delete_files(
        &self,
        context: &Context,
        paths: impl IntoIterator<Item = StoragePath>,
    ) -> Result<Vec<Error>> {
        let mut paths = paths.into_iter();
        let mut failures = Vec::new();
        loop {
            let batch: Vec<_> = paths.by_ref().take(self.capabilities.limits.delete_batch.max(1)).collect();
            let Some(first) = batch.first().cloned() else { return Ok(failures) };
            let call = self.call(context, Operation::DeleteFiles, &first);
            let failed = call
                .answer(async {
                    for path in &batch {
                        self.call(context, Operation::DeleteFiles, path).refuse_root()?;
                    }
                    let (driver, _, inner) = call.owned();
                    change(context, async move { driver.delete_files(&inner, &batch).await }).await
                })
                .await?;
            failures.extend(failed.into_iter().map(|error| error.in_call(self.name(), Operation::DeleteFiles, None)));
        }
    }

    /// Makes a URL with which anybody can read the file until it expires; none where the driver has no such URLs. Whether the
    /// file exists is not looked up.
    ///
    /// Errors: InvalidArgument for a longer lifetime than the backend takes.
    pub async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        let call = self.call(context, Operation::UrlFor, path);
        call.answer(async {
            call.refuse_root()?;
            if !self.capabilities.signed_urls {
                return Ok(None);
            }
            if let Some(limit) = self.capabilities.limits.url_lifetime
                && options.lifetime > limit
            {
                let message = format!("a URL of this driver lives for {} seconds at most", limit.as_secs());
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
            context.run(self.driver.url_for(context, path, options)).await
        })
        .await
    }

    pub(crate) fn call<'a>(
        &'a self,
        context: &'a Context,
        operation: Operation,
        path: &'a StoragePath,
    ) -> CallSite<'a> {
        CallSite { storage: self, context, operation, path }
    }
}

/// Where a call is made: what its span, its refusals and its errors have in common.
pub(crate) struct CallSite<'a> {
    storage: &'a Storage,
    context: &'a Context,
    operation: Operation,
    path: &'a StoragePath,
}

impl CallSite<'_> {
    /// Runs the call within its span, and completes its error.
    pub(crate) async fn answer<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let span = self.span();
        // Entering a span that nobody listens to would cost small calls a tenth of their time.
        let answer = if span.is_disabled() { answer.await } else { answer.instrument(span).await };
        answer.map_err(|error| self.place(error))
    }

    /// Says in `error` where it happened.
    pub(crate) fn place(&self, error: Error) -> Error {
        error.in_call(self.storage.name(), self.operation, Some(self.path))
    }

    fn span(&self) -> Span {
        let request = if self.context.span().is_none() { Span::current() } else { self.context.span().clone() };
        tracing::debug_span!(
            target: "storage",
            parent: &request,
            "storage",
            driver = self.storage.name(),
            operation = self.operation.as_str(),
            path = self.path.as_str(),
        )
    }

    /// What a change takes along when it outlives its caller.
    fn owned(&self) -> (Arc<dyn StorageDriver>, StoragePath, Context) {
        (self.storage.driver.clone(), self.path.clone(), self.context.clone())
    }

    fn refuse_root(&self) -> Result<()> {
        if self.path.is_root() {
            return Err(Error::new(ErrorKind::InvalidPath, "`/` is a directory and never a file"));
        }
        Ok(())
    }

    fn refuse_root_as_missing(&self) -> Result<()> {
        if self.path.is_root() { Err(Error::not_found(self.path)) } else { Ok(()) }
    }

    fn require(&self, declared: bool, capability: &'static str) -> Result<()> {
        if declared { Ok(()) } else { Err(Error::unsupported(capability)) }
    }

    /// Refuses a condition that is not declared; `names` are those of the if-absent and the if-match capability.
    pub(crate) fn require_condition(
        &self,
        condition: &Condition,
        declared: Conditions,
        [if_absent, if_match]: [&'static str; 2],
    ) -> Result<()> {
        match condition {
            Condition::None => Ok(()),
            Condition::IfAbsent => self.require(declared.if_absent, if_absent),
            Condition::IfMatch(_) => self.require(declared.if_match, if_match),
        }
    }
}
