//! Drills with several processes, on a driver that is right and on drivers that are broken on purpose: the drill must tell them
//! apart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod broken;

use conformance::{
    Drill, Location, Options, Outcome, Profile, Reexecution, Report, Target, TargetReport, run, take_part,
};
use driver_api::{CancellationToken, Storage, StorageDriver};
use driver_filesystem::{FilesystemDriver, FilesystemOptions};
use driver_inmemory::MemoryDriver;

use crate::broken::{Broken, Mistake};

fn filesystem(root: &str) -> FilesystemDriver {
    FilesystemDriver::new(FilesystemOptions::new(root)).unwrap()
}

/// A target over directories, by what `wrap` makes of the right driver.
fn over_directories<D: StorageDriver>(name: &str, wrap: fn(FilesystemDriver) -> D) -> Target {
    let location = || {
        let directory = tempfile::tempdir()?;
        let root = directory.path().join("root");
        Ok(Location::new(root.to_string_lossy()).keeping(directory))
    };
    let instance = move || async move {
        let location = location().unwrap();
        conformance::Instance::new(wrap(filesystem(location.name()))).keeping(location)
    };
    Target::new(name, instance)
        .with_locations(location, move |root| async move { Ok(Storage::new(wrap(filesystem(&root)))) })
}

/// The same in every process.
fn targets() -> Vec<Target> {
    vec![
        over_directories("filesystem", |driver| driver),
        over_directories("acknowledges early", |driver| Broken::new(driver, Mistake::AcknowledgesEarly)),
        over_directories("serves stale", |driver| Broken::new(driver, Mistake::ServesStale)),
        Target::new("memory", || async { MemoryDriver::default() }),
    ]
}

/// Not a test of its own: what the other processes of the tests below run.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that takes part in a drill"]
async fn other_process() {
    let _ = take_part(&targets()).await;
}

async fn drill(target: &str, drill: Drill, only: &[&str]) -> TargetReport {
    let targets: Vec<_> = targets().into_iter().filter(|known| known.name() == target).collect();
    let mut options = Options::default();
    (options.profile, options.drills) = (Profile::Quick, vec![drill]);
    options.only = only.iter().map(|only| (*only).to_owned()).collect();
    options.reexecution =
        Some(Reexecution::with_arguments(["--exact", "other_process", "--ignored", "--nocapture"]).unwrap());
    let mut report: Report = run(&targets, &options, &(), &CancellationToken::new()).await.unwrap();
    println!("{report}");
    report.targets.remove(0)
}

fn all_passed(report: &TargetReport) -> bool {
    report.results.iter().all(|result| matches!(result.outcome, Outcome::Passed))
}

fn all_unsupported(report: &TargetReport) -> bool {
    report.results.iter().all(|result| matches!(result.outcome, Outcome::Unsupported { .. }))
}

/// What a drill found, which it must have: the clauses, and what led there.
fn found(report: &TargetReport) -> (Vec<&'static str>, String) {
    let (_, failure, repeat) = report.failures().next().unwrap_or_else(|| panic!("nothing was found: {report:?}"));
    assert!(repeat.contains("--drills") && repeat.contains("--seed"), "{repeat}");
    (failure.clauses.clone(), failure.evidence.clone().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filesystem_survives_kills() {
    let report = drill("filesystem", Drill::Crash, &[]).await;
    assert!(report.results.len() == 2 && all_passed(&report), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_before_its_time_is_caught_by_a_kill() {
    let report = drill("acknowledges early", Drill::Crash, &["crash::files"]).await;
    let (clauses, evidence) = found(&report);
    // Told by the step that was under way, where it worked on the file that is gone.
    let lost = ["DUR-1", "PUT-2", "WRITE-3", "MOVE-10", "DEL-1"];
    assert!(clauses.iter().any(|clause| lost.contains(clause)), "{clauses:?}");
    assert!(evidence.contains("acknowledged"), "{evidence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_agree_on_the_filesystem() {
    let report = drill("filesystem", Drill::Cluster, &[]).await;
    assert!(report.results.len() == 3 && all_passed(&report), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_serves_what_it_remembers_is_caught_by_the_others() {
    let report = drill("serves stale", Drill::Cluster, &["cluster::histories_have_one_order"]).await;
    let (clauses, evidence) = found(&report);
    assert_eq!(clauses, ["CONC-1"]);
    assert!(evidence.contains("every task is a process"), "{evidence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_leave_the_filesystem_right() {
    let report = drill("filesystem", Drill::Faults, &[]).await;
    assert!(all_passed(&report), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_shared_with_no_process_and_survives_none() {
    for kind in [Drill::Crash, Drill::Cluster] {
        let report = drill("memory", kind, &[]).await;
        assert!(all_unsupported(&report), "{report:?}");
        let shown = report.results.iter().flat_map(|result| result.clauses);
        for clause in shown.filter_map(|id| conformance::clause(id)).filter(|clause| clause.drill.is_some()) {
            assert_eq!(report.status(clause).word(), "unsupported", "{}", clause.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_leave_memory_right() {
    assert!(all_passed(&drill("memory", Drill::Faults, &[]).await));
}
