//! Runs checks against targets: side by side, within time limits, each on an instance of its own.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use driver_api::{CancellationToken, Error};
use futures_util::{FutureExt, StreamExt, stream};

use crate::audit::audit;
use crate::case::Case;
use crate::check::{Check, Failure, Kind, Stop, Verdict, describe};
use crate::drills::{Drill, Equipment};
use crate::options::{Options, UnknownSelection};
use crate::profile::{Budget, Profile};
use crate::report::{CheckResult, Outcome, Report, TargetReport};
use crate::target::Target;

/// Is told how a run goes on. All methods do nothing unless they are written.
pub trait Progress: Send + Sync {
    /// So many runs of checks are to come, at least.
    fn planned(&self, _runs: usize) {}
    /// A check begins.
    fn began(&self, _target: &Target, _check: &Check) {}
    /// A run of a check has ended.
    fn ended(&self, _target: &Target, _result: &CheckResult) {}
    /// What the run put into a shared backend could not be removed.
    fn left_behind(&self, _target: &Target, _error: &Error) {}
}

/// Nobody is told.
impl Progress for () {}

/// Runs the selected checks against every target. It ends early when `stop` is cancelled; what was found until then is
/// reported.
///
/// Needs a Tokio runtime with time and, for drivers that use it, IO. Checks that hang or panic are failures of the driver.
pub async fn run(
    targets: &[Target],
    options: &Options,
    progress: &dyn Progress,
    stop: &CancellationToken,
) -> Result<Report, UnknownSelection> {
    let begun = Instant::now();
    let checks = options.selected()?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut reports = Vec::new();
    for target in targets {
        reports.push(TargetReport {
            name: target.name().to_owned(),
            capabilities: declared(target).await,
            engine: None,
            results: Vec::new(),
            mended: Vec::new(),
        });
    }
    let mut budget = options.profile.budget();
    if checks.len() == 1 {
        budget.slice = budget.time_limit / 2;
    }
    let run = Run { targets, options, progress, stop, budget };
    let plan: Vec<_> = checks.iter().flat_map(|check| (0..targets.len()).map(move |target| (target, *check))).collect();
    progress.planned(plan.len());
    run.round(&plan, seed, &mut reports).await;

    let limit = match (options.repeat_for, options.profile) {
        (Some(limit), _) => limit,
        (None, Profile::Exhaustive) => Duration::MAX,
        (None, _) => Duration::ZERO,
    };
    let mut round = 0;
    while !stop.is_cancelled() && begun.elapsed() < limit {
        round += 1;
        let again: Vec<_> =
            plan.iter().filter(|(target, check)| worth_repeating(&reports[*target], check)).copied().collect();
        if again.is_empty() {
            break;
        }
        progress.planned(again.len());
        run.round(&again, mixed(seed, round), &mut reports).await;
    }
    for target in targets {
        // The verdict on the driver stands, whether or not its directory can be removed.
        if let Err(error) = target.clean_up().await {
            progress.left_behind(target, &error);
        }
    }
    for report in &mut reports {
        report.results.sort_by_key(|result| checks.iter().position(|check| check.name == result.check));
    }
    Ok(Report {
        profile: options.profile.to_string(),
        seed,
        elapsed: begun.elapsed(),
        stopped: stop.is_cancelled() && options.profile != Profile::Exhaustive,
        targets: reports,
    })
}

/// The names of the capabilities that a target's driver declares; none where no instance can be made, which the checks
/// report.
async fn declared(target: &Target) -> Vec<&'static str> {
    match AssertUnwindSafe(target.fresh()).catch_unwind().await {
        Ok(Ok(instance)) => {
            let capabilities = instance.storage().capabilities();
            driver_api::capability_names().filter(|name| capabilities.declares(name) == Some(true)).collect()
        }
        _ => Vec::new(),
    }
}

fn worth_repeating(report: &TargetReport, check: &Check) -> bool {
    check.kind == Kind::Random
        && report.results.iter().any(|result| result.check == check.name && matches!(result.outcome, Outcome::Passed))
}

struct Run<'a> {
    targets: &'a [Target],
    options: &'a Options,
    progress: &'a dyn Progress,
    stop: &'a CancellationToken,
    budget: Budget,
}

impl Run<'_> {
    /// Runs each check of the plan once: first those that bear company, then the others one by one.
    async fn round(&self, plan: &[(usize, &'static Check)], seed: u64, reports: &mut [TargetReport]) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Checks wait for disks and networks more than they compute.
        let jobs = self.options.jobs.map_or(2 * cores, usize::from);
        for (alone, jobs) in [(false, jobs), (true, 1)] {
            let part = plan.iter().filter(|(_, check)| (check.kind == Kind::Alone) == alone);
            let mut results = stream::iter(part)
                .map(|(target, check)| async move { (*target, self.check(&self.targets[*target], check, seed).await) })
                .buffer_unordered(jobs);
            while let Some((target, result)) = results.next().await {
                let Some(result) = result else { continue };
                self.progress.ended(&self.targets[target], &result);
                let known = &mut reports[target].results;
                match known.iter_mut().find(|known| known.check == result.check) {
                    Some(known) => known.and(result),
                    None => known.push(result),
                }
            }
        }
    }

    /// Runs one check once; none where the run was stopped meanwhile.
    async fn check(&self, target: &Target, check: &'static Check, seed: u64) -> Option<CheckResult> {
        if self.stop.is_cancelled() {
            return None;
        }
        self.progress.began(target, check);
        let begun = Instant::now();
        let Options { entries, reexecution, .. } = self.options;
        let budget = match Drill::of(check) {
            Some(drill) => drill.budget(&self.budget, *entries),
            None => self.budget.clone(),
        };
        let limit = budget.time_limit;
        let equipment = Equipment::new(*entries, reexecution.clone());
        // A task of its own, so that a panic ends in an answer and another core can take it.
        let mut task = tokio::spawn(attempt(target.clone(), check, budget, check_seed(seed, check), equipment.clone()));
        let verdict = tokio::select! {
            biased;
            joined = &mut task => joined.unwrap_or_else(|error| Err(panicked(error))),
            () = self.stop.cancelled() => {
                task.abort();
                return None;
            }
            () = tokio::time::sleep(limit) => {
                task.abort();
                let expected = format!("an end within {} s", limit.as_secs());
                Err(Failure { clauses: Vec::new(), expected, found: "it still runs".to_owned(), evidence: None }.into())
            }
        };
        let repeat = self.options.repetition(target.selection(), check, seed);
        let result = CheckResult::new(check, outcome(verdict, check, repeat), begun.elapsed());
        Some(CheckResult { growth: equipment.measured(), ..result })
    }
}

/// Makes an instance, runs the check on it, and looks for what is left.
async fn attempt(target: Target, check: &'static Check, budget: Budget, seed: u64, equipment: Equipment) -> Verdict {
    let instance = target
        .fresh()
        .await
        .map_err(|error| Stop::from(Failure::new("ERR-1", "an instance of the driver", describe(&error))))?;
    let case = Case::new(target, instance, budget, seed).equipped(equipment);
    for capability in check.capabilities() {
        case.require(capability)?;
    }
    (check.run)(&case).await?;
    audit(case.instance()).await
}

fn outcome(verdict: Verdict, check: &Check, repeat: String) -> Outcome {
    match verdict {
        Ok(()) => Outcome::Passed,
        Err(Stop::Unsupported(capability)) => Outcome::Unsupported { capability },
        Err(Stop::Skipped(reason)) => Outcome::Skipped { reason },
        Err(Stop::Failed(mut failure)) => {
            if failure.clauses.is_empty() {
                failure.clauses.extend(check.clauses.first());
            }
            Outcome::Failed { failure: *failure, repeat }
        }
    }
}

fn panicked(error: tokio::task::JoinError) -> Stop {
    let found = match error.try_into_panic() {
        Ok(panic) => {
            let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("a panic: {}", message.unwrap_or_else(|| "without a message".to_owned()))
        }
        Err(error) => error.to_string(),
    };
    Failure::new("ERR-1", "no panic", found).into()
}

/// The seed of a check, derived from the run's.
fn check_seed(seed: u64, check: &Check) -> u64 {
    check.name.bytes().fold(mixed(seed, 0), |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// The run seed of a later round; also the one that repeats what it found.
fn mixed(seed: u64, round: u64) -> u64 {
    fastrand::Rng::with_seed(seed ^ round.wrapping_mul(0x9E37_79B9_7F4A_7C15)).u64(..)
}

#[cfg(test)]
mod tests;
