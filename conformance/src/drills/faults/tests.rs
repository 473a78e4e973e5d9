//! Tests of the drill, on layers that do what nobody may rely on.

use std::time::Duration;

use driver_api::layers::{Call, Intercept, Verdict as Answer};
use driver_api::{Context, Error, ErrorKind, Operation, Result};
use driver_inmemory::MemoryDriver;

use super::*;
use crate::check::{Failure, Stop};
use crate::profile::{Budget, Profile};
use crate::target::Target;

/// Repeats what may have been applied, too, and hands out the second answer as that of the call.
#[derive(Debug)]
struct Insists;

impl Intercept for Insists {
    type Pass = ();

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ())> {
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, call: Call<'_>, (): (), _: Duration, error: Option<&Error>) -> Answer {
        match error {
            Some(error) if error.kind() == ErrorKind::Unavailable && call.attempt < 3 => Answer::Repeat,
            _ => Answer::Answer,
        }
    }
}

/// Says of every failure that nothing happened.
#[derive(Debug)]
struct Soothes;

impl Intercept for Soothes {
    type Pass = ();

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ())> {
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, _: Call<'_>, (): (), _: Duration, error: Option<&Error>) -> Answer {
        match error {
            Some(error) if error.kind() == ErrorKind::Unavailable => {
                Answer::Fail(Error::new(ErrorKind::Unavailable, "try again"))
            }
            _ => Answer::Answer,
        }
    }
}

async fn case(seed: u64) -> Case {
    let target = Target::new("memory", || async { MemoryDriver::default() });
    let instance = target.fresh().await.unwrap();
    // On a busy machine the slice of a check would be over before its sequences are.
    let budget = Profile::Quick.budget();
    let budget = Budget { slice: budget.time_limit, ..budget };
    Case::new(target, instance, budget, seed)
}

fn failure(verdict: Verdict) -> Failure {
    let Err(Stop::Failed(failure)) = verdict else { panic!("{verdict:?}") };
    *failure
}

#[tokio::test]
async fn a_lost_answer_that_is_told_as_already_exists_is_caught() {
    let failure = failure(put_if_absent_behind(&case(1).await, |storage| storage.layered(Insists)).await);
    assert_eq!(failure.clauses, ["ERR-8"]);
    assert!(failure.found.contains("already_exists"), "{failure}");
    assert!(failure.evidence.unwrap().contains("call 1 loses its answer"));
}

#[tokio::test]
async fn a_change_that_is_said_to_be_safe_to_repeat_and_happened_is_caught() {
    let publish = Step::Publish { name: Name::A, content: NEW };
    // A put that is made twice would be right.
    for step in [publish, Step::Delete { name: Name::A }] {
        let case = case(1).await;
        let soothed = |storage: &Storage| behind_retry(&storage.layered(Soothes));
        let failure = failure(at_every_call(&case, soothed, &[PUT_OLD], step).await);
        assert!(!failure.clauses.is_empty(), "{failure}");
    }
}

#[tokio::test]
async fn a_sequence_that_fails_is_told_in_few_steps() {
    let seed = fastrand::u64(..);
    let verdict = sequences::explore(&case(seed).await, |storage| storage.layered(Insists)).await;
    let failure = failure(verdict);
    let steps = failure.evidence.as_deref().unwrap().lines().count();
    // The put, the delete, and the moves between: a chain of moves gets no shorter where steps are only left out.
    assert!(steps <= 6, "seed {seed}: {failure}");
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_over_in_time_and_a_right_driver_passes() {
    let case = case(1).await;
    deadlines(&case).await.unwrap();
    unfinished(&case).await.unwrap();
    delete_files(&case).await.unwrap();
}

/// Says of a batch that was lost that there was nothing to delete.
#[derive(Debug)]
struct FindsNothing;

impl Intercept for FindsNothing {
    type Pass = ();

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ())> {
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, call: Call<'_>, (): (), _: Duration, error: Option<&Error>) -> Answer {
        match error {
            Some(error)
                if call.operation == Operation::DeleteFiles && error.retry() == driver_api::Retry::MaybeApplied =>
            {
                Answer::Fail(Error::new(ErrorKind::NotFound, "there was nothing"))
            }
            _ => Answer::Answer,
        }
    }
}

#[tokio::test]
async fn a_lost_batch_of_deletes_that_is_told_as_not_found_is_caught() {
    let put = Step::Put { name: Name::TreeA, content: OLD, if_absent: false };
    let behind = |storage: &Storage| behind_retry(&storage.layered(FindsNothing));
    let failure = failure(at_every_call(&case(1).await, behind, &[put], Step::DeleteFiles).await);
    assert_eq!(failure.clauses, ["ERR-8"], "{failure}");
}
