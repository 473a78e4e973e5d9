//! The drill of the faults: the driver behind a layer that makes calls fail, and what callers may rely on then. Each call of each
//! operation is refused, loses its answer, is slow, hangs, or is the first of an outage; behind the layers that give each call
//! its time and repeat what is safe to repeat, and without them where a writer goes on.

mod changes;
mod deadlines;
mod reads;
mod sequences;
mod writers;

use std::fmt;
use std::time::Duration;

use driver_api::layers::{Fault, Faults, Retry, Timeout};
use driver_api::{ErrorKind, Operation, Storage};

use self::changes::at_every_call;
use self::reads::{Reading, read_at_every_call};
use super::workload::{Name, Step};
use crate::case::Case;
use crate::check::Verdict;
use crate::payload::Content;

const OLD: Content = Content { write: 1, size: 5000 };
const NEW: Content = Content { write: 2, size: 200_000 };
const KEPT: Content = Content { write: 3, size: 100_000 };

/// The layers around the faults.
type Behind = fn(&Storage) -> Storage;

/// The time that a call has: long for a backend that answers, and soon over where one hangs.
const PATIENCE: Duration = Duration::from_millis(500);

/// The layers that a caller has around a backend that can fail or hang.
fn behind_retry(storage: &Storage) -> Storage {
    let timely = storage.layered(Timeout::new(PATIENCE, PATIENCE));
    timely.layered(Retry::new(3, Duration::from_micros(100), Duration::from_millis(1)))
}

/// What befalls a call, or all calls from one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Injected {
    /// It is not made, and safe to repeat.
    Refused,
    /// It is made, and its answer is lost.
    Lost,
    /// It is made after a pause.
    Slow,
    /// It never answers, and is not made.
    Hangs,
    /// Neither it nor any that follows is made.
    Outage,
}

impl Injected {
    const ALL: [Self; 5] = [Self::Refused, Self::Lost, Self::Slow, Self::Hangs, Self::Outage];
    /// Those that cost next to no time.
    const BRIEF: [Self; 4] = [Self::Refused, Self::Lost, Self::Slow, Self::Outage];

    /// The layer in which this befalls call `number`.
    fn at(self, number: u64) -> Faults {
        match self {
            Self::Refused => Faults::at(number, Fault::Before(ErrorKind::Unavailable)),
            Self::Lost => Faults::at(number, Fault::After(ErrorKind::Unavailable)),
            Self::Slow => Faults::at(number, Fault::Delay(Duration::from_millis(2))),
            Self::Hangs => hanging(number),
            Self::Outage => Faults::from(number, Fault::Before(ErrorKind::Unavailable)),
        }
    }
}

/// Call `number` never answers, but where it is one of a writer: that keeps the writer for good, and with it the session.
fn hanging(number: u64) -> Faults {
    Faults::new(move |point| match point.operation {
        Operation::Write | Operation::Close | Operation::Commit | Operation::Cancel => Fault::None,
        _ if point.number == number => Fault::Hang,
        _ => Fault::None,
    })
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "is refused",
            Self::Lost => "loses its answer",
            Self::Slow => "is slow",
            Self::Hangs => "hangs",
            Self::Outage => "and all that follow are refused",
        })
    }
}

const PUT_OLD: Step = Step::Put { name: Name::A, content: OLD, if_absent: false };

pub(crate) async fn put(case: &Case) -> Verdict {
    let put = Step::Put { name: Name::A, content: NEW, if_absent: false };
    at_every_call(case, behind_retry, &[], put).await?;
    at_every_call(case, behind_retry, &[PUT_OLD], put).await
}

pub(crate) async fn put_if_absent(case: &Case) -> Verdict {
    put_if_absent_behind(case, behind_retry).await
}

async fn put_if_absent_behind(case: &Case, behind: Behind) -> Verdict {
    let put = Step::Put { name: Name::A, content: NEW, if_absent: true };
    at_every_call(case, behind, &[], put).await?;
    at_every_call(case, behind, &[PUT_OLD], put).await
}

pub(crate) async fn get(case: &Case) -> Verdict {
    read_at_every_call(case, Reading::Get).await
}

pub(crate) async fn reader(case: &Case) -> Verdict {
    read_at_every_call(case, Reading::Reader).await
}

pub(crate) async fn stat(case: &Case) -> Verdict {
    read_at_every_call(case, Reading::Stat).await
}

pub(crate) async fn list(case: &Case) -> Verdict {
    read_at_every_call(case, Reading::List).await
}

pub(crate) async fn unfinished(case: &Case) -> Verdict {
    read_at_every_call(case, Reading::Unfinished).await
}

pub(crate) async fn writer(case: &Case) -> Verdict {
    let publish = Step::Publish { name: Name::A, content: NEW };
    at_every_call(case, behind_retry, &[], publish).await?;
    at_every_call(case, behind_retry, &[PUT_OLD], publish).await
}

pub(crate) async fn append(case: &Case) -> Verdict {
    let (name, content) = (Name::SessionA, Content { size: 250_000, ..KEPT });
    let keep = Step::Keep { name, content: KEPT };
    at_every_call(case, behind_retry, &[], keep).await?;
    at_every_call(case, behind_retry, &[keep], Step::Extend { name, from: KEPT.size, content }).await?;
    at_every_call(case, behind_retry, &[keep], Step::Finish { name, content: KEPT }).await
}

pub(crate) async fn half_way_through_a_writer(case: &Case) -> Verdict {
    writers::going_on(case).await
}

pub(crate) async fn cancel(case: &Case) -> Verdict {
    writers::cancelled(case).await
}

pub(crate) async fn moves(case: &Case) -> Verdict {
    let step = Step::Move { from: Name::A, to: Name::DeepA };
    at_every_call(case, behind_retry, &[PUT_OLD], step).await?;
    let target = Step::Put { name: Name::DeepA, content: NEW, if_absent: false };
    at_every_call(case, behind_retry, &[PUT_OLD, target], step).await
}

pub(crate) async fn delete(case: &Case) -> Verdict {
    at_every_call(case, behind_retry, &[PUT_OLD], Step::Delete { name: Name::A }).await
}

pub(crate) async fn delete_tree(case: &Case) -> Verdict {
    let put = |name| Step::Put { name, content: OLD, if_absent: false };
    at_every_call(case, behind_retry, &[put(Name::TreeA), put(Name::TreeB)], Step::DeleteTree).await
}

pub(crate) async fn delete_files(case: &Case) -> Verdict {
    let put = |name| Step::Put { name, content: OLD, if_absent: false };
    at_every_call(case, behind_retry, &[put(Name::TreeA), put(Name::TreeB)], Step::DeleteFiles).await?;
    at_every_call(case, behind_retry, &[put(Name::TreeB)], Step::DeleteFiles).await
}

pub(crate) async fn deadlines(case: &Case) -> Verdict {
    deadlines::at_every_hanging_call(case).await
}

pub(crate) async fn sequences(case: &Case) -> Verdict {
    sequences::explore(case, behind_retry).await
}

#[cfg(test)]
mod tests;
