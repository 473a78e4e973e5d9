//! Several processes on one bucket: what one has kept another continues, and what one has stored all see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use driver_api::Storage;
use driver_s3::S3Driver;
use s3_server::{Fault, Injection, Operation};

use crate::fixture::{BUCKET, Fixture, MIB, options_at};
use crate::object_store::processes::{self as scenarios, Written};

fn connect(endpoint: &str) -> Storage {
    Storage::new(S3Driver::new(options_at(endpoint.to_owned())).unwrap())
}

/// Not a test of its own: what the child processes of the tests below run.
#[tokio::test]
async fn child_process() {
    scenarios::child_process(connect).await;
}

/// Kills a process while the part behind the first `sent` is on its way.
async fn kill_amid_a_part(fixture: &Fixture, written: Written, sent: u64) {
    fixture.server.inject(Injection::new(Fault::Hang).on(Operation::UploadPart).after(sent));
    scenarios::kill_amid_a_part(&fixture.server.endpoint(), written, async || fixture.server.struck(1).await).await;
    fixture.server.clear_injections();
}

#[tokio::test]
async fn what_a_process_has_kept_another_one_continues_though_the_first_was_killed_amid_a_part() {
    // The part that was under way is the first one behind what was kept, or a later one.
    for sent in [1, 2] {
        let fixture = Fixture::new().await;
        let written = Written { kept: 7 * MIB, accepted: 18 * MIB, whole: 23 * MIB };
        kill_amid_a_part(&fixture, written, sent).await;
        scenarios::continue_and_commit(&fixture.other_process(), written).await;
        assert_eq!((fixture.server.keys(BUCKET), fixture.server.uploads(BUCKET)), (vec!["a".to_owned()], vec![]));
    }
}

#[tokio::test]
async fn what_a_killed_process_has_not_kept_is_left_to_the_sweep_alone() {
    let fixture = Fixture::new().await;
    kill_amid_a_part(&fixture, Written { kept: 0, accepted: 11 * MIB, whole: 11 * MIB }, 1).await;
    assert_eq!(fixture.server.keys(BUCKET), [""; 0]);
    assert_eq!(fixture.server.uploads(BUCKET).len(), 1);
    // A session that is kept is none of the sweep's.
    let kept = Written { kept: 7 * MIB, accepted: 13 * MIB, whole: 13 * MIB };
    kill_amid_a_part(&fixture, kept, 1).await;
    let orphan = fixture.orphan().await;
    assert_eq!(orphan.path.as_str(), "/a");
    fixture.driver.abort_orphaned_upload(&orphan).await.unwrap();
    assert_eq!(fixture.server.uploads(BUCKET).len(), 1);
    scenarios::continue_and_commit(&fixture.other_process(), kept).await;
    assert_eq!((fixture.server.keys(BUCKET), fixture.server.uploads(BUCKET)), (vec!["a".to_owned()], vec![]));
}

#[tokio::test]
async fn each_process_sees_what_the_other_has_stored() {
    let fixture = Fixture::new().await;
    scenarios::each_sees_what_the_other_has_stored(&fixture.server.endpoint(), &fixture.storage).await;
}

#[tokio::test]
async fn of_several_processes_one_makes_a_file_that_was_absent() {
    let fixture = Fixture::new().await;
    scenarios::one_process_wins_each_file(&fixture.server.endpoint(), &fixture.storage).await;
}
