//! Changes with a deadline over a backend that hangs: on time, and the store as the answer says.

use std::time::Duration;

use driver_api::{Context, Error, ErrorKind, Retry};
use tokio::time::Instant;

use super::changes::fresh_directory;
use super::{NEW, OLD, PUT_OLD, hanging};
use crate::case::Case;
use crate::check::{Failure, Verdict, describe};
use crate::drills::workload::{Expectation, Name, Step, World, look, perform, perform_within};

/// The time that the caller has.
const TIME: Duration = Duration::from_millis(300);
/// How much later the answer may come, the lateness of timers on a busy machine included.
const LATENESS: Duration = Duration::from_secs(2);

const PUT_TREE: Step = Step::Put { name: Name::TreeA, content: OLD, if_absent: false };

/// Each change, behind the changes that make it possible.
const CHANGES: [(&[Step], Step); 7] = [
    (&[PUT_OLD], Step::Put { name: Name::A, content: NEW, if_absent: false }),
    (&[PUT_OLD], Step::Publish { name: Name::A, content: NEW }),
    (&[], Step::Keep { name: Name::SessionA, content: NEW }),
    (&[PUT_OLD], Step::Move { from: Name::A, to: Name::DeepA }),
    (&[PUT_OLD], Step::Delete { name: Name::A }),
    (&[PUT_TREE], Step::DeleteTree),
    (&[PUT_TREE], Step::DeleteFiles),
];

/// Makes each change with each call that it comes to hanging, and once with none.
pub(super) async fn at_every_hanging_call(case: &Case) -> Verdict {
    for (before, step) in CHANGES {
        for number in 1.. {
            let (directory, mut world) = (fresh_directory(), World::default());
            for earlier in before {
                perform(case.storage(), &directory, earlier).await?;
                world = world.after(earlier);
            }
            let faults = hanging(number);
            let storage = case.storage().layered(faults.clone());
            let (context, begun) = (Context::background().with_timeout(TIME), Instant::now());
            let answer = perform_within(&context, &storage, &directory, &step).await;
            let told = |failure: Failure| {
                failure.with_evidence(format!("{step} in {directory} within {TIME:?}, of which call {number} hangs"))
            };
            let expectation = judge(world, step, answer.err(), begun.elapsed()).map_err(told)?;
            let found = look(case.storage(), &directory, true).await?;
            expectation.judge(&found, "CTX-3").map_err(told)?;
            if faults.calls() < number {
                break;
            }
        }
    }
    Ok(())
}

/// What the answer lets one expect of the store.
fn judge(world: World, step: Step, error: Option<Error>, elapsed: Duration) -> Result<Expectation, Failure> {
    if elapsed > TIME + LATENESS {
        return Err(Failure::new("CTX-2", format_args!("an answer within {TIME:?}"), format_args!("{elapsed:?}")));
    }
    let Some(error) = error else { return Ok(Expectation::settled(world.after(&step))) };
    if error.kind() != ErrorKind::DeadlineExceeded {
        return Err(Failure::new("CTX-2", "success, or deadline_exceeded", describe(&error)));
    }
    Ok(match error.retry() {
        Retry::MaybeApplied => Expectation::during(world, step),
        Retry::Safe | Retry::Never => Expectation::settled(world),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELETE: Step = Step::Delete { name: Name::A };

    fn failure(error: Option<Error>, elapsed: Duration) -> Failure {
        judge(World::default().after(&PUT_OLD), DELETE, error, elapsed).unwrap_err()
    }

    #[test]
    fn an_answer_that_is_late_or_of_another_kind_is_caught() {
        assert_eq!(failure(None, TIME + LATENESS * 2).clauses, ["CTX-2"]);
        assert_eq!(failure(Some(Error::new(ErrorKind::Unavailable, "busy")), TIME).clauses, ["CTX-2"]);
    }

    #[tokio::test]
    async fn a_change_that_is_said_not_to_have_happened_has_not() {
        let world = World::default().after(&PUT_OLD);
        let storage = driver_api::Storage::new(driver_inmemory::MemoryDriver::default());
        let found = look(&storage, &fresh_directory(), true).await.unwrap();
        for (retry, is_right) in [(Retry::Safe, false), (Retry::MaybeApplied, true)] {
            let error = Error::new(ErrorKind::DeadlineExceeded, "too late").with_retry(retry);
            let expectation = judge(world, DELETE, Some(error), TIME).unwrap();
            assert_eq!(expectation.judge(&found, "CTX-3").is_ok(), is_right, "{retry:?}");
        }
    }
}
