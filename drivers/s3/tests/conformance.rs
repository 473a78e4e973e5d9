//! The driver keeps the contract, on a server that keeps S3's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::sync::Arc;

use conformance::Instance;
use driver_s3::S3Driver;
use s3_server::S3Server;

use crate::fixture::{BUCKET, options};

conformance::suite!(|| async {
    let server = Arc::new(S3Server::start().await.unwrap());
    server.create_bucket(BUCKET);
    let options = options(&server);
    let (behind, foreign) = (server.clone(), server.clone());
    Instance::new(S3Driver::new(options.clone()).unwrap())
        .with_reopen(move || S3Driver::new(options.clone()).unwrap())
        .with_leftovers(move || {
            let uploads = behind.uploads(BUCKET).into_iter().map(|upload| format!("an upload of {}", upload.key));
            // What was planted past the driver is not the driver's to remove.
            let is_ours = |key: &String| behind.object(BUCKET, key).is_some_and(|object| object.content != b"foreign");
            let left: Vec<_> = uploads.chain(behind.keys(BUCKET).into_iter().filter(is_ours)).collect();
            async move { Ok(left) }
        })
        .with_foreign_entries(move |directory| {
            let prefix = directory.relative();
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            for name in ["", "/b", "white space", "caf\u{e9}", "~", "tilde~", "control\u{1}", "100%", "1+1", "./x"] {
                foreign.put_object(BUCKET, &format!("{prefix}{name}"), "foreign");
            }
            async { Ok(()) }
        })
        .keeping(server)
});
