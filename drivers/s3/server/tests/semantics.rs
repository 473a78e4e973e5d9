//! The server behaves as Amazon documents S3, seen through Amazon's own client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use aws_sdk_s3::{Client, Config};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use s3_server::{ACCESS_KEY, Fault, Injection, Operation, REGION, S3Server, SECRET_KEY, ServerOptions};

const BUCKET: &str = "bucket";
const MIB: usize = 1 << 20;

struct Fixture {
    server: S3Server,
    client: Client,
}

fn client(server: &S3Server, secret: &str, region: &'static str) -> Client {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(region))
        .endpoint_url(server.endpoint())
        .force_path_style(true)
        .credentials_provider(Credentials::new(ACCESS_KEY, secret, None, None, "tests"))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

async fn fixture_with(options: ServerOptions) -> Fixture {
    let server = S3Server::start_with(options).await.unwrap();
    server.create_bucket(BUCKET);
    let client = client(&server, SECRET_KEY, REGION);
    Fixture { server, client }
}

async fn fixture() -> Fixture {
    fixture_with(ServerOptions::default()).await
}

impl Fixture {
    fn put(
        &self,
        key: &str,
        content: &'static [u8],
    ) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
        self.client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(content))
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        let answer = self.client.get_object().bucket(BUCKET).key(key).send().await.map_err(|error| code(&error))?;
        answer.body.collect().await.map(|body| body.to_vec()).map_err(|error| error.to_string())
    }

    async fn begin(&self, key: &str) -> String {
        let answer = self.client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
        answer.upload_id.unwrap()
    }

    async fn part(&self, key: &str, upload: &str, number: i32, size: usize) -> CompletedPart {
        let part = self.client.upload_part().bucket(BUCKET).key(key).upload_id(upload).part_number(number);
        let answer = part.body(vec![number as u8; size].into()).send().await.unwrap();
        CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build()
    }

    async fn complete(&self, key: &str, upload: &str, parts: Vec<CompletedPart>) -> Result<(), String> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(upload);
        complete.multipart_upload(parts).send().await.map(drop).map_err(|error| code(&error))
    }
}

/// The error code, or the status where an answer has no body, or what kind of failure it is.
fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    match error {
        SdkError::ServiceError(failure) => {
            let code = failure.err().code().map(str::to_owned);
            code.unwrap_or_else(|| failure.raw().status().as_u16().to_string())
        }
        SdkError::DispatchFailure(_) => "broken".to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::ResponseError(_) => "garbage".to_owned(),
        _ => "other".to_owned(),
    }
}

#[tokio::test]
async fn conditions_on_writes_hold_and_have_one_winner() {
    let fixture = fixture().await;
    let first = fixture.put("a", b"1").send().await.unwrap().e_tag.unwrap();
    let refused = fixture.put("a", b"2").if_none_match("*").send().await.unwrap_err();
    assert_eq!(code(&refused), "PreconditionFailed");
    assert_eq!(code(&fixture.put("a", b"2").if_match("\"other\"").send().await.unwrap_err()), "PreconditionFailed");
    assert_eq!(code(&fixture.put("missing", b"2").if_match(&first).send().await.unwrap_err()), "NoSuchKey");
    fixture.put("a", b"2").if_match(&first).send().await.unwrap();
    assert_eq!(fixture.get("a").await.unwrap(), b"2");
    let delete = fixture.client.delete_object().bucket(BUCKET).key("a");
    assert_eq!(code(&delete.clone().if_match(&first).send().await.unwrap_err()), "PreconditionFailed");

    let races = (0..16).map(|_| fixture.put("raced", b"x").if_none_match("*").send());
    let won = futures_util::future::join_all(races).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn conditions_can_be_ignored_as_some_services_do() {
    let options = ServerOptions { honours_conditions: false, ..ServerOptions::default() };
    let fixture = fixture_with(options).await;
    fixture.put("a", b"1").send().await.unwrap();
    fixture.put("a", b"2").if_none_match("*").send().await.unwrap();
    assert_eq!(fixture.get("a").await.unwrap(), b"2");
}

#[tokio::test]
async fn uploads_are_checked_as_a_whole() {
    let fixture = fixture().await;
    let upload = fixture.begin("big").await;
    let small = fixture.part("big", &upload, 1, 5 * MIB - 1).await;
    let second = fixture.part("big", &upload, 2, 10).await;
    let complete = |parts: Vec<CompletedPart>| fixture.complete("big", &upload, parts);
    assert_eq!(complete(vec![small.clone(), second.clone()]).await.unwrap_err(), "EntityTooSmall");
    let first = fixture.part("big", &upload, 1, 5 * MIB).await;
    assert_eq!(complete(vec![small, second.clone()]).await.unwrap_err(), "InvalidPart");
    assert_eq!(complete(vec![second.clone(), first.clone()]).await.unwrap_err(), "InvalidPartOrder");
    assert_eq!(complete(vec![]).await.unwrap_err(), "MalformedXML");
    assert_eq!(fixture.server.uploads(BUCKET)[0].parts.len(), 2);
    complete(vec![first.clone(), second.clone()]).await.unwrap();
    assert_eq!(fixture.get("big").await.unwrap().len(), 5 * MIB + 10);
    assert_eq!(complete(vec![first, second]).await.unwrap_err(), "NoSuchUpload");
    assert_eq!(fixture.server.uploads(BUCKET), []);
}

#[tokio::test]
async fn parts_and_uploads_come_in_pages() {
    let fixture = fixture_with(ServerOptions { page: 2, ..ServerOptions::default() }).await;
    let upload = fixture.begin("k").await;
    for number in [3, 1, 2] {
        fixture.part("k", &upload, number, 1).await;
    }
    let list = || fixture.client.list_parts().bucket(BUCKET).key("k").upload_id(&upload);
    let page = list().send().await.unwrap();
    assert_eq!(page.parts().iter().filter_map(|part| part.part_number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(page.is_truncated, Some(true));
    let page = list().part_number_marker(page.next_part_number_marker.unwrap()).send().await.unwrap();
    assert_eq!(page.parts().iter().filter_map(|part| part.part_number).collect::<Vec<_>>(), [3]);

    let second = fixture.begin("k").await;
    let third = fixture.begin("l").await;
    let list = || fixture.client.list_multipart_uploads().bucket(BUCKET);
    let ids = |page: &aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput| {
        page.uploads().iter().filter_map(|upload| upload.upload_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&list().send().await.unwrap()), [upload.clone(), second.clone()]);
    assert_eq!(ids(&list().upload_id_marker(&second).send().await.unwrap()), [upload.clone(), second.clone()]);
    assert_eq!(ids(&list().key_marker("k").upload_id_marker(&upload).send().await.unwrap()), [second, third.clone()]);
    assert_eq!(ids(&list().key_marker("k").send().await.unwrap()), [third]);
}

#[tokio::test]
async fn listings_come_in_pages_with_prefixes() {
    let fixture = fixture_with(ServerOptions { page: 2, ..ServerOptions::default() }).await;
    for key in ["d/1", "d/2", "d-x", "d.x", "d0", "odd key é+"] {
        fixture.server.put_object(BUCKET, key, "x");
    }
    let list = fixture.client.list_objects_v2().bucket(BUCKET).delimiter("/");
    let mut seen = Vec::new();
    let mut pages = list.clone().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count.unwrap() <= 2);
        seen.extend(page.contents().iter().filter_map(|object| object.key.clone()));
        seen.extend(page.common_prefixes().iter().filter_map(|prefix| prefix.prefix.clone()));
    }
    assert_eq!(seen, ["d-x", "d.x", "d0", "d/", "odd key é+"]);
    let encoded = list.clone().encoding_type("url".into()).start_after("d0").send().await.unwrap();
    assert_eq!(encoded.contents()[0].key(), Some("odd+key+%C3%A9%2B"));
    let behind = list.start_after("d/").max_keys(1).send().await.unwrap();
    assert_eq!(behind.common_prefixes()[0].prefix(), Some("d/"));
}

#[tokio::test]
async fn copies_have_conditions_ranges_and_a_limit() {
    let fixture = fixture_with(ServerOptions { copy_maximum: 4, ..ServerOptions::default() }).await;
    fixture.put("four", b"1234").metadata("note", "kept").send().await.unwrap();
    fixture.put("five", b"12345").send().await.unwrap();
    let copy =
        |from: &str| fixture.client.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/{from}"));
    copy("four").send().await.unwrap();
    assert_eq!(fixture.server.object(BUCKET, "copy").unwrap().metadata["note"], "kept");
    assert_eq!(code(&copy("five").send().await.unwrap_err()), "InvalidRequest");
    assert_eq!(code(&copy("none").send().await.unwrap_err()), "NoSuchKey");
    let stale = copy("four").copy_source_if_match("\"x\"").send().await.unwrap_err();
    assert_eq!(code(&stale), "PreconditionFailed");

    let upload = fixture.begin("parts").await;
    let part = fixture.client.upload_part_copy().bucket(BUCKET).key("parts").upload_id(&upload).part_number(1);
    let part = part.copy_source(format!("{BUCKET}/five"));
    assert_eq!(code(&part.clone().copy_source_range("bytes=3-5").send().await.unwrap_err()), "InvalidRange");
    assert_eq!(code(&part.clone().send().await.unwrap_err()), "InvalidRequest");
    part.copy_source_range("bytes=1-4").send().await.unwrap();
    assert_eq!(fixture.server.uploads(BUCKET)[0].parts[&1], 4);
}

#[tokio::test]
async fn deletes_in_batches_take_what_is_missing_too() {
    let fixture = fixture().await;
    fixture.put("a", b"").send().await.unwrap();
    let named = ["a", "b"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(named.to_vec())).build().unwrap();
    let answer = fixture.client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((answer.deleted().len(), answer.errors().len()), (2, 0));
    assert!(fixture.server.keys(BUCKET).is_empty());
}

#[tokio::test]
async fn ranges_end_where_the_object_does() {
    let fixture = fixture().await;
    fixture.put("a", b"0123456789").send().await.unwrap();
    fixture.put("empty", b"").send().await.unwrap();
    let get = |key: &str, range: &str| fixture.client.get_object().bucket(BUCKET).key(key).range(range).send();
    let part = get("a", "bytes=7-99").await.unwrap();
    assert_eq!(part.content_range.as_deref(), Some("bytes 7-9/10"));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"789");
    assert_eq!(code(&get("a", "bytes=10-").await.unwrap_err()), "InvalidRange");
    assert_eq!(code(&get("empty", "bytes=0-").await.unwrap_err()), "InvalidRange");
}

#[tokio::test]
async fn signed_urls_work_until_they_expire_and_nothing_works_unsigned() {
    let fixture = fixture().await;
    fixture.put("a", b"1").send().await.unwrap();
    let head = fixture.client.head_object().bucket(BUCKET).key("a");
    let lasting = head.presigned(PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()).await.unwrap();
    assert_eq!(status("HEAD", lasting.uri()).await, 200);
    assert_eq!(status("HEAD", &lasting.uri().replace("/a?", "/b?")).await, 403);
    let past = std::time::SystemTime::now() - Duration::from_secs(60);
    let expired = PresigningConfig::builder().start_time(past).expires_in(Duration::from_secs(1)).build().unwrap();
    let expired = fixture.client.get_object().bucket(BUCKET).key("a").presigned(expired).await.unwrap();
    assert_eq!(status("GET", expired.uri()).await, 403);
    assert_eq!(status("GET", &format!("{}/{BUCKET}/a", fixture.server.endpoint())).await, 403);
}

/// The status that a plain HTTP client gets.
async fn status(method: &str, uri: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = uri.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut socket = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn wrong_keys_regions_and_buckets_are_told_apart() {
    let fixture = fixture().await;
    let get = |client: Client, bucket: &'static str| async move {
        code(&client.get_object().bucket(bucket).key("a").send().await.unwrap_err())
    };
    assert_eq!(get(client(&fixture.server, "wrong", REGION), BUCKET).await, "SignatureDoesNotMatch");
    assert_eq!(get(client(&fixture.server, SECRET_KEY, "eu-west-9"), BUCKET).await, "AuthorizationHeaderMalformed");
    assert_eq!(get(fixture.client.clone(), "other").await, "NoSuchBucket");
    assert_eq!(get(fixture.client.clone(), BUCKET).await, "NoSuchKey");
}

#[tokio::test]
async fn requests_are_counted_and_go_wrong_as_planned() {
    let fixture = fixture().await;
    let inject = |fault: Fault| fixture.server.inject(Injection::new(fault).on(Operation::PutObject).once());
    inject(Fault::Refuse { status: 503, code: "SlowDown" });
    assert_eq!(code(&fixture.put("a", b"1").send().await.unwrap_err()), "SlowDown");
    assert_eq!(fixture.get("a").await.unwrap_err(), "NoSuchKey");
    inject(Fault::Break);
    assert_eq!(code(&fixture.put("a", b"1").send().await.unwrap_err()), "broken");
    assert!(fixture.server.object(BUCKET, "a").is_none());
    inject(Fault::LoseAnswer);
    assert_eq!(code(&fixture.put("a", b"1").send().await.unwrap_err()), "broken");
    assert_eq!(fixture.get("a").await.unwrap(), b"1");
    inject(Fault::DoAndRefuse { status: 500, code: "InternalError" });
    assert_eq!(code(&fixture.put("a", b"2").send().await.unwrap_err()), "InternalError");
    assert_eq!(fixture.get("a").await.unwrap(), b"2");
    fixture.server.inject(Injection::new(Fault::CutBody(3)).on(Operation::GetObject).at("/long").once());
    fixture.put("long", b"0123456789").send().await.unwrap();
    assert_eq!(fixture.get("a").await.unwrap(), b"2");
    assert!(fixture.get("long").await.is_err());
    assert_eq!(fixture.get("long").await.unwrap(), b"0123456789");
    let counted = [(Operation::PutObject, 5), (Operation::GetObject, 6)].into();
    assert_eq!(fixture.server.requests(), counted);
    assert_eq!(fixture.server.requests().total(), 0);
}

#[tokio::test]
async fn an_error_can_come_within_a_success() {
    let fixture = fixture().await;
    let upload = fixture.begin("k").await;
    let part = fixture.part("k", &upload, 1, 1).await;
    let fault = Fault::Refuse { status: 200, code: "InternalError" };
    fixture.server.inject(Injection::new(fault).on(Operation::CompleteMultipartUpload).once());
    assert_eq!(fixture.complete("k", &upload, vec![part.clone()]).await.unwrap_err(), "InternalError");
    fixture.complete("k", &upload, vec![part]).await.unwrap();
}

#[tokio::test]
async fn a_hanging_server_still_stops_when_dropped() {
    let fixture = fixture().await;
    fixture.server.inject(Injection::new(Fault::Hang));
    let get = tokio::spawn({
        let client = fixture.client.clone();
        async move { client.get_object().bucket(BUCKET).key("a").send().await.map(drop) }
    });
    while fixture.server.requests().total() == 0 {
        tokio::task::yield_now().await;
    }
    drop(fixture.server);
    assert!(get.await.unwrap().is_err());
}
