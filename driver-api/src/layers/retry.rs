//! Repeats what failed and is safe to repeat.

mod resumed;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use self::resumed::{Entries, Pieces, Sessions, resumed};
use crate::context::Context;
use crate::driver::{EntryPages, StorageDriver, UnfinishedPages};
use crate::error::{Error, ErrorKind, Result, Retry as RetryClass};
use crate::layers::intercept::{Call, Intercept, Verdict};
use crate::options::{ListOptions, ReadOptions};
use crate::path::StoragePath;
use crate::reader::Reader;

/// A layer that repeats calls whose error says that repeating is [`Safe`](RetryClass::Safe), after a pause that doubles and
/// is spread at random. What may have been applied is never repeated.
///
/// A reader whose stream breaks is opened again where it broke, on the same version (READ-4), if the driver declares
/// `read_if_match` and the file has a version; else the error stands. A listing goes on behind its last entry; one of kept
/// sessions begins again without those which came, whose paths are kept in memory until it ends.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    attempts: u32,
    pause: ExponentialBuilder,
}

impl Retry {
    /// At most `attempts` attempts in all, with pauses between `first_pause` and `longest_pause`.
    pub fn new(attempts: u32, first_pause: Duration, longest_pause: Duration) -> Self {
        let pause = ExponentialBuilder::default()
            .with_min_delay(first_pause)
            .with_max_delay(longest_pause)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Self { attempts: attempts.max(1), pause }
    }

    /// Whether to repeat after attempt number `attempt` failed with `error`; waits the pause.
    async fn again(&self, context: &Context, attempt: u32, error: &Error) -> bool {
        let ended = matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::DeadlineExceeded);
        if error.retry() != RetryClass::Safe || ended || attempt >= self.attempts {
            return false;
        }
        let pause = self.pause.build().nth(attempt as usize - 1).unwrap_or_default();
        tracing::debug!(%error, attempt, ?pause, "will be tried again");
        let slept = async {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        context.run(slept).await.is_ok()
    }
}

impl Default for Retry {
    /// Four attempts, with pauses from 100 ms to 5 s.
    fn default() -> Self {
        Self::new(4, Duration::from_millis(100), Duration::from_secs(5))
    }
}

impl Intercept for Retry {
    type Pass = ();

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ())> {
        Ok((context.clone(), ()))
    }

    async fn after(&self, context: &Context, call: Call<'_>, (): (), _: Duration, error: Option<&Error>) -> Verdict {
        match error {
            Some(error) if self.again(context, call.attempt, error).await => Verdict::Repeat,
            _ => Verdict::Answer,
        }
    }

    fn reader(
        &self,
        inner: &Arc<dyn StorageDriver>,
        context: &Context,
        options: ReadOptions,
        reader: Reader,
    ) -> Reader {
        let Some(version) = reader.info.version.clone().filter(|_| inner.capabilities().read_if_match) else {
            return reader;
        };
        let pieces = Pieces {
            path: reader.info.path.clone(),
            options: options.with_if_match(version),
            next: reader.range.start,
            end: reader.range.end,
        };
        Reader { stream: resumed(*self, context, inner, pieces, reader.stream), ..reader }
    }

    fn entries(
        &self,
        inner: &Arc<dyn StorageDriver>,
        context: &Context,
        path: &StoragePath,
        options: ListOptions,
        pages: EntryPages,
    ) -> EntryPages {
        resumed(*self, context, inner, Entries { path: path.clone(), options, last: None }, pages)
    }

    fn sessions(
        &self,
        inner: &Arc<dyn StorageDriver>,
        context: &Context,
        prefix: &StoragePath,
        pages: UnfinishedPages,
    ) -> UnfinishedPages {
        resumed(*self, context, inner, Sessions { prefix: prefix.clone(), seen: HashSet::new() }, pages)
    }
}
