//! `blobstore blob`

use std::path::PathBuf;

use blobstore::blob::{BlobIngester, BlobProvider, BlobStatter};
use blobstore::{Algorithm, Digest, Hasher, LinkedBlobs, RepositoryName, UploadOptions};
use bytes::BytesMut;
use clap::{Args, Subcommand};
use driver_api::Context;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::output::{print, standard_output, unwritable, write_json_line};
use crate::{interrupt, transfer};

/// Bytes that are read from a file at a time.
const CHUNK: usize = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Stat(Stat),
    Cat(Cat),
    Put(Put),
}

/// Tell the canonical digest and the size of a blob
#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// The repository
    repository: RepositoryName,
    /// The digest
    digest: Digest,
    /// Print a JSON object: digest and size
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

/// Write a blob to standard output, and fail if it is not what its digest says
#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// The repository
    repository: RepositoryName,
    /// The digest
    digest: Digest,
    #[command(flatten)]
    backend: Backend,
}

/// Store a file as a blob, and print its digest
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The repository
    repository: RepositoryName,
    /// The file
    file: PathBuf,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(command: Command) -> Result {
    let context = interrupt::context();
    match command {
        Command::Stat(Stat { repository, digest, json, backend }) => {
            let blobs = backend.namespace().await?.repository(repository).blobs();
            let found = blobs.stat(&context, &digest).await?;
            if json {
                let line = serde_json::json!({ "digest": found.digest, "size": found.size });
                return write_json_line(&mut standard_output(), &line);
            }
            print(&format!("{}  {}\n", found.digest, found.size))
        }
        Command::Cat(Cat { repository, digest, backend }) => {
            cat(&context, &backend.namespace().await?.repository(repository).blobs(), &digest).await
        }
        Command::Put(Put { repository, file, backend }) => {
            put(&context, &backend.namespace().await?.repository(repository).blobs(), &file).await
        }
    }
}

async fn cat(context: &Context, blobs: &LinkedBlobs, digest: &Digest) -> Result {
    let mut reader = blobs.open(context, digest).await?;
    let progress = transfer::progress(&digest.to_string(), Some(reader.descriptor().size));
    let (mut output, mut hasher) = (tokio::io::stdout(), Hasher::new(digest.algorithm()));
    while let Some(chunk) = reader.next_chunk(context).await? {
        hasher.update(&chunk);
        // Whoever reads the output may be slow, or never come.
        tokio::select! {
            ended = context.ended() => return Err(ended.into()),
            written = output.write_all(&chunk) => written.map_err(unwritable)?,
        }
        progress.inc(chunk.len() as u64);
    }
    output.flush().await.map_err(unwritable)?;
    progress.finish_and_clear();
    match hasher.digest() {
        found if found == *digest => Ok(()),
        found => Err(Failure::new(format!("the blob is damaged: what was written has the digest {found}"))),
    }
}

async fn put(context: &Context, blobs: &LinkedBlobs, path: &std::path::Path) -> Result {
    let unreadable = |error| Failure::local(path.display(), &error);
    let mut file = File::open(path).await.map_err(unreadable)?;
    let size = file.metadata().await.map_err(unreadable)?.len();
    let mut options = UploadOptions::default();
    options.size_hint = Some(size);
    let mut upload = blobs.create(context, options).await?;
    let progress = transfer::progress(&path.display().to_string(), Some(size));
    let mut hasher = Hasher::new(Algorithm::CANONICAL);
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        while chunk.len() < CHUNK && file.read_buf(&mut chunk).await.map_err(unreadable)? > 0 {}
        if chunk.is_empty() {
            break;
        }
        hasher.update(&chunk);
        progress.inc(chunk.len() as u64);
        upload.write(context, chunk.freeze()).await?;
    }
    let stored = upload.commit(context, &hasher.digest(), None).await.map_err(|failure| failure.error)?;
    progress.finish_and_clear();
    print(&format!("{}\n", stored.digest))
}
