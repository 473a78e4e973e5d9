//! The base of every mutant: a right driver, and a mutation that may stand in for any of its calls.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use conformance::Instance;
use driver_api::{
    Capabilities, CommitOptions, Context, DeleteOptions, Entry, EntryPages, Error, FileInfo, FileWriter, GetOptions,
    ListOptions, MoveOptions, Payload, PutOptions, ReadOptions, Reader, Result, StatOptions, StorageDriver,
    StoragePath, UnfinishedPages, Url, UrlOptions, WriteMode, WriteOptions, async_trait,
};

use crate::base::Base;

/// The right driver below a mutation.
pub(crate) type Inner = Arc<dyn StorageDriver>;

/// A call on its way to the right driver; `forward` brings it there.
pub(crate) struct Call<'a, O> {
    pub(crate) inner: &'a Inner,
    pub(crate) context: &'a Context,
    pub(crate) path: &'a StoragePath,
    pub(crate) options: O,
}

impl Call<'_, GetOptions> {
    pub(crate) async fn forward(self) -> Result<(FileInfo, Bytes)> {
        self.inner.get(self.context, self.path, self.options).await
    }
}

impl Call<'_, PutOptions> {
    pub(crate) async fn forward(self, payload: Payload) -> Result<FileInfo> {
        self.inner.put(self.context, self.path, payload, self.options).await
    }
}

impl Call<'_, ReadOptions> {
    pub(crate) async fn forward(self) -> Result<Reader> {
        self.inner.reader(self.context, self.path, self.options).await
    }
}

impl Call<'_, WriteOptions> {
    pub(crate) async fn forward(self) -> Result<Box<dyn FileWriter>> {
        self.inner.writer(self.context, self.path, self.options).await
    }
}

impl Call<'_, StatOptions> {
    pub(crate) async fn forward(self) -> Result<Entry> {
        self.inner.stat(self.context, self.path, self.options).await
    }
}

impl Call<'_, ListOptions> {
    pub(crate) async fn forward(self) -> Result<EntryPages> {
        self.inner.list(self.context, self.path, self.options).await
    }
}

impl Call<'_, MoveOptions> {
    pub(crate) async fn forward(self, to: &StoragePath) -> Result<()> {
        self.inner.move_to(self.context, self.path, to, self.options).await
    }
}

impl Call<'_, DeleteOptions> {
    pub(crate) async fn forward(self) -> Result<()> {
        self.inner.delete(self.context, self.path, self.options).await
    }
}

/// A writer of the right driver, and what a mutation needs to know of it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) writer: Box<dyn FileWriter>,
    pub(crate) inner: Inner,
    pub(crate) path: StoragePath,
    pub(crate) opened_with: Context,
    /// The size it was resumed at; none in mode Truncate.
    pub(crate) resumed_at: Option<u64>,
    /// The size that it was said to come to.
    pub(crate) size_hint: Option<u64>,
    /// How many chunks came.
    pub(crate) chunks: u64,
    /// Bytes that the mutation took and did not pass on.
    pub(crate) swallowed: u64,
}

/// What is broken. Every method stands for the call of the same name and, unless a mutant says otherwise, does what is right.
#[async_trait]
pub(crate) trait Mutation: Debug + Default + Send + Sync + 'static {
    /// The mutation of a driver value that opens the store a second time.
    fn opened_again() -> Self {
        Self::default()
    }

    /// The instance with the hooks that the defect needs.
    fn equip(self: Arc<Self>, instance: Instance) -> Instance {
        instance
    }

    fn capabilities(&self, inner: &Inner) -> Capabilities {
        inner.capabilities()
    }

    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        call.forward().await
    }

    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        call.forward(payload).await
    }

    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        call.forward().await
    }

    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        call.forward().await
    }

    async fn unfinished(&self, call: Call<'_, ()>) -> Result<UnfinishedPages> {
        call.inner.unfinished(call.context, call.path).await
    }

    async fn abandon(&self, call: Call<'_, ()>) -> Result<()> {
        call.inner.abandon(call.context, call.path).await
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        call.forward().await
    }

    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        call.forward().await
    }

    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        call.forward(to).await
    }

    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        call.forward().await
    }

    async fn delete_files(&self, inner: &Inner, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        inner.delete_files(context, paths).await
    }

    async fn url_for(&self, call: Call<'_, UrlOptions>) -> Result<Option<Url>> {
        call.inner.url_for(call.context, call.path, call.options).await
    }

    fn size(&self, session: &Session) -> u64 {
        session.writer.size() + session.swallowed
    }

    async fn write(&self, session: &mut Session, context: &Context, chunk: Bytes) -> Result<()> {
        session.writer.write(context, chunk).await
    }

    async fn close(&self, session: &mut Session, context: &Context) -> Result<u64> {
        session.writer.close(context).await.map(|kept| kept + session.swallowed)
    }

    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        session.writer.commit(context, options).await
    }

    async fn cancel(&self, session: &mut Session, context: &Context) -> Result<()> {
        session.writer.cancel(context).await
    }
}

/// The right driver with a mutation.
#[derive(Debug)]
pub(crate) struct Broken<M> {
    inner: Inner,
    mutation: Arc<M>,
}

impl<M: Mutation> Broken<M> {
    pub(crate) fn over(inner: Inner) -> Self {
        Self { inner, mutation: Arc::new(M::default()) }
    }

    /// An instance over an empty store, which can be opened again where the base can.
    pub(crate) fn instance(base: Base) -> Instance {
        let driver = Self::over(base.driver());
        let (inner, mutation) = (driver.inner.clone(), driver.mutation.clone());
        let instance = mutation.equip(Instance::new(driver));
        if base != Base::Shared {
            return instance;
        }
        instance.with_reopen(move || Self { inner: inner.clone(), mutation: Arc::new(M::opened_again()) })
    }

    fn call<'a, O>(&'a self, context: &'a Context, path: &'a StoragePath, options: O) -> Call<'a, O> {
        Call { inner: &self.inner, context, path, options }
    }
}

#[async_trait]
impl<M: Mutation> StorageDriver for Broken<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.mutation.capabilities(&self.inner)
    }

    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        self.mutation.get(self.call(context, path, options)).await
    }

    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo> {
        self.mutation.put(self.call(context, path, options), payload).await
    }

    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        self.mutation.reader(self.call(context, path, options)).await
    }

    async fn writer(
        &self,
        context: &Context,
        path: &StoragePath,
        options: WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        let (appends, size_hint) = (options.mode != WriteMode::Truncate, options.size_hint);
        let writer = self.mutation.writer(self.call(context, path, options)).await?;
        let session = Session {
            resumed_at: appends.then(|| writer.size()),
            writer,
            inner: self.inner.clone(),
            path: path.clone(),
            opened_with: context.clone(),
            size_hint,
            chunks: 0,
            swallowed: 0,
        };
        Ok(Box::new(BrokenWriter { session, mutation: self.mutation.clone() }))
    }

    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages> {
        self.mutation.unfinished(self.call(context, prefix, ())).await
    }

    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()> {
        self.mutation.abandon(self.call(context, path, ())).await
    }

    async fn stat(&self, context: &Context, path: &StoragePath, options: StatOptions) -> Result<Entry> {
        self.mutation.stat(self.call(context, path, options)).await
    }

    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages> {
        self.mutation.list(self.call(context, path, options)).await
    }

    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        options: MoveOptions,
    ) -> Result<()> {
        self.mutation.move_to(self.call(context, from, options), to).await
    }

    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()> {
        self.mutation.delete(self.call(context, path, options)).await
    }

    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        self.mutation.delete_files(&self.inner, context, paths).await
    }

    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>> {
        self.mutation.url_for(self.call(context, path, options)).await
    }
}

#[derive(Debug)]
struct BrokenWriter<M> {
    session: Session,
    mutation: Arc<M>,
}

#[async_trait]
impl<M: Mutation> FileWriter for BrokenWriter<M> {
    fn size(&self) -> u64 {
        self.mutation.size(&self.session)
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        self.session.chunks += 1;
        self.mutation.write(&mut self.session, context, chunk).await
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        self.mutation.close(&mut self.session, context).await
    }

    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        self.mutation.commit(&mut self.session, context, options).await
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        self.mutation.cancel(&mut self.session, context).await
    }
}
