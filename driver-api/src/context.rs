//! What a call brings along: cancellation, a deadline, and the span of the request it serves.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::error::{Error, ErrorKind, Result, Retry};

/// Cancellation, deadline and tracing span of a request; cheap to clone.
///
/// ```
/// # use std::time::Duration;
/// # use driver_api::{Context, ErrorKind};
/// let request = Context::background().with_timeout(Duration::from_secs(30));
/// let (upload, cancel) = request.with_cancellation();
/// cancel.cancel();
/// assert_eq!(upload.check().unwrap_err().kind(), ErrorKind::Cancelled);
/// assert!(request.check().is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    cancellation: Option<CancellationToken>,
    deadline: Option<Instant>,
    span: Span,
}

impl Context {
    /// A context that nothing ends: no cancellation, no deadline, no span.
    pub const fn background() -> Self {
        Self { cancellation: None, deadline: None, span: Span::none() }
    }

    /// The same context, ended also by the token that comes with it. Cancelling this context does not cancel the one it was
    /// made from.
    #[must_use]
    pub fn with_cancellation(&self) -> (Self, CancellationToken) {
        let token = self.cancellation.as_ref().map_or_else(CancellationToken::new, CancellationToken::child_token);
        (Self { cancellation: Some(token.clone()), ..self.clone() }, token)
    }

    /// The same context, ended at `deadline` if it was not to end earlier.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        let deadline = self.deadline.map_or(deadline, |earlier| earlier.min(deadline));
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The same context, ended `timeout` from now if it was not to end earlier.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.with_deadline(deadline),
            None => self.clone(),
        }
    }

    /// The same context, within `span`.
    #[must_use]
    pub fn with_span(&self, span: Span) -> Self {
        Self { span, ..self.clone() }
    }

    /// The same deadline and span without the cancellation: for what must be cleaned up after the caller has gone.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { cancellation: None, deadline: None, span: self.span.clone() }
    }

    /// The span of the request.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// When the context ends by itself.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether nothing can end this context.
    pub fn is_unlimited(&self) -> bool {
        self.cancellation.is_none() && self.deadline.is_none()
    }

    /// [`Cancelled`](ErrorKind::Cancelled) or [`DeadlineExceeded`](ErrorKind::DeadlineExceeded) once the context has ended.
    ///
    /// A driver asks this at its last point of return, just before it publishes.
    pub fn check(&self) -> Result<()> {
        if self.cancellation.as_ref().is_some_and(CancellationToken::is_cancelled) {
            return Err(cancelled());
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(deadline_exceeded());
        }
        Ok(())
    }

    /// Waits until the context ends, and says how; for ever where nothing can end it.
    pub async fn ended(&self) -> Error {
        let cancelled_by_token = async {
            match &self.cancellation {
                Some(token) => token.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let deadline_passed = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        match select(pin!(cancelled_by_token), pin!(deadline_passed)).await {
            Either::Left(_) => cancelled(),
            Either::Right(_) => deadline_exceeded(),
        }
    }

    /// Runs `operation` until the context ends; then drops it. For what can be dropped at any point without harm, such as
    /// reading. An operation that has its answer in the moment the context ends still gives it.
    pub async fn run<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        self.check()?;
        if self.is_unlimited() {
            return operation.await;
        }
        match select(pin!(operation), pin!(self.ended())).await {
            Either::Left((answer, _)) => answer,
            Either::Right((ended, _)) => Err(ended),
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::background()
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the caller cancelled the call").with_retry(Retry::Safe)
}

fn deadline_exceeded() -> Error {
    Error::new(ErrorKind::DeadlineExceeded, "the caller's deadline has passed").with_retry(Retry::Safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_ends_a_hanging_operation_on_time() {
        let context = Context::background().with_timeout(Duration::from_secs(5));
        let begun = Instant::now();
        let error = context.run(std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (ErrorKind::DeadlineExceeded, Duration::from_secs(5)));
    }

    #[tokio::test]
    async fn an_ended_context_does_not_begin_the_operation() {
        let (context, token) = Context::background().with_cancellation();
        token.cancel();
        let mut begun = false;
        let error = context
            .run(async {
                begun = true;
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!((error.kind(), begun), (ErrorKind::Cancelled, false));
    }

    #[test]
    fn a_later_deadline_does_not_extend_an_earlier_one() {
        let early = Context::background().with_timeout(Duration::from_secs(1));
        assert_eq!(early.with_timeout(Duration::from_secs(9)).deadline(), early.deadline());
    }

    #[test]
    fn cancelling_a_request_cancels_what_was_derived_from_it() {
        let (request, token) = Context::background().with_cancellation();
        let (part, _) = request.with_cancellation();
        token.cancel();
        assert!(part.check().is_err() && request.detached().check().is_ok());
    }
}
