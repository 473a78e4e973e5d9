//! Bounds how many calls are under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::layers::intercept::{Call, Intercept, Verdict};

/// A layer that lets at most a given number of calls run at once; the others wait in turn. A call that goes on without its
/// caller keeps its place. Streams and open writers hold none between calls, so that nobody waits for himself.
#[derive(Debug)]
pub struct ConcurrencyLimit(Arc<Semaphore>);

impl ConcurrencyLimit {
    /// At most `calls` calls at once, and one at least.
    pub fn new(calls: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS))))
    }
}

impl Intercept for ConcurrencyLimit {
    type Pass = Arc<OwnedSemaphorePermit>;

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, Self::Pass)> {
        let acquired = async {
            let closed = |_| Error::new(ErrorKind::Unavailable, "the driver is shutting down");
            self.0.clone().acquire_owned().await.map_err(closed)
        };
        Ok((context.clone(), Arc::new(context.run(acquired).await?)))
    }

    async fn after(&self, _: &Context, _: Call<'_>, _: Self::Pass, _: Duration, _: Option<&Error>) -> Verdict {
        Verdict::Answer
    }
}
