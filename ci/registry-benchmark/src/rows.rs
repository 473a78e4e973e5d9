//! What is measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use blobstore::{Digest, media_type};

use crate::Result;
use crate::connection::Connection;
use crate::server::Server;

const REPOSITORY: &str = "library/benchmark";
const SMALL_BYTES: usize = 1024;
const PUSHED_BYTES: usize = 4096;

/// A row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    what: What,
}

enum What {
    /// As many requests as can be made over so many connections.
    Requests(usize, fn(&Subject) -> (&'static str, String)),
    /// As many new blobs as can be pushed over so many connections.
    Pushes(usize),
    LargePush,
    LargePull,
}

pub(crate) const ROWS: &[Row] = &[
    Row { name: "GET blob of 1 KiB", unit: "/s", what: What::Requests(32, |subject| ("GET", subject.blob.clone())) },
    Row { name: "HEAD blob", unit: "/s", what: What::Requests(32, |subject| ("HEAD", subject.blob.clone())) },
    Row {
        name: "GET manifest by tag",
        unit: "/s",
        what: What::Requests(32, |subject| ("GET", subject.manifest.clone())),
    },
    Row { name: "push 4 KiB, 1 at once", unit: "/s", what: What::Pushes(1) },
    Row { name: "push 4 KiB, 16 at once", unit: "/s", what: What::Pushes(16) },
    Row { name: "push large", unit: "MB/s", what: What::LargePush },
    Row { name: "pull large", unit: "MB/s", what: What::LargePull },
];

/// A registry with something in it.
#[derive(Clone)]
pub(crate) struct Subject {
    address: String,
    blob: String,
    manifest: String,
    large: String,
    content: Arc<Vec<u8>>,
}

impl Subject {
    /// Pushes what is read later. `size` is that of large blobs.
    pub(crate) async fn prepare(server: &Server, size: usize) -> Result<Self> {
        let mut connection = Connection::open(&server.address).await?;
        let mut content = vec![0; size];
        fastrand::fill(&mut content);
        let small = push(&mut connection, &vec![7; SMALL_BYTES]).await?;
        let config = push(&mut connection, b"{}").await?;
        let described = |kind: &str, digest: &Digest, size| {
            format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
        };
        let media_type = media_type::OCI_MANIFEST;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{},"layers":[{}]}}"#,
            described("application/vnd.oci.image.config.v1+json", &config, 2),
            described("application/vnd.oci.image.layer.v1.tar", &small, SMALL_BYTES)
        );
        let path = format!("/v2/{REPOSITORY}/manifests/latest");
        let answer = connection.send_as("PUT", &path, media_type, manifest.as_bytes()).await?;
        if answer.status != 201 {
            return Err(format!("a manifest was not taken: {}", answer.status).into());
        }
        let large = push(&mut connection, &content).await?;
        let blob = |digest| format!("/v2/{REPOSITORY}/blobs/{digest}");
        Ok(Self {
            address: server.address.clone(),
            blob: blob(small),
            manifest: path,
            large: blob(large),
            content: Arc::new(content),
        })
    }
}

/// Pushes a blob in two requests, as clients do.
async fn push(connection: &mut Connection, content: &[u8]) -> Result<Digest> {
    let digest = Digest::of(content);
    push_as(connection, content, &digest).await?;
    Ok(digest)
}

async fn push_as(connection: &mut Connection, content: &[u8], digest: &Digest) -> Result<()> {
    let begun = connection.send("POST", &format!("/v2/{REPOSITORY}/blobs/uploads/"), b"").await?;
    let upload = begun.location.ok_or_else(|| format!("no upload began: {}", begun.status))?;
    let separator = if upload.contains('?') { '&' } else { '?' };
    let answer = connection.send("PUT", &format!("{upload}{separator}digest={digest}"), content).await?;
    if answer.status == 201 { Ok(()) } else { Err(format!("a blob was not taken: {}", answer.status).into()) }
}

impl Row {
    /// How much of it was done in a second.
    pub(crate) async fn measure(&self, subject: &Subject, duration: Duration) -> Result<f64> {
        match self.what {
            What::Requests(connections, request) => {
                let (method, path) = request(subject);
                at_once(connections, subject, duration, move |mut connection| {
                    let path = path.clone();
                    async move {
                        let answer = connection.send(method, &path, b"").await?;
                        if answer.status == 200 { Ok(connection) } else { Err(format!("{}", answer.status).into()) }
                    }
                })
                .await
            }
            What::Pushes(connections) => {
                at_once(connections, subject, duration, |mut connection| async move {
                    let mut content = vec![0; PUSHED_BYTES];
                    fastrand::fill(&mut content);
                    push(&mut connection, &content).await.map(|_| connection)
                })
                .await
            }
            What::LargePush => {
                // New to the registry, and named before the clock runs.
                let mut content = subject.content.to_vec();
                fastrand::fill(&mut content[..16]);
                let digest = Digest::of(&content);
                let mut connection = Connection::open(&subject.address).await?;
                let begun = Instant::now();
                push_as(&mut connection, &content, &digest).await?;
                Ok(content.len() as f64 / 1e6 / begun.elapsed().as_secs_f64())
            }
            What::LargePull => {
                let mut connection = Connection::open(&subject.address).await?;
                let begun = Instant::now();
                let answer = connection.send("GET", &subject.large, b"").await?;
                Ok(answer.bytes as f64 / 1e6 / begun.elapsed().as_secs_f64())
            }
        }
    }
}

/// Does something over and over on each of several connections; how often in a second, all together.
async fn at_once<F, A>(connections: usize, subject: &Subject, duration: Duration, once: F) -> Result<f64>
where
    F: Fn(Connection) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Connection>> + Send,
{
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(Connection::open(&subject.address).await?);
    }
    let begun = Instant::now();
    let workers: Vec<_> = opened
        .into_iter()
        .map(|mut connection| {
            let once = once.clone();
            tokio::spawn(async move {
                let mut done = 0_u32;
                while begun.elapsed() < duration {
                    connection = once(connection).await?;
                    done += 1;
                }
                Ok::<_, crate::Failure>(done)
            })
        })
        .collect();
    let mut done = 0;
    for worker in workers {
        done += worker.await??;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}
