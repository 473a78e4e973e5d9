//! `moto`: a mock of Amazon's services in Python, as a process of its own on a port that was free.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::s3::S3Service;
use super::{Failure, Opened};

const BUCKET: &str = "suite";
/// Where its server is, and which version it has: `ci/compatibility-matrix` installs it and sets these.
const SERVER: &str = "MOTO_SERVER";
const VERSION: &str = "MOTO_VERSION";
/// How long it may take to come up.
const STARTING: Duration = Duration::from_secs(60);

pub(super) fn version() -> String {
    format!("moto {}", std::env::var(VERSION).unwrap_or_else(|_| "of an unknown version".to_owned()))
}

/// It looks at no signature.
pub(super) async fn open() -> Result<Opened, Failure> {
    let server = std::env::var(SERVER)
        .map_err(|_| format!("{SERVER} is not set; `ci/compatibility-matrix` installs moto and sets it"))?;
    let mut process = Command::new(server)
        .args(["--host", "127.0.0.1", "--port", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let address =
        tokio::time::timeout(STARTING, address(&mut process)).await.map_err(|_| "moto does not come up")??;
    create_bucket(&address).await?;
    let service = S3Service {
        endpoint: format!("http://{address}"),
        region: "us-east-1".to_owned(),
        bucket: BUCKET.to_owned(),
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
        conditional_writes: true,
    };
    Ok(Opened::keeping(service.target()?, process))
}

/// Waits for the line that tells where it listens; the lines behind it are read as well, or the process would wait for it.
async fn address(process: &mut Child) -> Result<String, Failure> {
    let output = process.stderr.take().ok_or("the server has no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, address)) = line.split_once("Running on http://") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address.trim().trim_end_matches('/').to_owned());
        }
    }
    Err("moto ended before it listened".into())
}

async fn create_bucket(address: &str) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("PUT /{BUCKET} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    if status.contains(" 200 ") { Ok(()) } else { Err(format!("moto made no bucket: {status}").into()) }
}
