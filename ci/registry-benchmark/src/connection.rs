//! HTTP/1.1 at the least cost, so that what is measured is the other side.

use blobstore::media_type;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    address: String,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The path and the query of `Location`.
    pub(crate) location: Option<String>,
    /// Bytes of the body.
    pub(crate) bytes: u64,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address: address.to_owned(), buffer: vec![0; 256 * 1024] })
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        self.send_as(method, path, "application/octet-stream", body).await
    }

    /// Sends a request, and reads the answer without keeping its body.
    pub(crate) async fn send_as(&mut self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept: {}\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            // Without it the Go registry has no such manifest.
            media_type::OCI_MANIFEST,
            body.len()
        )
        .into_bytes();
        // A small request goes out in one piece.
        if body.len() <= 16 * 1024 {
            head.extend_from_slice(body);
            self.stream.write_all(&head).await?;
        } else {
            self.stream.write_all(&head).await?;
            self.stream.write_all(body).await?;
        }
        self.answer(method == "HEAD").await
    }

    async fn answer(&mut self, is_head: bool) -> Result<Answer> {
        let mut filled = 0;
        let end = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err("the connection was closed".into());
            }
            filled += read;
            if let Some(end) = self.buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..end])?;
        let status = head.get(9..12).ok_or("no status")?.parse()?;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(": ")?;
                found.eq_ignore_ascii_case(name).then_some(value)
            })
        };
        let bytes: u64 = header("content-length").map_or(Ok(0), str::parse)?;
        let prefix = format!("http://{}", self.address);
        let location = header("location").map(|location| location.strip_prefix(&prefix).unwrap_or(location).to_owned());
        if !is_head {
            let mut left = bytes.saturating_sub((filled - end) as u64);
            while left > 0 {
                let read = self.stream.read(&mut self.buffer).await?;
                if read == 0 {
                    return Err("the connection was closed within a body".into());
                }
                left = left.saturating_sub(read as u64);
            }
        }
        Ok(Answer { status, location, bytes })
    }
}
