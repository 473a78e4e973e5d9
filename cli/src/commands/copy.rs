//! `blobstore copy`

use std::path::PathBuf;

use blobstore::upkeep::copy;
use blobstore::{Namespace, NamespaceOptions, RepositoryName};
use clap::Args;

use crate::backend::{Backend, open_file};
use crate::exit::{Failure, Result};
use crate::interrupt;
use crate::teller::Teller;

/// Copy repositories to another backend: manifests, tags, and all that they name
///
/// Every byte is verified on its way, and nothing is named before it is there. What is there already is left, so that a copy that
/// was stopped goes on, and a later one brings what is new.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration file of the backend to copy to
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Copy these repositories only; `name/*` means all below it. May be repeated
    #[arg(long, value_name = "NAME")]
    repository: Vec<Pattern>,
    /// Print a JSON object with the sums
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

/// A repository, or all below a name.
#[derive(Debug, Clone)]
enum Pattern {
    One(RepositoryName),
    Below(String),
}

impl std::str::FromStr for Pattern {
    type Err = blobstore::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_suffix("/*") {
            Some(name) => Self::Below(format!("{}/", name.parse::<RepositoryName>()?)),
            None => Self::One(text.parse()?),
        })
    }
}

impl Pattern {
    fn takes(&self, name: &RepositoryName) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Below(prefix) => name.as_str().starts_with(prefix),
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let from = arguments.backend.namespace().await?;
    let to = Namespace::new(open_file(&arguments.to).await?, NamespaceOptions::default());
    let patterns = &arguments.repository;
    let select = |name: &RepositoryName| patterns.is_empty() || patterns.iter().any(|pattern| pattern.takes(name));
    let mut teller = Teller::new(false, arguments.json);
    let done = copy(&from, &to, &context, &select, &mut |event| teller.tell(&event)).await?;
    let sums = serde_json::json!({
        "kind": "summary",
        "repositories": done.repositories,
        "manifests": done.manifests,
        "blobs": done.blobs,
        "bytes": done.bytes,
        "tags": done.tags,
        "problems": done.problems,
    });
    let text = format!(
        "{} repositories: {} manifests, {} blobs with {} bytes, {} tags",
        done.repositories, done.manifests, done.blobs, done.bytes, done.tags,
    );
    teller.end(&sums, &text)?;
    match done.problems {
        0 => Ok(()),
        problems => Err(Failure::new(format!("{problems} manifests or tags were not copied"))),
    }
}
