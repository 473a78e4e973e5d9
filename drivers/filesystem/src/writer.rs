//! The driver's [`FileWriter`]: chunks are written behind the caller's back, one at a time.

use std::sync::Arc;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Context, Error, ErrorKind, FileInfo, FileWriter, Result, StoragePath, WriteMode, async_trait,
};

use crate::pool::{BlockingPool, Running, finished, run_detached};
use crate::session::Session;
use crate::store::Store;
use crate::system_calls::SystemCalls;

/// A writer. While the caller makes the next chunk, the last one is on its way to the file.
#[derive(Debug)]
pub(crate) struct Writer<S: SystemCalls> {
    pool: BlockingPool,
    session: Option<Arc<Session<S>>>,
    /// The bytes that are in the file.
    written: u64,
    /// The chunk on its way, and how many bytes there are once it has arrived.
    under_way: Option<(Running<()>, u64)>,
    /// The kind of the write error since which only closing and cancelling make sense.
    failed: Option<ErrorKind>,
}

impl<S: SystemCalls> Writer<S> {
    pub(crate) async fn open(
        store: &Arc<Store<S>>,
        context: Context,
        path: StoragePath,
        mode: WriteMode,
    ) -> Result<Self> {
        let shared = Arc::clone(store);
        let (session, written) = store.pool.run(move || Session::open(&shared, &context, &path, &mode)).await?;
        Ok(Self { pool: store.pool.clone(), session: Some(Arc::new(session)), written, under_way: None, failed: None })
    }

    fn session(&self) -> Result<Arc<Session<S>>> {
        self.session.clone().ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the writer has ended"))
    }

    /// Waits until no chunk is on its way.
    async fn settle(&mut self) -> Result<()> {
        if let Some((running, end)) = &mut self.under_way {
            let answer = finished(running).await;
            let end = *end;
            self.under_way = None;
            match answer {
                Ok(()) => self.written = end,
                Err(error) => {
                    self.failed = Some(error.kind());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn refuse_after_failure(&self) -> Result<()> {
        match self.failed {
            None => Ok(()),
            Some(kind) => Err(Error::new(
                kind,
                format!("an earlier write failed; close to keep the first {} bytes, or cancel", self.written),
            )),
        }
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Session<S>) -> Result<T> + Send + 'static) -> Result<T> {
        let session = self.session()?;
        self.pool.run(move || work(&session)).await
    }
}

#[async_trait]
impl<S: SystemCalls> FileWriter for Writer<S> {
    fn size(&self) -> u64 {
        self.under_way.as_ref().map_or(self.written, |(_, end)| *end)
    }

    async fn write(&mut self, _context: &Context, chunk: Bytes) -> Result<()> {
        self.refuse_after_failure()?;
        self.settle().await?;
        let session = self.session()?;
        let end = self.written + chunk.len() as u64;
        let running = self.pool.begin(move || session.write(&chunk)).await?;
        self.under_way = Some((running, end));
        Ok(())
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        self.settle().await?;
        let context = context.clone();
        self.run(move |session| session.close(&context)).await
    }

    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        self.refuse_after_failure()?;
        self.settle().await?;
        let context = context.clone();
        self.run(move |session| session.commit(&context, &options)).await
    }

    async fn cancel(&mut self, _context: &Context) -> Result<()> {
        // What became of the last chunk does not matter any more.
        let _ = self.settle().await;
        self.run(Session::cancel).await
    }
}

impl<S: SystemCalls> Drop for Writer<S> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.depart();
            run_detached(move || drop(session));
        }
    }
}
