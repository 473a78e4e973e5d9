//! Where blocking work runs: the runtime's blocking pool, a bounded number of operations at a time.

use std::future::Future;
use std::sync::Arc;

use driver_api::{Error, ErrorKind, Result, Retry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// Runs blocking work. Who finds all places taken waits without holding a thread.
#[derive(Debug, Clone)]
pub(crate) struct BlockingPool {
    places: Arc<Semaphore>,
}

/// Work that has begun; it goes on when this is dropped.
pub(crate) type Running<T> = JoinHandle<Result<T>>;

impl BlockingPool {
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))) }
    }

    /// Runs `work` and gives its answer. If the future is dropped while the work runs, it runs to its end.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        finished(self.begin(work).await?).await
    }

    /// Begins `work` as soon as there is a place for it.
    pub(crate) async fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Running<T>> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| shut_down())?;
        Ok(spawn(place, work))
    }

    /// Begins `work` if there is a place for it now.
    pub(crate) fn begin_now<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Option<Running<T>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(spawn(place, work))
    }
}

fn spawn<T: Send + 'static>(
    place: OwnedSemaphorePermit,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Running<T> {
    tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    })
}

/// Waits for work that has begun; may be dropped and called again.
pub(crate) async fn finished<T>(running: impl Future<Output = Result<Result<T>, tokio::task::JoinError>>) -> Result<T> {
    running.await.unwrap_or_else(|_| Err(shut_down().with_retry(Retry::MaybeApplied)))
}

fn shut_down() -> Error {
    Error::new(ErrorKind::Unavailable, "the runtime that the driver works on is shutting down")
}

/// Runs `work` on the blocking pool if there is one, else here; for what `Drop` has to clean up.
pub(crate) fn run_detached(work: impl FnOnce() + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => work(),
    }
}
