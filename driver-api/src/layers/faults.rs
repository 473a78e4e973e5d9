//! Makes calls fail on purpose, for drills.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Operation, Result, Retry};
use crate::layers::intercept::{Call, Intercept, Verdict};
use crate::path::StoragePath;

/// A moment at which a call can fail: it is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct FaultPoint<'a> {
    /// The first call through the layer is 1. The pieces of streams count as calls, too.
    pub number: u64,
    /// What is called.
    pub operation: Operation,
    /// The path it is about.
    pub path: &'a StoragePath,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is made.
    None,
    /// It fails with this kind and is not made. Safe to repeat.
    Before(ErrorKind),
    /// It is made, but its answer is lost: it fails with this kind, and may have been applied. The pieces of streams have
    /// no such effect and fail as with `Before`.
    After(ErrorKind),
    /// It is made after a pause.
    Delay(Duration),
    /// It never answers and is not made. A piece of a stream fails as Unavailable instead.
    Hang,
}

type Plan = dyn Fn(FaultPoint<'_>) -> Fault + Send + Sync;

/// A layer that makes calls fail as a plan says.
///
/// ```
/// use driver_api::{ErrorKind, Operation, layers::{Fault, Faults}};
/// let third_put_loses_its_answer = Faults::new(|point| match point.operation {
///     Operation::Put if point.number == 3 => Fault::After(ErrorKind::Unavailable),
///     _ => Fault::None,
/// });
/// ```
#[derive(Clone)]
pub struct Faults {
    plan: Arc<Plan>,
    calls: Arc<AtomicU64>,
}

impl Faults {
    /// Asks `plan` about every call.
    pub fn new(plan: impl Fn(FaultPoint<'_>) -> Fault + Send + Sync + 'static) -> Self {
        Self { plan: Arc::new(plan), calls: Arc::default() }
    }

    /// `fault` at call number `number` alone, counted from 1. With a number that grows until no call fails any more, a
    /// drill meets every call of an operation.
    pub fn at(number: u64, fault: Fault) -> Self {
        Self::new(move |point| if point.number == number { fault } else { Fault::None })
    }

    /// `fault` at call number `number` and at all that follow: what comes after a crash.
    pub fn from(number: u64, fault: Fault) -> Self {
        Self::new(move |point| if point.number >= number { fault } else { Fault::None })
    }

    /// How many calls came through so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn next(&self, call: Call<'_>) -> Fault {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        (self.plan)(FaultPoint { number, operation: call.operation, path: call.path })
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("calls", &self.calls).finish_non_exhaustive()
    }
}

fn injected(kind: ErrorKind, retry: Retry) -> Error {
    Error::new(kind, "a fault was injected").with_retry(retry)
}

impl Intercept for Faults {
    /// The kind with which the call's answer gets lost.
    type Pass = Option<ErrorKind>;

    async fn before(&self, context: &Context, call: Call<'_>) -> Result<(Context, Self::Pass)> {
        let lost = match self.next(call) {
            Fault::None => None,
            Fault::Before(kind) => return Err(injected(kind, Retry::Safe)),
            Fault::After(kind) => Some(kind),
            Fault::Delay(pause) => {
                tokio::time::sleep(pause).await;
                None
            }
            Fault::Hang => std::future::pending().await,
        };
        Ok((context.clone(), lost))
    }

    async fn after(&self, _: &Context, call: Call<'_>, lost: Self::Pass, _: Duration, _: Option<&Error>) -> Verdict {
        let retry = if call.operation.changes_the_store() { Retry::MaybeApplied } else { Retry::Safe };
        lost.map_or(Verdict::Answer, |kind| Verdict::Fail(injected(kind, retry)))
    }

    fn item(&self, call: Call<'_>) -> Result<()> {
        match self.next(call) {
            Fault::None | Fault::Delay(_) => Ok(()),
            Fault::Before(kind) | Fault::After(kind) => Err(injected(kind, Retry::Safe)),
            Fault::Hang => Err(injected(ErrorKind::Unavailable, Retry::Safe)),
        }
    }
}
