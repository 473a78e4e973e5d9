//! Each request of a call goes wrong in each way, once with the driver as it is and once behind the layer that repeats.

use std::fmt;
use std::time::Duration;

use driver_api::{Error, ErrorKind, Result, Retry, Storage, layers};
use futures_util::{StreamExt, stream};

/// Longer than any of these calls takes with its timeouts.
const TOO_LONG: Duration = Duration::from_secs(120);

/// How many faults are tried at once: those that hang only wait.
const AT_ONCE: usize = 8;

/// A store whose requests can go wrong.
pub(crate) trait Bench: Sized {
    /// A way in which a request goes wrong.
    type Fault: Clone + fmt::Debug;

    /// Where the driver changes its way of working.
    const SIZES: Sizes;

    /// All the ways.
    fn faults() -> Vec<Self::Fault>;

    fn nature(fault: &Self::Fault) -> Nature;

    /// An empty store, and a driver that waits as long as `fault` lets it; pages are small where that can be chosen.
    async fn new(fault: &Self::Fault, small_pages: bool) -> Self;

    /// An empty store once more.
    async fn renewed(self) -> Self;

    /// The driver whose requests go wrong.
    fn storage(&self) -> &Storage;

    /// The same store as another process has it; used when nothing goes wrong.
    fn other_process(&self) -> Storage;

    /// Stores a file by the cheapest way that there is.
    async fn store(&self, file: &str, size: usize);

    /// Lets request number `nth` from now on go wrong, counted from 0.
    fn strike(&self, nth: u64, fault: &Self::Fault);

    /// How many requests came since this was asked last.
    fn requests(&self) -> u64;

    /// Lets nothing go wrong any more.
    fn clear(&self);

    /// Whether the fault is tried behind the layer that repeats, too.
    fn is_repeated(_fault: &Self::Fault) -> bool {
        true
    }

    /// Gives back the room that all the stores take.
    async fn end(self) {}

    /// Looks for what is left behind the driver's back.
    async fn expect_no_residue(&self, fault: &Self::Fault);

    /// Whether a text shows what nobody may see.
    fn shows_a_secret(text: &str) -> bool;
}

/// In bytes, but for `many`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// A file that is stored by one request.
    pub(crate) small: usize,
    /// One that is stored in three parts.
    pub(crate) large: usize,
    /// A session of one part and a byte; a file that is copied in two parts.
    pub(crate) kept: usize,
    /// What is written at a time.
    pub(crate) piece: usize,
    /// How many files are more than go into one delete; or, where each is a request, some.
    pub(crate) many: usize,
}

/// How a fault is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// The request merely takes longer.
    Delay,
    /// The service said that it did nothing.
    Refusal,
    /// Nothing comes: only a timeout ends it.
    Hang,
    /// Nobody knows what was done.
    Loss,
}

/// What a call can do to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: behind the layer that repeats it always succeeds.
    None,
    /// A change: its error may have to say that it may have taken effect.
    Change,
}

/// One request of a call that goes wrong.
pub(crate) struct Round<B: Bench, P> {
    pub(crate) bench: B,
    /// What the preparation answered.
    pub(crate) prepared: P,
    /// What to call: the driver, or the driver behind the layer that repeats.
    pub(crate) storage: Storage,
    pub(crate) fault: B::Fault,
    pub(crate) behind_retries: bool,
}

impl<B: Bench, P> Round<B, P> {
    /// Whether what repeats has no reason to give up.
    pub(crate) fn must_succeed(&self) -> bool {
        self.behind_retries && matches!(B::nature(&self.fault), Nature::Delay | Nature::Refusal)
    }

    pub(crate) async fn expect_no_residue(&self) {
        self.bench.expect_no_residue(&self.fault).await;
    }

    /// What is never right about an error, whatever came over the wire.
    pub(crate) fn check_error(&self, error: &Error) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_ne!(error.retry(), Retry::Never, "{error:?}");
        assert!(!B::shows_a_secret(&format!("{error} {error:?}")), "{error:?}");
    }
}

/// Runs `call` on an empty store again and again, each time with another of its requests going wrong.
pub(crate) async fn drill<B: Bench, P>(
    effect: Effect,
    small_pages: bool,
    prepare: impl AsyncFn(&B) -> P,
    call: impl AsyncFn(&Round<B, P>) -> Result<()>,
    judge: impl AsyncFn(&Round<B, P>, &Result<()>),
) {
    let requests = requests_without_a_fault(small_pages, &prepare, &call).await;
    let ways = B::faults().into_iter().flat_map(|fault| [(fault.clone(), false), (fault, true)]);
    let ways = ways.filter(|(fault, behind_retries)| !behind_retries || B::is_repeated(fault));
    let rounds = stream::iter(ways)
        .map(async |(fault, behind_retries)| {
            let mut bench = B::new(&fault, small_pages).await;
            let mut prepared = prepare(&bench).await;
            for nth in 0..requests {
                let what = format!("request {nth}, {fault:?}, behind retries: {behind_retries}");
                let retry = layers::Retry::new(5, Duration::from_millis(1), Duration::from_millis(5));
                let storage = if behind_retries { bench.storage().layered(retry) } else { bench.storage().clone() };
                bench.requests();
                bench.strike(nth, &fault);
                let round = Round { bench, prepared, storage, fault: fault.clone(), behind_retries };
                let result = tokio::time::timeout(TOO_LONG, call(&round)).await;
                let result = result.unwrap_or_else(|_| panic!("{what}: hangs"));
                let was_struck = round.bench.requests() > nth;
                round.bench.clear();
                println!("{what}: {result:?}");
                if let Err(error) = &result {
                    round.check_error(error);
                    let unsure = error.retry() == Retry::MaybeApplied;
                    assert!(!unsure || effect == Effect::Change, "{what}: {error}");
                    let nature = B::nature(&fault);
                    let must_succeed = !was_struck || (behind_retries && !unsure) || nature == Nature::Delay;
                    // Where the timeouts are short a machine that is busy can miss them; the other faults show that all is
                    // well.
                    assert!(!must_succeed || nature == Nature::Hang, "{what}: {error}");
                }
                judge(&round, &result).await;
                (bench, prepared) = (round.bench, round.prepared);
                if effect == Effect::Change {
                    bench = bench.renewed().await;
                    prepared = prepare(&bench).await;
                }
            }
            bench.end().await;
            requests
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    println!("drilled {} rounds", rounds.into_iter().sum::<u64>());
}

/// How many requests the call makes. Up to the first fault it makes the same, so that these are all that can go wrong first.
async fn requests_without_a_fault<B: Bench, P>(
    small_pages: bool,
    prepare: &impl AsyncFn(&B) -> P,
    call: &impl AsyncFn(&Round<B, P>) -> Result<()>,
) -> u64 {
    let fault = B::faults().remove(0);
    let bench = B::new(&fault, small_pages).await;
    let prepared = prepare(&bench).await;
    let storage = bench.storage().clone();
    bench.requests();
    let round = Round { bench, prepared, storage, fault, behind_retries: false };
    call(&round).await.unwrap();
    let requests = round.bench.requests();
    assert!(requests > 0);
    round.bench.end().await;
    requests
}

/// A test for each line: its name, and what it drills.
macro_rules! drills {
    ($bench:ty: $($name:ident => $drilled:expr;)+) => {$(
        #[tokio::test]
        async fn $name() {
            $drilled.drill::<$bench>().await;
        }
    )+};
}

pub(crate) use drills;
