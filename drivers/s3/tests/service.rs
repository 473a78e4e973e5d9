//! What the driver makes of the service: keys, headers, sessions of several processes, and messages that help.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::time::Duration;

use driver_api::{
    CommitOptions, DeleteOptions, ErrorKind, GetOptions, ListOptions, PutOptions, StorageDriver, UrlMethod, UrlOptions,
    WriteOptions,
};
use driver_s3::{Acl, Credentials, Encryption, S3Driver, S3Options, Secret};
use futures_util::TryStreamExt;
use s3_server::{ACCESS_KEY, Fault, Injection, Operation, S3Server, SECRET_KEY, ServerOptions};

use crate::fixture::{BUCKET, Fixture, MIB, content, options, path};

#[tokio::test]
async fn a_root_of_odd_characters_holds_files_that_can_be_copied_and_listed() {
    let root = "my reg\u{ee}stry/100% + more";
    let fixture =
        Fixture::with(ServerOptions::default(), |options| S3Options { root: root.to_owned(), ..options }).await;
    let (storage, context) = (&fixture.storage, &fixture.context);
    fixture.server.put_object(BUCKET, "outside", "x");
    for size in [10, 6 * MIB] {
        storage.put(context, &path("/d/a"), content(size), PutOptions::default()).await.unwrap();
        storage.move_to(context, &path("/d/a"), &path("/d/b")).await.unwrap();
        assert_eq!(storage.get(context, &path("/d/b"), GetOptions::default()).await.unwrap().1, content(size));
    }
    assert_eq!(fixture.server.keys(BUCKET), [format!("{root}/d/b"), "outside".to_owned()]);
    let listed = storage.list(context, &path("/"), ListOptions::recursive()).await.unwrap().collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    storage.delete(context, &path("/d"), DeleteOptions::tree()).await.unwrap();
    assert_eq!(fixture.server.keys(BUCKET), ["outside"]);
}

#[tokio::test]
async fn what_is_stored_has_the_class_the_encryption_and_the_rights_of_the_settings() {
    let fixture = Fixture::with(ServerOptions::default(), |options| S3Options {
        storage_class: Some("STANDARD_IA".to_owned()),
        encryption: Some(Encryption::Kms { key_id: Some("key".to_owned()) }),
        acl: Some(Acl::BucketOwnerFullControl),
        ..options
    })
    .await;
    let (storage, context) = (&fixture.storage, &fixture.context);
    storage.put(context, &path("/put"), content(10), PutOptions::default()).await.unwrap();
    for (from, to, size) in [("/put", "/copied", 10), ("/large", "/copied-in-parts", 6 * MIB)] {
        if from == "/large" {
            let mut writer = storage.writer(context, &path(from), WriteOptions::default()).await.unwrap();
            writer.write(context, content(size)).await.unwrap();
            writer.write(context, content(1)).await.unwrap();
            writer.commit(context, CommitOptions::default()).await.unwrap();
        }
        let stored = fixture.server.object(BUCKET, &from[1..]).unwrap();
        assert_eq!(stored.storage_class.as_deref(), Some("STANDARD_IA"), "{from}");
        storage.move_to(context, &path(from), &path(to)).await.unwrap();
        let stored = fixture.server.object(BUCKET, &to[1..]).unwrap();
        assert_eq!(stored.storage_class.as_deref(), Some("STANDARD_IA"), "{to}");
        assert_eq!(stored.encryption.as_deref(), Some("aws:kms"));
        assert_eq!(stored.kms_key_id.as_deref(), Some("key"));
        assert_eq!(stored.acl.as_deref(), Some("bucket-owner-full-control"));
    }
}

#[tokio::test]
async fn conditions_are_offered_only_where_the_settings_say_that_they_are_honoured() {
    let ignoring = ServerOptions { honours_conditions: false, ..ServerOptions::default() };
    let fixture = Fixture::with(ignoring, |options| S3Options { conditional_writes: false, ..options }).await;
    let capabilities = fixture.driver.capabilities();
    let offered = [
        capabilities.put.if_absent,
        capabilities.put.if_match,
        capabilities.commit.if_absent,
        capabilities.commit.if_match,
        capabilities.delete_if_match,
    ];
    assert_eq!(offered, [false; 5]);
    assert!(S3Driver::new(options(&fixture.server)).unwrap().capabilities().put.if_absent);
}

#[tokio::test]
async fn another_process_goes_on_where_one_was_killed_in_the_middle_of_a_part() {
    let fixture = Fixture::new().await;
    let (context, file) = (&fixture.context, path("/a"));
    let whole = content(23 * MIB);
    let mut writer = fixture.storage.writer(context, &file, WriteOptions::default()).await.unwrap();
    writer.write(context, whole.slice(..7 * MIB)).await.unwrap();
    writer.close(context).await.unwrap();
    // This one sends a part that it never keeps, and is gone without a word.
    let mut killed = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    killed.write(context, content(9 * MIB)).await.unwrap();
    killed.write(context, content(1)).await.unwrap();
    std::mem::forget(killed);
    let other = fixture.other_process();
    for until in [12 * MIB, 12 * MIB + 1, 23 * MIB] {
        let mut writer = other.writer(context, &file, WriteOptions::append()).await.unwrap();
        let from = writer.size() as usize;
        writer.write(context, whole.slice(from..until)).await.unwrap();
        assert_eq!(writer.close(context).await.unwrap(), until as u64);
    }
    let writer = other.writer(context, &file, WriteOptions::append()).await.unwrap();
    writer.commit(context, CommitOptions::default()).await.unwrap();
    assert_eq!(fixture.storage.get(context, &file, GetOptions::default()).await.unwrap().1, whole);
    assert_eq!((fixture.server.keys(BUCKET).len(), fixture.server.uploads(BUCKET).len()), (1, 0));
}

#[tokio::test]
async fn two_processes_on_one_session_never_mix_their_bytes() {
    let fixture = Fixture::new().await;
    let (context, file, other) = (&fixture.context, path("/a"), fixture.other_process());
    let mut writer = fixture.storage.writer(context, &file, WriteOptions::default()).await.unwrap();
    writer.write(context, content(11 * MIB)).await.unwrap();
    writer.close(context).await.unwrap();
    let (ours, theirs) = (vec![b'o'; 11 * MIB], vec![b't'; 11 * MIB]);
    let mut one = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    let mut two = other.writer(context, &file, WriteOptions::append()).await.unwrap();
    one.write(context, ours.clone().into()).await.unwrap();
    two.write(context, theirs.into()).await.unwrap();
    one.close(context).await.unwrap();
    // The second has sent parts of the same numbers; what it keeps of the first is nothing.
    drop(two);
    let resumed = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    match resumed.commit(context, CommitOptions::default()).await {
        Ok(_) => {
            let expected = [content(11 * MIB).to_vec(), ours].concat();
            assert_eq!(fixture.storage.get(context, &file, GetOptions::default()).await.unwrap().1, expected);
        }
        Err(failure) => assert_eq!(failure.error.kind(), ErrorKind::Conflict),
    }
}

#[tokio::test]
async fn a_session_of_more_parts_than_a_page_is_continued() {
    let small = ServerOptions { part_minimum: 1, page: 3, ..ServerOptions::default() };
    let fixture = Fixture::with(small, |options| options).await;
    let (context, file, whole) = (&fixture.context, path("/a"), content(41 * MIB));
    for from in (0..41).step_by(10) {
        let mut writer = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
        assert_eq!(writer.size(), (from * MIB) as u64);
        writer.write(context, whole.slice(from * MIB..((from + 10) * MIB).min(whole.len()))).await.unwrap();
        writer.close(context).await.unwrap();
    }
    assert!(fixture.server.uploads(BUCKET)[0].parts.len() > 3);
    let writer = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    writer.commit(context, CommitOptions::default()).await.unwrap();
    assert_eq!(fixture.storage.get(context, &file, GetOptions::default()).await.unwrap().1, whole);
}

#[tokio::test]
async fn orphaned_uploads_are_found_past_pages_and_kept_ones_are_left() {
    let fixture = Fixture::with(ServerOptions { page: 2, ..ServerOptions::default() }, |options| options).await;
    let (storage, context) = (&fixture.storage, &fixture.context);
    let mut kept = storage.writer(context, &path("/kept"), WriteOptions::default()).await.unwrap();
    kept.write(context, content(6 * MIB)).await.unwrap();
    kept.close(context).await.unwrap();
    for number in 0..5 {
        let mut lost =
            storage.writer(context, &path(&format!("/d/lost{number}")), WriteOptions::default()).await.unwrap();
        lost.write(context, content(6 * MIB)).await.unwrap();
        lost.write(context, content(MIB)).await.unwrap();
        std::mem::forget(lost);
    }
    assert_eq!(fixture.driver.orphaned_uploads(Duration::from_secs(3600)).await.unwrap(), []);
    // Times have whole seconds.
    while fixture.driver.orphaned_uploads(Duration::ZERO).await.unwrap().len() < 5 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for orphan in fixture.driver.orphaned_uploads(Duration::ZERO).await.unwrap() {
        fixture.driver.abort_orphaned_upload(&orphan).await.unwrap();
    }
    let left: Vec<_> = fixture.server.uploads(BUCKET).into_iter().map(|upload| upload.key).collect();
    assert_eq!(left, ["kept"]);
}

#[tokio::test]
async fn a_writer_that_supersedes_a_session_aborts_its_upload() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    for ending in ["close", "commit", "cancel"] {
        let mut old = storage.writer(context, &file, WriteOptions::default()).await.unwrap();
        old.write(context, content(6 * MIB)).await.unwrap();
        old.close(context).await.unwrap();
        assert_eq!(fixture.server.uploads(BUCKET).len(), 1);
        let mut new = storage.writer(context, &file, WriteOptions::default()).await.unwrap();
        new.write(context, content(10)).await.unwrap();
        match ending {
            "close" => drop(new.close(context).await.unwrap()),
            "commit" => drop(new.commit(context, CommitOptions::default()).await.unwrap()),
            _ => new.cancel(context).await.unwrap(),
        }
        assert_eq!(fixture.server.uploads(BUCKET), [], "{ending}");
        let kept: Vec<_> = storage.unfinished(context, &file).await.unwrap().try_concat().await.unwrap();
        assert_eq!(
            kept.iter().map(|session| session.size).collect::<Vec<_>>(),
            if ending == "close" { vec![10] } else { vec![] }
        );
    }
}

#[tokio::test]
async fn a_dropped_writer_aborts_its_upload() {
    let fixture = Fixture::new().await;
    let mut writer = fixture.storage.writer(&fixture.context, &path("/a"), WriteOptions::default()).await.unwrap();
    writer.write(&fixture.context, content(12 * MIB)).await.unwrap();
    writer.write(&fixture.context, content(MIB)).await.unwrap();
    assert_eq!(fixture.server.uploads(BUCKET).len(), 1);
    drop(writer);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while !fixture.server.uploads(BUCKET).is_empty() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_commit_that_somebody_else_has_ended_is_a_conflict() {
    let fixture = Fixture::new().await;
    let (context, file) = (&fixture.context, path("/a"));
    let mut writer = fixture.storage.writer(context, &file, WriteOptions::default()).await.unwrap();
    writer.write(context, content(6 * MIB)).await.unwrap();
    writer.close(context).await.unwrap();
    let one = fixture.storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    let two = fixture.other_process().writer(context, &file, WriteOptions::append()).await.unwrap();
    one.commit(context, CommitOptions::default()).await.unwrap();
    fixture.storage.put(context, &file, content(5), PutOptions::default()).await.unwrap();
    let failure = two.commit(context, CommitOptions::default()).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn what_is_too_large_for_one_copy_is_moved_in_parts_that_are_not() {
    const LARGEST: usize = 6 * MIB;
    let small = ServerOptions { copy_maximum: LARGEST as u64, ..ServerOptions::default() };
    let limits = |options| S3Options { copy_threshold: LARGEST as u64, copy_part_size: LARGEST as u64, ..options };
    let fixture = Fixture::with(small, limits).await;
    let (storage, context) = (&fixture.storage, &fixture.context);
    for size in [LARGEST, LARGEST + 1, 2 * LARGEST, 4 * LARGEST + 1] {
        fixture.server.put_object(BUCKET, "from", content(size));
        fixture.requests();
        storage.move_to(context, &path("/from"), &path("/to")).await.unwrap();
        let copies = if size == LARGEST { 0 } else { size.div_ceil(LARGEST) };
        assert_eq!(fixture.requests().of(Operation::UploadPartCopy), copies);
        assert!(fixture.server.object(BUCKET, "to").unwrap().content == content(size), "{size}");
    }
}

#[tokio::test]
async fn signed_urls_serve_whoever_has_them() {
    let fixture = Fixture::new().await;
    fixture.server.put_object(BUCKET, "d/a", "hello");
    let file = path("/d/a");
    let url = |method| {
        let options = UrlOptions::default().with_method(method).with_lifetime(Duration::from_millis(90_500));
        fixture.storage.url_for(&fixture.context, &file, options)
    };
    let get = url(UrlMethod::Get).await.unwrap().unwrap();
    assert!(get.query().unwrap().contains("X-Amz-Expires=91"));
    assert!(answer("GET", &get).await.ends_with("hello"));
    assert!(answer("HEAD", &url(UrlMethod::Head).await.unwrap().unwrap()).await.contains("200 OK"));
    let elsewhere = S3Options { url_endpoint: Some("https://cdn.example".to_owned()), ..options(&fixture.server) };
    let elsewhere = S3Driver::new(elsewhere).unwrap();
    let url = elsewhere.url_for(&fixture.context, &file, UrlOptions::default()).await.unwrap().unwrap();
    assert_eq!((url.host_str(), url.path()), (Some("cdn.example"), "/bucket/d/a"));
}

/// What a plain HTTP client gets.
async fn answer(method: &str, url: &driver_api::Url) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut socket = tokio::net::TcpStream::connect(&host).await.unwrap();
    let target = format!("{}?{}", url.path(), url.query().unwrap());
    let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn each_mistake_of_a_configuration_has_a_message_of_its_own() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    let right = options(&server);
    let key = |access_key: &str, secret: &str| Credentials::Key {
        access_key: access_key.to_owned(),
        secret_key: Secret::new(secret),
        session_token: None,
    };
    S3Driver::new(right.clone()).unwrap().check_connection().await.unwrap();
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cases = [
        (
            S3Options { endpoint: Some(format!("http://{unused}")), ..right.clone() },
            ErrorKind::Unavailable,
            "can't be reached: look at the endpoint, the network, the region and path_style (`forcepathstyle`",
        ),
        (
            S3Options { endpoint: Some("http://no.such.host.invalid".into()), ..right.clone() },
            ErrorKind::Unavailable,
            "can't be reached",
        ),
        (
            S3Options { bucket: "other".to_owned(), ..right.clone() },
            ErrorKind::Misconfigured,
            "has no bucket \"other\"",
        ),
        (
            S3Options { region: Some("mars".to_owned()), ..right.clone() },
            ErrorKind::Misconfigured,
            "another region than \"mars\"",
        ),
        (
            S3Options { credentials: key(ACCESS_KEY, "wrong"), ..right.clone() },
            ErrorKind::PermissionDenied,
            "look at the credentials",
        ),
        (
            S3Options { credentials: key("AKNOBODY", SECRET_KEY), ..right.clone() },
            ErrorKind::PermissionDenied,
            "look at the credentials",
        ),
    ];
    for (options, kind, message) in cases {
        let error = S3Driver::new(options).unwrap().check_connection().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message) && !error.to_string().contains("proxy"), "{error}");
    }
    for (code, message) in [("RequestTimeTooSkewed", "set the clock"), ("AccessDenied", "s3:ListBucket")] {
        server.inject(Injection::new(Fault::Refuse { status: 403, code }).once());
        let error = S3Driver::new(right.clone()).unwrap().check_connection().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.request_id().is_some());
    }
    server.inject(Injection::new(Fault::Garbage).once());
    let error = S3Driver::new(right).unwrap().check_connection().await.unwrap_err();
    assert!(error.to_string().contains("does not answer as an S3 service does"), "{error}");
}

#[tokio::test]
async fn a_missing_bucket_is_never_a_missing_file() {
    let fixture =
        Fixture::with(ServerOptions::default(), |options| S3Options { bucket: "gone".to_owned(), ..options }).await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    let errors = [
        storage.get(context, &file, GetOptions::default()).await.unwrap_err(),
        storage.stat(context, &file).await.unwrap_err(),
        storage.list(context, &file, ListOptions::default()).await.map(drop).unwrap_err(),
        storage.put(context, &file, content(1), PutOptions::default()).await.unwrap_err(),
        storage.delete(context, &file, DeleteOptions::default()).await.unwrap_err(),
        storage.delete(context, &file, DeleteOptions::tree()).await.unwrap_err(),
        storage.move_to(context, &file, &path("/b")).await.unwrap_err(),
        storage.abandon(context, &file).await.unwrap_err(),
        storage.writer(context, &file, WriteOptions::append()).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
    }
}

#[tokio::test]
async fn refused_and_throttled_requests_are_never_missing_files() {
    let fixture = Fixture::new().await;
    let (storage, context, file) = (&fixture.storage, &fixture.context, path("/a"));
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::PermissionDenied),
        (503, "SlowDown", ErrorKind::Unavailable),
        (500, "InternalError", ErrorKind::Unavailable),
    ] {
        let inject = || fixture.server.inject(Injection::new(Fault::Refuse { status, code }).once());
        inject();
        assert_eq!(storage.stat(context, &file).await.unwrap_err().kind(), kind);
        inject();
        assert_eq!(storage.get(context, &file, GetOptions::default()).await.unwrap_err().kind(), kind);
        inject();
        assert_eq!(storage.delete(context, &file, DeleteOptions::default()).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn a_small_file_and_a_session_are_encrypted_alike_and_the_session_has_no_rights_and_no_class() {
    let kms = Encryption::Kms { key_id: Some("key".to_owned()) };
    for (encryption, name, key) in [(Encryption::Aes256, "AES256", None), (kms, "aws:kms", Some("key"))] {
        let fixture = Fixture::with(ServerOptions::default(), |options| S3Options {
            storage_class: Some("STANDARD_IA".to_owned()),
            encryption: Some(encryption),
            acl: Some(Acl::PublicRead),
            ..options
        })
        .await;
        let (storage, context) = (&fixture.storage, &fixture.context);
        storage.put(context, &path("/put"), content(10), PutOptions::default()).await.unwrap();
        let mut writer = storage.writer(context, &path("/kept"), WriteOptions::default()).await.unwrap();
        writer.write(context, content(10)).await.unwrap();
        writer.close(context).await.unwrap();
        for (stored, class, acl) in [("put", Some("STANDARD_IA"), Some("public-read")), ("~/kept~", None, None)] {
            let object = fixture.server.object(BUCKET, stored).unwrap();
            assert_eq!((object.storage_class.as_deref(), object.acl.as_deref()), (class, acl), "{stored}");
            assert_eq!((object.encryption.as_deref(), object.kms_key_id.as_deref()), (Some(name), key), "{stored}");
        }
    }
}
