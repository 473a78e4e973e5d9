//! That nothing is there is the service's word, and not that of something before it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use driver_api::{
    ByteRange, CommitOptions, DeleteOptions, Entry, ErrorKind, GetOptions, PutOptions, Retry, WriteOptions,
};
use s3_server::{Fault, Injection, Operation};

use crate::fixture::{BUCKET, Fixture, MIB, content, path};

/// A HEAD has no body: this is all that a gateway and a service can answer to one.
const NOTHING: Fault = Fault::Refuse { status: 404, code: "NotFound" };

/// Lets each HEAD be answered by something that knows nothing.
fn hide(fixture: &Fixture) {
    fixture.server.inject(Injection::new(NOTHING).on(Operation::HeadObject));
}

#[tokio::test]
async fn a_head_that_finds_nothing_where_the_listing_shows_the_file_is_no_answer() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    let mut writer = storage.writer(context, &path("/s"), WriteOptions::default()).await.unwrap();
    writer.write(context, content(6 * MIB)).await.unwrap();
    writer.close(context).await.unwrap();
    storage.put(context, &file, content(10), PutOptions::default()).await.unwrap();
    // Both begin with the key of the file, and come behind it.
    fixture.server.put_object(BUCKET, "a-b", "x");
    fixture.server.put_object(BUCKET, "a/b", "x");
    let before = fixture.server.keys(BUCKET);
    hide(&fixture);
    let empty = GetOptions::default().with_range(ByteRange::span(3, 0));
    let errors = [
        ("stat", storage.stat(context, &file).await.unwrap_err()),
        ("get", storage.get(context, &file, empty).await.unwrap_err()),
        ("delete", storage.delete(context, &file, DeleteOptions::default()).await.unwrap_err()),
        ("delete of a tree", storage.delete(context, &file, DeleteOptions::tree()).await.unwrap_err()),
        ("move", storage.move_to(context, &file, &path("/b")).await.unwrap_err()),
        ("abandon", storage.abandon(context, &path("/s")).await.unwrap_err()),
    ];
    for (call, error) in errors {
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe), "{call}: {error}");
    }
    assert_eq!(fixture.server.keys(BUCKET), before);
}

#[tokio::test]
async fn what_a_put_without_an_answer_has_stored_is_not_absent_because_a_head_finds_nothing() {
    for (size, publishing) in [(10, Operation::PutObject), (6 * MIB, Operation::CompleteMultipartUpload)] {
        let fixture = Fixture::new().await;
        let context = &fixture.context;
        let mut writer = fixture.storage.writer(context, &path("/a"), WriteOptions::append()).await.unwrap();
        writer.write(context, content(size)).await.unwrap();
        fixture.inject(publishing, Fault::DoAndRefuse { status: 500, code: "InternalError" });
        hide(&fixture);
        let failure = writer.commit(context, CommitOptions::default()).await.unwrap_err();
        let error = failure.error;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied), "{error}");
        fixture.server.clear_injections();
        failure.writer.unwrap().commit(context, CommitOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_delete_without_an_answer_has_not_happened_because_a_head_finds_nothing() {
    let fixture = Fixture::new().await;
    fixture.server.put_object(BUCKET, "a", "x");
    fixture.inject(Operation::DeleteObject, Fault::Refuse { status: 500, code: "InternalError" });
    fixture.server.inject(Injection::new(NOTHING).on(Operation::HeadObject).after(1));
    let deleted = fixture.storage.delete(&fixture.context, &path("/a"), DeleteOptions::default()).await;
    assert_eq!(deleted.unwrap_err().retry(), Retry::MaybeApplied);
}

#[tokio::test]
async fn a_directory_is_told_from_its_siblings() {
    let fixture = Fixture::new().await;
    let stat = async |at: &str| fixture.storage.stat(&fixture.context, &path(at)).await;
    for key in ["a-b", "a.b/c", "b/c", "b0", "c0", "d/", "d/~"] {
        fixture.server.put_object(BUCKET, key, "x");
    }
    let directory = |at: &str| Entry::Directory(path(at));
    for nothing in ["/a", "/c", "/d", "/e"] {
        assert_eq!(stat(nothing).await.unwrap_err().kind(), ErrorKind::NotFound, "{nothing}");
    }
    assert_eq!(stat("/b").await.unwrap(), directory("/b"));
    for key in ["a/c", "d/e"] {
        fixture.server.put_object(BUCKET, key, "x");
    }
    for at in ["/a", "/d"] {
        assert_eq!(stat(at).await.unwrap(), directory(at));
    }
}
