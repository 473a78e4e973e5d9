//! No error, no debug print and no line of a log shows a secret, whatever goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::time::Duration;

use driver_api::{Storage, UrlOptions};
use driver_s3::{Credentials, S3Driver, S3Options, Secret, Timeouts};
use s3_server::{ACCESS_KEY, Fault, Injection, SECRET_KEY, ServerOptions};

use crate::fixture::{BUCKET, Fixture, content, path};
use crate::object_store::log::Log;
use crate::object_store::outputs::{shown, told};

const WRONG_KEY: &str = "wrong-but-nobodys-business";
const TOKEN: &str = "token-of-a-session-that-nobody-may-see";

#[tokio::test]
async fn nothing_shows_a_secret() {
    let log = Log::default();
    // Of this thread, on which the whole test runs.
    let _logging = tracing::subscriber::set_default(log.clone());
    let timeouts = Timeouts { answer: Duration::from_millis(100), ..Timeouts::default() };
    let fixture = Fixture::with(ServerOptions::default(), |options| S3Options { timeouts, ..options }).await;
    let right = fixture.options();
    let key = |secret: &str, token: Option<&str>| Credentials::Key {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: Secret::new(secret),
        session_token: token.map(Secret::new),
    };
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = [
        right.clone(),
        S3Options { credentials: key(WRONG_KEY, None), ..right.clone() },
        S3Options { credentials: key(SECRET_KEY, Some(TOKEN)), ..right.clone() },
        S3Options { endpoint: Some(format!("http://{unused}")), ..right.clone() },
        S3Options { bucket: "missing".to_owned(), ..right.clone() },
    ];
    let faults = [
        None,
        Some(Fault::Refuse { status: 403, code: "SignatureDoesNotMatch" }),
        Some(Fault::Refuse { status: 500, code: "InternalError" }),
        Some(Fault::Break),
        Some(Fault::CutBody(3)),
        Some(Fault::Garbage),
        Some(Fault::GarbageHeaders),
        Some(Fault::Hang),
    ];
    let mut outputs = Vec::new();
    for (options, fault) in settings.iter().flat_map(|options| faults.iter().map(move |fault| (options, fault))) {
        fixture.server.clear_injections();
        fixture.server.put_object(BUCKET, "a", content(10));
        let driver = S3Driver::new(options.clone()).unwrap();
        outputs.push(format!("{options:?} {driver:?}"));
        if let Some(fault) = fault {
            fixture.server.inject(Injection::new(fault.clone()));
        }
        outputs.extend(driver.check_connection().await.err().as_ref().map(told));
        outputs.extend(driver.orphaned_uploads(Duration::ZERO).await.err().as_ref().map(told));
        outputs.extend(shown(&Storage::new(driver)).await);
    }
    // What signs is in the URL; what it signs with is not.
    let url = fixture.storage.url_for(&fixture.context, &path("/a"), UrlOptions::default()).await.unwrap().unwrap();
    outputs.push(url.to_string());
    let logged = log.take();
    assert!(logged.contains("path="), "nothing was logged");
    for output in outputs.iter().chain([&logged]) {
        for secret in [SECRET_KEY, WRONG_KEY, TOKEN] {
            let at = output.find(secret);
            assert_eq!(at, None, "{secret} in an output of {} bytes", output.len());
        }
    }
    let signed = outputs.iter().filter(|output| output.contains("Signature=")).count();
    assert_eq!((signed, logged.contains("Signature=")), (1, false), "a signature is in more than the URL");
}
