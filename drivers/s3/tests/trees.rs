//! Trees of more than one batch.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use driver_api::{Context, DeleteOptions, ErrorKind, Storage, StoragePath};
use driver_s3::{Credentials, S3Driver, S3Options, Secret};
use s3_server::{ACCESS_KEY, Fault, Injection, Operation, S3Server, SECRET_KEY};

const BUCKET: &str = "bucket";
/// Six batches: more than are on their way at once.
const FILES: usize = 5_500;

/// Whichever batch fails, done or not, the tree still shows, so that whoever repeats the delete is not told that there was none.
#[tokio::test]
async fn a_batch_that_fails_leaves_a_tree_that_can_be_deleted_again() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    let credentials = Credentials::Key {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: Secret::new(SECRET_KEY),
        session_token: None,
    };
    let endpoint = Some(server.endpoint());
    let options = S3Options { endpoint, path_style: true, credentials, ..S3Options::new(BUCKET) };
    let storage = Storage::new(S3Driver::new(options).unwrap());
    let (context, tree) = (Context::background(), StoragePath::parse("/tree").unwrap());
    for batch in 0..5 {
        (0..FILES).for_each(|number| server.put_object(BUCKET, &format!("tree/{number}"), "x"));
        server.inject(Injection::new(Fault::LoseAnswer).on(Operation::DeleteObjects).after(batch).once());
        let error = storage.delete(&context, &tree, DeleteOptions::tree()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let left = server.keys(BUCKET).len();
        assert!((1_000..FILES).contains(&left), "{left} files are left");
        storage.delete(&context, &tree, DeleteOptions::tree()).await.unwrap();
        assert!(server.keys(BUCKET).is_empty());
    }
}
