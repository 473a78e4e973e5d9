//! `blobstore manifest`

use std::path::PathBuf;
use std::str::FromStr;

use blobstore::{Digest, Manifests, Repository, RepositoryName, Tag};
use clap::{Args, Subcommand};
use driver_api::Context;
use tokio::io::AsyncWriteExt;

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::interrupt;
use crate::output::{print, unwritable};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Get(Get),
    Put(Put),
    Rm(Remove),
}

/// A tag, or a digest.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    Tag(Tag),
    Digest(Digest),
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.contains(':') {
            true => text.parse().map(Self::Digest).map_err(|error: blobstore::DigestError| error.to_string()),
            false => text.parse().map(Self::Tag).map_err(|error: blobstore::NameError| error.to_string()),
        }
    }
}

/// Write a manifest to standard output, byte by byte
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The repository
    repository: RepositoryName,
    /// A tag or a digest
    name: Name,
    #[command(flatten)]
    backend: Backend,
}

/// Store a manifest, whose blobs must be in the repository, and print its digest
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The repository
    repository: RepositoryName,
    /// The file with the manifest
    file: PathBuf,
    /// A tag that is to name it. May be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<Tag>,
    /// Its media type, where it does not say so itself
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
    #[command(flatten)]
    backend: Backend,
}

/// Delete a tag, or a manifest with all tags that name it
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The repository
    repository: RepositoryName,
    /// A tag or a digest
    name: Name,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(command: Command) -> Result {
    let context = interrupt::context();
    match command {
        Command::Get(Get { repository, name, backend }) => {
            get(&context, &backend.namespace().await?.repository(repository), &name).await
        }
        Command::Put(arguments) => put(&context, arguments).await,
        Command::Rm(Remove { repository, name, backend }) => {
            let repository = backend.namespace().await?.repository(repository);
            match name {
                Name::Tag(tag) => repository.tags().delete(&context, &tag).await?,
                Name::Digest(digest) => repository.manifests().delete(&context, &digest).await?,
            }
            Ok(())
        }
    }
}

async fn get(context: &Context, repository: &Repository, name: &Name) -> Result {
    let digest = match name {
        Name::Tag(tag) => repository.tags().get(context, tag).await?,
        Name::Digest(digest) => *digest,
    };
    let manifest = repository.manifests().get(context, &digest).await?;
    let mut output = tokio::io::stdout();
    output.write_all(manifest.content()).await.map_err(unwritable)?;
    output.flush().await.map_err(unwritable)
}

async fn put(context: &Context, arguments: Put) -> Result {
    let content = tokio::fs::read(&arguments.file).await;
    let content = content.map_err(|error| Failure::local(arguments.file.display(), &error))?;
    let manifests: Manifests = arguments.backend.namespace().await?.repository(arguments.repository).manifests();
    let media_type = arguments.media_type.as_deref();
    let pushed = manifests.put(context, media_type, content.into(), None, &arguments.tag).await?;
    print(&format!("{}\n", pushed.descriptor.digest))
}
