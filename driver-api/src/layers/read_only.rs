//! Refuses every change.

use std::time::Duration;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::layers::intercept::{Call, Intercept, Verdict};

/// A layer that refuses every change as [`PermissionDenied`](ErrorKind::PermissionDenied), and lets all reading through.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOnly;

impl Intercept for ReadOnly {
    type Pass = ();

    async fn before(&self, context: &Context, call: Call<'_>) -> Result<(Context, ())> {
        if call.operation.changes_the_store() {
            return Err(Error::new(ErrorKind::PermissionDenied, "the storage is set to read-only"));
        }
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, _: Call<'_>, (): (), _: Duration, _: Option<&Error>) -> Verdict {
        Verdict::Answer
    }
}
