//! HTTP as it is spoken.

use blobstore::Digest;
use registry::ServerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Reads an answer whose body has a length.
async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = Vec::new();
    let end = loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        text.push(byte[0]);
        if text.ends_with(b"\r\n\r\n") {
            break String::from_utf8(text).unwrap();
        }
    };
    let length = end.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    (end[9..12].parse().unwrap(), end)
}

#[tokio::test]
async fn a0_10_bodies_without_a_length_are_taken() {
    let served = Served::plain().await;
    let mut stream = served.connect().await;
    let digest = Digest::of(b"some content");
    let head =
        format!("POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"5\r\nsome \r\n7\r\ncontent\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 201);
}

#[tokio::test]
async fn a0_10_a_client_may_wait_to_be_told_to_go_on() {
    let served = Served::plain().await;
    let mut stream = served.connect().await;
    let digest = Digest::of(b"content");
    let head = format!(
        "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 7\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"content").await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 201);
}

#[tokio::test]
async fn a0_8_a_refused_body_does_not_spoil_the_connection() {
    let served = Served::plain().await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        stream
            .write_all(b"PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
            .await
            .unwrap();
        stream.write_all(&[b'x'; 100_000]).await.unwrap();
        assert_eq!(answer(&mut stream).await.0, 404);
    }
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 200);
}

#[tokio::test]
async fn a2_2_a_head_tells_the_length_on_the_wire() {
    let served = Served::plain().await;
    for content in [&b""[..], b"content"] {
        let mut stream = served.connect().await;
        let digest = Digest::of(content);
        let head = format!(
            "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            content.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(content).await.unwrap();
        assert_eq!(answer(&mut stream).await.0, 201);
        let head = format!("HEAD /v2/a/blobs/{digest} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let text = served.talk(head.as_bytes()).await.to_ascii_lowercase();
        assert!(text.contains(&format!("content-length: {}\r\n", content.len())), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_stops_ends_what_is_at_hand() {
    let mut served = Served::start(RegistryOptions::default(), ServerOptions::default()).await;
    let mut stream = served.connect().await;
    let digest = Digest::of(b"content");
    let head = format!(
        "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    served.stop.take().unwrap().send(()).unwrap();
    stream.write_all(b"content").await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 201);
    served.serving.await.unwrap();
    assert!(TcpStream::connect(&served.address).await.is_err());
}
