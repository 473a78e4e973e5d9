//! The proxy that the environment names is the one that is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use std::process::Stdio;
use std::time::Duration;

use driver_api::{Context, ErrorKind, PutOptions, Storage};
use driver_s3::{S3Driver, S3Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::fixture::{content, options_at, path};

/// Which endpoint a child process is to ask.
const ENDPOINT: &str = "DRIVER_TEST_ENDPOINT";
const TOO_LONG: Duration = Duration::from_secs(60);

/// Not a test of its own: what the child processes of the tests below run. The environment of this one is everybody's.
#[tokio::test]
async fn child_process() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let driver = S3Driver::new(S3Options { region: Some("us-east-1".to_owned()), ..options_at(endpoint) }).unwrap();
    let error = driver.check_connection().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("look at") && error.message().contains("the proxy"), "{error}");
    assert!(!format!("{error:?}").contains("secret-of-proxy"), "{error:?}");
    let storage = Storage::new(driver.clone());
    storage.put(&Context::background(), &path("/a"), content(1), PutOptions::default()).await.unwrap_err();
    // By Amazon's client, where all before was the driver's own.
    driver.orphaned_uploads(Duration::ZERO).await.unwrap_err();
}

/// The first lines and the authorization of what a proxy is asked, by a process that is to ask `endpoint`. The proxy refuses.
async fn asked(variable: &str, endpoint: &str) -> Vec<String> {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:secret-of-proxy@{}", proxy.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    let child = child.args(["--exact", "child_process"]).env(ENDPOINT, endpoint).env(variable, url);
    let mut child = child.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut heard = Vec::new();
    let ended = loop {
        let mut connection = tokio::select! {
            accepted = proxy.accept() => accepted.unwrap().0,
            ended = child.wait() => break ended.unwrap(),
        };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n")
            && let Ok(byte) = connection.read_u8().await
        {
            request.push(byte);
        }
        if request.is_empty() {
            continue;
        }
        let refusal = "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        // Who has gone without waiting for it needs none.
        let _ = connection.write_all(refusal.as_bytes()).await;
        heard.push(String::from_utf8(request).unwrap().to_lowercase());
    };
    assert!(ended.success(), "{heard:?}");
    heard
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_asked_for_every_request() {
    for (variable, endpoint, begins) in [
        ("HTTP_PROXY", "http://storage.example:9000", "get http://storage.example:9000/bucket/?list-type=2"),
        ("HTTPS_PROXY", "https://storage.example", "connect storage.example:443 "),
        ("ALL_PROXY", "https://storage.example:8443", "connect storage.example:8443 "),
    ] {
        let heard = tokio::time::timeout(TOO_LONG, asked(variable, endpoint)).await.unwrap();
        assert!(heard[0].starts_with(begins), "{variable}: {heard:?}");
        // A listing, a put, and a listing of uploads that is tried again.
        assert!(heard.len() >= 3, "{variable}: {heard:?}");
        let place = endpoint.split_once("//").unwrap().1;
        for request in &heard {
            assert!(request.contains("\r\nproxy-authorization: basic ") && request.contains(place), "{request}");
        }
    }
}
