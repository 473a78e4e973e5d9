//! Random sequences of changes, some of whose calls fail, drawn from a seed; a sequence that shows a fault is made as short as
//! it gets.

use std::fmt;

use driver_api::StoragePath;

use super::changes::{Trial, fresh_directory};
use super::{Behind, Injected};
use crate::case::Case;
use crate::check::{Failure, Verdict};
use crate::drills::workload::{Step, Workload, World};

/// Steps of one sequence.
const STEPS: u64 = 24;
/// One step in so many meets a fault.
const RARITY: u8 = 3;
/// The last call of a step that a fault is drawn for.
const LAST_CALL: u64 = 6;

/// A step, and the call of it that something befalls.
#[derive(Debug, Clone, Copy)]
struct Faulty {
    step: Step,
    injected: Injected,
    /// Past the last call where nothing is to befall any.
    call: u64,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, injected, call } = self;
        match *call {
            u64::MAX => step.fmt(f),
            call => write!(f, "{step}, of which call {call} {injected}"),
        }
    }
}

/// Runs sequences until one shows a fault or the budget is spent.
pub(super) async fn explore(case: &Case, behind: Behind) -> Verdict {
    let mut random = case.random();
    for _ in case.rounds(case.budget().sequences) {
        let sequence = draw(case, &mut random);
        if let Err(first) = run(case, behind, &sequence).await {
            return Err(shrink(case, behind, sequence, first).await.into());
        }
    }
    Ok(())
}

/// Steps that can be made where all of them succeed. Where one does not, a later one may find nothing to move or to delete,
/// and is left out.
fn draw(case: &Case, random: &mut fastrand::Rng) -> Vec<Faulty> {
    let workload = Workload::Files { if_absent: case.capabilities().put.if_absent };
    let mut world = World::default();
    let steps = (1..=STEPS).map(|write| {
        let step = world.draw(workload, random, write);
        world = world.after(&step);
        let injected = Injected::BRIEF[random.usize(..Injected::BRIEF.len())];
        let call = if random.u8(..RARITY) == 0 { random.u64(1..=LAST_CALL) } else { u64::MAX };
        Faulty { step, injected, call }
    });
    steps.collect()
}

async fn run(case: &Case, behind: Behind, sequence: &[Faulty]) -> Result<(), Failure> {
    let directory: StoragePath = fresh_directory();
    let mut trial = Trial { case, directory, world: World::default() };
    let mut script = String::new();
    for faulty in sequence {
        if !trial.world.can(&faulty.step) {
            continue;
        }
        script.push_str(&format!("  {faulty}\n"));
        let faults = faulty.injected.at(faulty.call);
        let found = trial.make(behind, &faulty.step, faulty.injected, faults).await;
        trial.world = found.map_err(|failure| failure.with_evidence(script.clone()))?;
    }
    Ok(())
}

/// Leaves out every step without which a sequence still fails, the last first, and answers with what fails then.
async fn shrink(case: &Case, behind: Behind, mut sequence: Vec<Faulty>, first: Failure) -> Failure {
    let mut smallest = first;
    for at in (0..sequence.len()).rev() {
        let mut shorter = sequence.clone();
        shorter.remove(at);
        if let Err(failure) = run(case, behind, &shorter).await {
            (smallest, sequence) = (failure, shorter);
        }
    }
    smallest
}
