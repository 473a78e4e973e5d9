//! The suite finds, by itself, defects that were released: what `docs/COMPATIBILITY.md` claims cannot rot.
//!
//! A test that fails here after an update of a crate may tell that its defect is mended. Then the claim has to go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use std::time::Duration;

use compatibility::backends::Backend;
use conformance::{Failure, Options, Profile, run};
use driver_api::CancellationToken;

/// How long a defect that depends on how tasks meet is looked for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs `check` for at most so long, with new draws each time, until it fails; how it fails, if it does.
async fn first_failure(backend: Backend, check: &str, patience: Duration) -> Option<Failure> {
    let opened = backend.open().await.unwrap();
    let mut options = Options::default();
    options.profile = Profile::Quick;
    options.only = vec![check.to_owned()];
    options.seed = Some(1);
    options.repeat_for = Some(patience);
    let targets = std::slice::from_ref(&opened.target);
    let report = run(targets, &options, &(), &CancellationToken::new()).await.unwrap();
    report.targets[0].failures().next().map(|(_, failure, _)| failure.clone())
}

async fn found(backend: Backend, check: &str) -> Failure {
    match first_failure(backend, check, PATIENCE).await {
        Some(failure) => failure,
        None => panic!("{check} found nothing on {} in {PATIENCE:?}", backend.name()),
    }
}

fn evidence(failure: &Failure) -> &str {
    failure.evidence.as_deref().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_not_exists_of_opendal_fs_has_several_winners() {
    let failure = found(Backend::OpendalFsAtomic, "conditions::races_of_put_if_absent").await;
    assert_eq!(failure.clauses, ["PUT-4"], "{failure}");
    assert_ne!(failure.found, "0", "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_opendal_fs_beside_an_overwrite_are_short() {
    let failure = found(Backend::OpendalFs, "concurrency::reads_are_never_torn").await;
    assert!(failure.clauses.contains(&"PUT-1"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_writer_of_opendal_fs_takes_the_old_file_with_it() {
    let failure = found(Backend::OpendalFs, "writes::dropped_writers_publish_nothing").await;
    assert_eq!(failure.clauses, ["WRITE-4"], "{failure}");
}

// More threads than cores, so that one is stopped between the copy and the delete every now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn rename_of_object_store_in_memory_loses_what_is_put_meanwhile() {
    let failure = found(Backend::ObjectStoreMemoryAtomic, "histories::have_one_order").await;
    assert!(failure.clauses.contains(&"CONC-1"), "{failure}");
    assert!(evidence(&failure).lines().count() < 30, "it is shrunk to the calls that it takes: {failure}");
}

/// The moves are what the histories above have more than these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_store_in_memory_has_one_order_without_renames() {
    let failure = first_failure(Backend::ObjectStoreMemory, "histories::have_one_order", Duration::from_secs(3)).await;
    assert_eq!(failure.map(|failure| failure.to_string()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_onto_a_directory_of_object_store_hides_its_error() {
    let failure = found(Backend::ObjectStoreLocal, "namespace::a_tree_refuses").await;
    assert_eq!(failure.clauses, ["PUT-5"], "{failure}");
    assert!(failure.found.contains("Upload aborted"), "{failure}");
}

/// Behind that error, the staging file stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_upload_of_object_store_leaks_its_staging_file() {
    let failure = found(Backend::ObjectStoreLocalCopy, "laws::layered_is_bare").await;
    assert_eq!(failure.clauses, ["WRITE-4"], "{failure}");
    assert!(evidence(&failure).contains('#'), "{failure}");
}
