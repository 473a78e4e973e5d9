//! Counts and times every call for the `metrics` facade.

use std::time::Duration;

use metrics::{counter, histogram};

use crate::context::Context;
use crate::error::{Error, Operation, Result};
use crate::layers::intercept::{Call, Intercept, Verdict};

/// A layer that records every call with whatever recorder the program has installed:
///
/// | metric | kind | labels |
/// | --- | --- | --- |
/// | `storage_calls_total` | counter | `driver`, `operation`, `result` (`ok` or the error's kind) |
/// | `storage_call_seconds` | histogram | `driver`, `operation` |
/// | `storage_bytes_total` | counter | `driver`, `direction` (`read` or `written`) |
#[derive(Debug, Clone, Copy, Default)]
pub struct Metrics;

impl Intercept for Metrics {
    type Pass = ();

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ())> {
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, call: Call<'_>, (): (), elapsed: Duration, error: Option<&Error>) -> Verdict {
        let (driver, operation) = (call.driver.to_owned(), call.operation.as_str());
        let result = error.map_or("ok", |error| error.kind().as_str());
        counter!("storage_calls_total", "driver" => driver.clone(), "operation" => operation, "result" => result)
            .increment(1);
        histogram!("storage_call_seconds", "driver" => driver, "operation" => operation).record(elapsed);
        Verdict::Answer
    }

    fn transferred(&self, call: Call<'_>, bytes: u64) {
        let direction = match call.operation {
            Operation::Get | Operation::Read => "read",
            _ => "written",
        };
        counter!("storage_bytes_total", "driver" => call.driver.to_owned(), "direction" => direction).increment(bytes);
    }
}
