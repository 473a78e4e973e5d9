//! Writes every call to the log.

use std::time::Duration;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::layers::intercept::{Call, Intercept, Verdict};

/// A layer that writes an event for every call that ends: at level debug, or warn where it failed for a reason that an
/// operator should know. What is merely not there, or already there, is an answer and no such reason.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trace;

impl Intercept for Trace {
    type Pass = ();

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ())> {
        Ok((context.clone(), ()))
    }

    async fn after(
        &self,
        context: &Context,
        call: Call<'_>,
        (): (),
        elapsed: Duration,
        error: Option<&Error>,
    ) -> Verdict {
        let Call { operation, path, driver, attempt } = call;
        let _request = context.span().enter();
        match error {
            None => tracing::debug!(target: "storage", driver, %operation, %path, attempt, ?elapsed, "done"),
            Some(error) if is_answer(error.kind()) => {
                tracing::debug!(target: "storage", driver, %operation, %path, attempt, ?elapsed, %error, "refused");
            }
            Some(error) => {
                tracing::warn!(target: "storage", driver, %operation, %path, attempt, ?elapsed, %error, "failed");
            }
        }
        Verdict::Answer
    }
}

const fn is_answer(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(kind, NotFound | AlreadyExists | Conflict | InvalidPath | InvalidRange | InvalidArgument | Cancelled)
}
