//! The reference model: random sequences over the whole trait, run against the driver and against a model that says what each
//! call should answer.
//!
//! A sequence is a list of steps over symbols, drawn by `proptest` from a seed. Each step becomes a call in the state that the
//! model is in; the driver's answer is judged by the model, which allows exactly the freedom that CONTRACT.md leaves. A
//! sequence that shows a difference is shrunk to one that cannot be made smaller, and told as a script.

mod call;
mod coverage;
mod difference;
mod files;
mod judge;
mod sessions;
mod state;
mod step;
mod world;

use std::fmt::Write as _;

use driver_api::StoragePath;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::time::Instant;

use self::call::{Call, StorageCall, WriterCall};
pub(crate) use self::coverage::Coverage;
use self::difference::Difference;
use self::state::Model;
use self::step::{Sequence, Step, WRITERS};
use self::world::World;
use crate::case::Case;
use crate::check::{Failure, Stop, Verdict};

/// Runs sequences until one shows a difference or the budget is spent, and counts in `coverage` what they met.
pub(crate) async fn explore(case: &Case, coverage: &mut Coverage) -> Verdict {
    for number in case.rounds(case.budget().sequences) {
        let seed = sequence_seed(case.seed(), number);
        let mut runner = runner(seed);
        let strategy = step::sequences(case.budget().sequence_steps);
        let mut tree = strategy
            .new_tree(&mut runner)
            .map_err(|reason| Stop::Skipped(format!("no sequence could be drawn: {reason}")))?;
        match run(case, &tree.current(), coverage).await {
            Err(Stop::Failed(first)) => return Err(Stop::Failed(shrink(case, &mut tree, first).await)),
            other => other?,
        }
    }
    Ok(())
}

/// The seed of a sequence. That of the first is the case's own, so that a failure can be repeated alone.
fn sequence_seed(seed: u64, number: u32) -> u64 {
    seed.wrapping_add(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Makes the failing sequence in `tree` as small as it gets in a third of the time that the check has, and answers with the
/// failure of the smallest.
async fn shrink(
    case: &Case,
    tree: &mut (impl ValueTree<Value = Sequence> + Send),
    first: Box<Failure>,
) -> Box<Failure> {
    let deadline = Instant::now() + case.budget().time_limit / 3;
    let mut smallest = first;
    let mut smaller = tree.simplify();
    while smaller && Instant::now() < deadline {
        smaller = match run(case, &tree.current(), &mut Coverage::default()).await {
            Err(Stop::Failed(failure)) => {
                smallest = failure;
                tree.simplify()
            }
            _ => tree.complicate(),
        };
    }
    smallest
}

/// Runs one sequence in a store of its own, compares the store with the model at the end, and looks for leftovers.
async fn run(case: &Case, sequence: &Sequence, coverage: &mut Coverage) -> Verdict {
    let instance = case.fresh().await?;
    let mut run = Run {
        world: World::new(instance.storage().clone()),
        model: Model::new(instance.storage().capabilities(), &sequence.paths),
        script: String::new(),
        lines: 0,
    };
    let compared = run.play(&sequence.steps, coverage).await;
    let script = run.script;
    drop(run.world);
    let told = |failure: Failure| Stop::from(failure.with_evidence(script.clone()));
    compared.map_err(|difference| told(failure(difference)))?;
    match case.finish(instance).await {
        Err(Stop::Failed(leak)) => {
            let evidence = format!("{script}\nleft behind:\n{}", leak.evidence.as_deref().unwrap_or_default());
            Err(leak.with_evidence(evidence).into())
        }
        other => other,
    }
}

fn failure(difference: Difference) -> Failure {
    Failure {
        clauses: difference.clauses,
        expected: "every answer to be one that the reference model allows".to_owned(),
        found: difference.message,
        evidence: None,
    }
}

/// A sequence in progress.
struct Run {
    world: World,
    model: Model,
    script: String,
    lines: u32,
}

impl Run {
    async fn play(&mut self, steps: &[Step], coverage: &mut Coverage) -> Result<(), Difference> {
        for step in steps {
            if let Some(call) = self.model.resolve(step) {
                self.call(&call, coverage).await?;
            }
        }
        self.compare_all(coverage).await
    }

    async fn call(&mut self, call: &Call, coverage: &mut Coverage) -> Result<(), Difference> {
        let Some(answer) = self.world.make(call).await else { return Ok(()) };
        self.lines += 1;
        // Writing to a String cannot fail.
        let _ = writeln!(self.script, "{:3}. {call}  ->  {answer}", self.lines);
        let situation = self.model.judge(call, &answer)?;
        coverage.count((call.label(), answer.outcome(), situation));
        Ok(())
    }

    /// Compares all that the store holds with the model, before and after the open writers are cancelled.
    async fn compare_all(&mut self, coverage: &mut Coverage) -> Result<(), Difference> {
        self.compare(coverage).await?;
        for slot in 0..WRITERS {
            if self.model.sessions.writer(slot).is_some() {
                self.call(&Call::Writer { slot, call: WriterCall::Cancel }, coverage).await?;
            }
        }
        self.compare(coverage).await
    }

    async fn compare(&mut self, coverage: &mut Coverage) -> Result<(), Difference> {
        let root = StoragePath::root();
        for recursive in [false, true] {
            let path = root.clone();
            let list = StorageCall::List { path, recursive, start_after: None, page_size: None };
            self.call(&Call::Storage(list), coverage).await?;
        }
        self.call(&Call::Storage(StorageCall::Unfinished { prefix: root }), coverage).await?;
        for path in self.model.files.paths() {
            let get = StorageCall::Get { path, range: Default::default(), if_match: None, max_bytes: None };
            self.call(&Call::Storage(get), coverage).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
