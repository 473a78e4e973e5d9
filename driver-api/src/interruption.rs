//! What happens to a call whose context ends: reading is dropped, a change is finished out of sight.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_util::future::{BoxFuture, Either, select};
use tokio::runtime::Handle;

use crate::context::Context;
use crate::error::{Error, Result, Retry};

/// How long a change may go on after its caller has gone. What hangs longer than this is dropped where it is, as it would be
/// by the end of the process.
const DETACHED_LIMIT: Duration = Duration::from_secs(60);

/// Makes a change of the store, unless `context` has ended.
pub(crate) async fn change<T: Send + 'static>(
    context: &Context,
    operation: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    context.check()?;
    begin(context, operation).await
}

/// Begins a change of the store, whatever `context` says, and runs it until `context` ends. Dropping it half-way could leave
/// what only the end of the change would have put right, so it is left to a task of its own instead, and the answer says that
/// it may take effect.
pub(crate) async fn begin<T: Send + 'static>(
    context: &Context,
    operation: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    if context.is_unlimited() {
        return operation.await;
    }
    match select(Box::pin(operation), pin!(context.ended())).await {
        Either::Left((answer, _)) => answer,
        Either::Right((ended, operation)) => {
            // Without a runtime nothing could drive it any more, and dropping is all that is left.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(async move {
                    if let Ok(Err(error)) = tokio::time::timeout(DETACHED_LIMIT, operation).await {
                        tracing::debug!(%error, "a change failed after its caller had gone");
                    }
                });
            }
            Err(ended.with_retry(Retry::MaybeApplied))
        }
    }
}

/// A stream that ends with an error as soon as a context does (CTX-4).
pub(crate) struct UntilEnded<S> {
    stream: Option<S>,
    ended: Option<BoxFuture<'static, Error>>,
}

impl<S> UntilEnded<S> {
    pub(crate) fn new(context: &Context, stream: S) -> Self {
        let ended = (!context.is_unlimited()).then(|| {
            let context = context.clone();
            Box::pin(async move { context.ended().await }) as BoxFuture<'static, Error>
        });
        Self { stream: Some(stream), ended }
    }
}

impl<T, S: Stream<Item = Result<T>> + Unpin> Stream for UntilEnded<S> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<T>>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        if let Some(ended) = &mut this.ended
            && let Poll::Ready(error) = ended.as_mut().poll(task)
        {
            (this.stream, this.ended) = (None, None);
            return Poll::Ready(Some(Err(error)));
        }
        let item = Pin::new(stream).poll_next(task);
        // Nothing comes after an error, and what the stream holds is freed with its end.
        if matches!(item, Poll::Ready(None | Some(Err(_)))) {
            (this.stream, this.ended) = (None, None);
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{StreamExt, stream};
    use tokio::sync::Notify;

    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test(start_paused = true)]
    async fn a_change_outlives_the_deadline_of_its_caller() {
        let (proceed, finished) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let context = Context::background().with_timeout(Duration::from_secs(1));
        let error = change(&context, {
            let (proceed, finished) = (proceed.clone(), finished.clone());
            async move {
                proceed.notified().await;
                finished.notify_one();
                Ok(())
            }
        })
        .await
        .unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::DeadlineExceeded, Retry::MaybeApplied));
        proceed.notify_one();
        finished.notified().await;
    }

    #[tokio::test]
    async fn cancelling_ends_a_stream_once_and_frees_it() {
        let held = Arc::new(());
        let (context, token) = Context::background().with_cancellation();
        let source = stream::repeat(held.clone()).map(Ok);
        let mut bound = UntilEnded::new(&context, source);
        assert!(bound.next().await.unwrap().is_ok());
        token.cancel();
        assert_eq!(bound.next().await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(bound.next().await.is_none());
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
