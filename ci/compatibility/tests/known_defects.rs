//! The suite finds, by itself, defects that were released: what `docs/COMPATIBILITY.md` claims cannot rot.
//!
//! A test that fails here after an update of a crate may tell that its defect is mended. Then the claim has to go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use compatibility::backends::Backend;
use conformance::{Failure, Options, Profile, run};
use driver_api::CancellationToken;

/// How many seeds may pass before a defect that depends on how tasks meet is found.
const SEEDS: u64 = 100;

/// Runs `check` on `backend` with one seed after another until it fails.
async fn found(backend: Backend, check: &str) -> Failure {
    let opened = backend.open().await.unwrap();
    for seed in 1..=SEEDS {
        let mut options = Options::default();
        options.profile = Profile::Quick;
        options.only = vec![check.to_owned()];
        options.seed = Some(seed);
        let targets = std::slice::from_ref(&opened.target);
        let report = run(targets, &options, &(), &CancellationToken::new()).await.unwrap();
        let first = report.targets[0].failures().next().map(|(_, failure, _)| failure.clone());
        if let Some(failure) = first {
            return failure;
        }
    }
    panic!("{check} found nothing on {} with {SEEDS} seeds", backend.name());
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
    assert!(failure.found.contains("not one byte"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rename_of_object_store_in_memory_loses_what_is_put_meanwhile() {
    let failure = found(Backend::ObjectStoreMemoryAtomic, "histories::have_one_order").await;
    assert!(failure.clauses.contains(&"CONC-1"), "{failure}");
    // The history was shrunk to the calls that it takes, and a move is among them.
    assert!(evidence(&failure).contains("move"), "{failure}");
    assert!(evidence(&failure).lines().count() < 20, "{failure}");
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
