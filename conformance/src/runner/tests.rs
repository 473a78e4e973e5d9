//! Tests of the runner, on drivers that are right, that panic, and that cannot be made.

use driver_api::{Error, ErrorKind};
use driver_inmemory::MemoryDriver;

use super::*;
use crate::target::Instance;

fn memory() -> Target {
    Target::new("memory", || async { MemoryDriver::default() })
}

fn only(selection: &str) -> Options {
    Options { profile: Profile::Quick, only: vec![selection.to_owned()], seed: Some(7), ..Options::default() }
}

async fn report(target: Target, options: &Options) -> Report {
    run(&[target], options, &(), &CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn a_panic_is_a_failure_and_no_crash() {
    let target = Target::new("panics", || async {
        assert!(std::env::args().count() > 1_000_000, "no luck");
        MemoryDriver::default()
    });
    let report = report(target, &only("paths::case_matters")).await;
    let (_, failure, _) = report.targets[0].failures().next().unwrap();
    assert_eq!((failure.clauses.as_slice(), failure.found.as_str()), (["ERR-1"].as_slice(), "a panic: no luck"));
}

#[tokio::test]
async fn a_target_that_cannot_be_made_fails() {
    let broken = || async { Err::<Instance, _>(Error::new(ErrorKind::Misconfigured, "no such root")) };
    let report = report(Target::fallible("broken", broken), &only("paths::case_matters")).await;
    assert!(!report.conforms());
}

#[tokio::test]
async fn a_stopped_run_reports_what_it_has() {
    let stop = CancellationToken::new();
    stop.cancel();
    let report = run(&[memory()], &only("paths"), &(), &stop).await.unwrap();
    assert!(report.stopped && report.targets[0].results.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_fails_with_that_reason() {
    let target = Target::new("hangs", std::future::pending::<MemoryDriver>);
    // The capabilities are asked for outside of any check, and that waits too.
    let asked = tokio::time::timeout(Duration::from_secs(1), declared(&target)).await;
    assert!(asked.is_err());
    let (options, stop) = (only("paths::case_matters"), CancellationToken::new());
    let run =
        Run { targets: &[target], options: &options, progress: &(), stop: &stop, budget: Profile::Quick.budget() };
    let check = crate::check("paths::case_matters").unwrap();
    let result = run.check(&run.targets[0], check, 1).await.unwrap();
    let Outcome::Failed { failure, .. } = result.outcome else { panic!("{result:?}") };
    assert_eq!((failure.expected.as_str(), failure.clauses.as_slice()), ("an end within 30 s", ["PATH-4"].as_slice()));
}

#[test]
fn a_seed_gives_each_check_another_one_and_always_the_same() {
    let seeds: std::collections::BTreeSet<_> = crate::checks().iter().map(|check| check_seed(1, check)).collect();
    assert_eq!(seeds.len(), crate::checks().len());
    assert_eq!(check_seed(1, &crate::checks()[0]), check_seed(1, &crate::checks()[0]));
    assert_ne!(check_seed(1, &crate::checks()[0]), check_seed(2, &crate::checks()[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_a_shared_backend_leaves_nothing_and_touches_nothing() {
    let storage = driver_api::Storage::new(MemoryDriver::default());
    let (context, path) = (driver_api::Context::background(), crate::case::path("/somebody/else"));
    storage.put(&context, &path, "theirs", Default::default()).await.unwrap();
    let again = storage.clone();
    let target = Target::shared(storage.clone()).unwrap().with_reopen(move || {
        let storage = again.clone();
        async move { Ok(storage) }
    });
    let report = report(target, &Options { only: Vec::new(), ..only("") }).await;
    assert!(report.conforms(), "{report}");
    let root = driver_api::StoragePath::root();
    let left =
        storage.list(&context, &root, driver_api::ListOptions::recursive()).await.unwrap().collect().await.unwrap();
    assert_eq!(left.iter().map(driver_api::Entry::path).collect::<Vec<_>>(), [&path]);
}
