//! Gives every call a time of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::unfold;

use crate::context::Context;
use crate::driver::StorageDriver;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::layers::intercept::{Call, Intercept, Verdict};
use crate::options::ReadOptions;
use crate::reader::Reader;

/// A layer that gives every call, and every piece of a stream, at most a given time. What takes longer is
/// [`Unavailable`](ErrorKind::Unavailable): safe to repeat where it only read, else maybe applied.
#[derive(Debug, Clone, Copy)]
pub struct Timeout {
    call: Duration,
    piece: Duration,
}

impl Timeout {
    /// At most `call` for a call, and `piece` for the next piece of a reader's stream.
    pub const fn new(call: Duration, piece: Duration) -> Self {
        Self { call, piece }
    }
}

fn no_answer(limit: Duration, retry: Retry) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the backend gave no answer within {limit:?}")).with_retry(retry)
}

impl Intercept for Timeout {
    type Pass = ();

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ())> {
        Ok((context.with_timeout(self.call), ()))
    }

    async fn after(&self, context: &Context, call: Call<'_>, (): (), _: Duration, error: Option<&Error>) -> Verdict {
        match error {
            // The caller's own deadline is the caller's affair.
            Some(error) if error.kind() == ErrorKind::DeadlineExceeded && context.check().is_ok() => {
                let retry = if call.operation.changes_the_store() { Retry::MaybeApplied } else { Retry::Safe };
                Verdict::Fail(no_answer(self.call, retry))
            }
            _ => Verdict::Answer,
        }
    }

    fn reader(&self, _: &Arc<dyn StorageDriver>, _: &Context, _: ReadOptions, reader: Reader) -> Reader {
        let limit = self.piece;
        let pieces = unfold(Some(reader.stream), move |state| async move {
            let mut stream = state?;
            match tokio::time::timeout(limit, stream.next()).await {
                Ok(piece) => piece.map(|piece| (piece, Some(stream))),
                Err(_) => Some((Err(no_answer(limit, Retry::Safe)), None)),
            }
        });
        Reader { stream: Box::pin(pieces), ..reader }
    }
}
