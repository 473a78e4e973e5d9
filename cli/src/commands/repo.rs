//! `blobstore repo`

use std::io::Write;

use blobstore::RepositoryName;
use clap::{Args, Subcommand};

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::interrupt;
use crate::output::{standard_output, unwritable, write_json_line};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ls(List),
    Tags(Tags),
    Rm(Remove),
}

/// List the repositories that have manifests
///
/// In the order of their names with a `/` behind each, and no further than asked for.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Begin behind this repository, which need not exist
    #[arg(long, value_name = "NAME")]
    after: Option<RepositoryName>,
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Print a JSON string a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

/// List the tags of a repository, and the manifest that each names
#[derive(Debug, Args)]
pub(crate) struct Tags {
    /// The repository
    repository: RepositoryName,
    /// Print a JSON object a line: tag and digest
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

/// Delete repositories: their tags, manifests, links and uploads
///
/// Repositories below stay, and the content of the blobs until `blobstore gc`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The repositories
    #[arg(required = true)]
    repositories: Vec<RepositoryName>,
    /// Tell which tags would go, and delete nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(command: Command) -> Result {
    match command {
        Command::Ls(arguments) => list(arguments).await,
        Command::Tags(arguments) => tags(arguments).await,
        Command::Rm(arguments) => remove(arguments).await,
    }
}

async fn list(arguments: List) -> Result {
    let context = interrupt::context();
    let namespace = arguments.backend.namespace().await?;
    let mut repositories = namespace.repositories(arguments.after.as_ref());
    let mut output = standard_output();
    for _ in 0..arguments.limit {
        let Some(name) = repositories.next(&context).await? else { break };
        if arguments.json {
            write_json_line(&mut output, &name.as_str())?;
        } else {
            writeln!(output, "{name}").map_err(unwritable)?;
        }
    }
    output.flush().map_err(unwritable)
}

async fn tags(arguments: Tags) -> Result {
    let context = interrupt::context();
    let tags = arguments.backend.namespace().await?.repository(arguments.repository).tags();
    let mut output = standard_output();
    for tag in tags.all(&context).await? {
        let digest = match tags.get(&context, &tag).await {
            Ok(digest) => digest,
            // It went meanwhile.
            Err(error) if error.is_unknown() => continue,
            Err(error) => return Err(error.into()),
        };
        if arguments.json {
            let line = serde_json::json!({ "tag": tag.as_str(), "digest": digest });
            write_json_line(&mut output, &line)?;
        } else {
            writeln!(output, "{tag}  {digest}").map_err(unwritable)?;
        }
    }
    output.flush().map_err(unwritable)
}

async fn remove(arguments: Remove) -> Result {
    let context = interrupt::context();
    let namespace = arguments.backend.namespace().await?;
    let mut first = None;
    for name in arguments.repositories {
        let repository = namespace.repository(name);
        let removed = if arguments.dry_run {
            match repository.tags().all(&context).await {
                Ok(tags) => {
                    tags.iter().try_for_each(|tag| {
                        crate::output::print(&format!("would delete {}:{tag}\n", repository.name()))
                    })?;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        } else {
            repository.delete(&context).await
        };
        if let Err(error) = removed {
            let told = Failure::from(error).told();
            first.get_or_insert(told);
        }
    }
    first.map_or(Ok(()), Err)
}
