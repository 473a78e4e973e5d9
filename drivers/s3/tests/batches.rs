//! Batches of which the service leaves some keys, and says so within a success.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use driver_api::{DeleteOptions, ErrorKind};

use crate::fixture::{BUCKET, Fixture, path};

#[tokio::test]
async fn what_a_batch_leaves_is_told_and_nothing_else() {
    let fixture = Fixture::new().await;
    let keys = ["d/a", "d/b", "d/c", "d/d", "d/e"];
    keys.into_iter().for_each(|key| fixture.server.put_object(BUCKET, key, "x"));
    for (key, code) in [("d/b", "AccessDenied"), ("d/d", "InternalError"), ("d/e", "NoSuchKey")] {
        fixture.server.leave_undeleted(BUCKET, key, code);
    }
    let paths = keys.map(|key| path(&format!("/{key}")));
    let mut left = fixture.storage.delete_files(&fixture.context, paths).await.unwrap();
    left.sort_by_key(|error| error.path().cloned());
    let left: Vec<_> = left.iter().map(|error| (error.path().unwrap().as_str(), error.kind())).collect();
    // What is not there is what was asked for.
    assert_eq!(left, [("/d/b", ErrorKind::PermissionDenied), ("/d/d", ErrorKind::Unavailable)]);
    assert_eq!(fixture.server.keys(BUCKET), ["d/b", "d/d", "d/e"]);
}

#[tokio::test]
async fn a_tree_of_which_a_batch_leaves_a_file_is_not_deleted() {
    // One of the first batch, and one of the second.
    for key in ["d/0007", "d/1400"] {
        let fixture = Fixture::new().await;
        (0..1500).for_each(|number| fixture.server.put_object(BUCKET, &format!("d/{number:04}"), "x"));
        fixture.server.leave_undeleted(BUCKET, key, "AccessDenied");
        let error = fixture.storage.delete(&fixture.context, &path("/d"), DeleteOptions::tree()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(fixture.server.object(BUCKET, key).is_some());
    }
}
