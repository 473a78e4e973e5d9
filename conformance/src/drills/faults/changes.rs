//! A change with a fault at each of its calls: its answer, and what the store holds then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use driver_api::layers::Faults;
use driver_api::{CommitOptions, Context, Error, ErrorKind, Retry, Storage, StoragePath, WriteOptions};
use tokio::time::Instant;

use super::{Behind, Injected};
use crate::case::{Case, path};
use crate::check::{Failure, Verdict, describe};
use crate::drills::workload::{Expectation, Name, Step, World, look, perform};
use crate::expect::same_bytes;

/// How long a writer that failed has to let go of its session.
const SETTLING: Duration = Duration::from_secs(5);

/// Makes `step` after `before` with each fault at each call that it comes to, and once without.
pub(super) async fn at_every_call(case: &Case, behind: Behind, before: &[Step], step: Step) -> Verdict {
    for injected in Injected::ALL {
        for number in 1.. {
            let directory = fresh_directory();
            let mut world = World::default();
            for earlier in before {
                perform(case.storage(), &directory, earlier).await?;
                world = world.after(earlier);
            }
            let faults = injected.at(number);
            let trial = Trial { case, directory, world };
            let world = trial.make(behind, &step, injected, faults.clone()).await.map_err(|mut failure| {
                let made: Vec<_> = before.iter().map(|earlier| format!("  {earlier}\n")).collect();
                let evidence = format!("{}  {step}, of which call {number} {injected}", made.concat());
                failure.evidence.get_or_insert(evidence);
                failure
            })?;
            trial.publish_what_is_kept(&world).await?;
            if faults.calls() < number {
                break;
            }
        }
    }
    Ok(())
}

/// A directory that nothing is in.
pub(super) fn fresh_directory() -> StoragePath {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    path(&format!("/faults-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A directory in which a change is tried.
pub(super) struct Trial<'a> {
    pub(super) case: &'a Case,
    pub(super) directory: StoragePath,
    pub(super) world: World,
}

impl Trial<'_> {
    /// Makes `step` through the faults, and answers with the world that is found then.
    pub(super) async fn make(
        &self,
        behind: Behind,
        step: &Step,
        injected: Injected,
        faults: Faults,
    ) -> Result<World, Failure> {
        let storage = behind(&self.case.storage().layered(faults));
        let answer = perform(&storage, &self.directory, step).await;
        let expectation = self.judge(step, injected, answer.as_ref().err())?;
        let found = look(self.case.storage(), &self.directory, true).await.map_err(unexpected)?;
        expectation.judge(&found, step.clause())
    }

    /// What the answer lets one expect of the store.
    fn judge(&self, step: &Step, injected: Injected, error: Option<&Error>) -> Result<Expectation, Failure> {
        let refusal = self.world.refusal(step);
        let Some(error) = error else {
            return match refusal {
                None => Ok(Expectation::settled(self.world.after(step))),
                Some(kind) => Err(Failure::new(step.clause(), format_args!("{step} to be {kind}"), "success")),
            };
        };
        if Some(error.kind()) == refusal && error.retry() == Retry::Never {
            return Ok(Expectation::settled(self.world));
        }
        if matches!(injected, Injected::Refused | Injected::Slow) {
            let expected = format_args!("{step} to succeed, for what befell its call was safe to repeat");
            return Err(Failure::new("LAYER-1", expected, describe(error)));
        }
        if error.kind() != ErrorKind::Unavailable {
            let expected =
                format_args!("{step} to be ok, or unavailable and maybe applied: no answer tells what it did");
            return Err(Failure::new("ERR-8", expected, describe(error)));
        }
        Ok(match error.retry() {
            Retry::MaybeApplied => Expectation::during(self.world, *step),
            Retry::Safe | Retry::Never => Expectation::settled(self.world),
        })
    }

    /// Publishes what is still kept, and looks at its bytes.
    async fn publish_what_is_kept(&self, world: &World) -> Verdict {
        let storage = self.case.storage();
        for name in Name::SESSIONS {
            let Some(content) = world.session(name) else { continue };
            let target = name.within(&self.directory);
            resume_and_commit(storage, &target).await?;
            let found = self.case.get(&target).await?;
            same_bytes(
                "WRITE-5",
                &found,
                content,
                format_args!("the session kept at {target}, once it is committed,"),
            )?;
        }
        Ok(())
    }
}

/// A writer that failed may hold its session for a moment longer than its caller held the writer.
async fn resume_and_commit(storage: &Storage, target: &StoragePath) -> Result<(), Error> {
    let (context, deadline) = (&Context::background(), Instant::now() + SETTLING);
    loop {
        match storage.writer(context, target, WriteOptions::append()).await {
            Err(error) if error.kind() == ErrorKind::Conflict && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            opened => {
                opened?.commit(context, CommitOptions::default()).await?;
                return Ok(());
            }
        }
    }
}

fn unexpected(stop: crate::check::Stop) -> Failure {
    match stop {
        crate::check::Stop::Failed(failure) => *failure,
        other => Failure::new("ERR-1", "the store to be readable behind the faults", format_args!("{other:?}")),
    }
}
