//! Measures the stores: pushes beside what hashing and writing cost by themselves, small blobs, and upkeep of a large registry.

mod memory;
mod push;
mod small;
mod upkeep;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use blobstore::{Namespace, NamespaceOptions};
use clap::Parser;
use driver_api::layers::Prefix;
use driver_api::{Context, DeleteOptions, Storage, StoragePath};
use driver_factory::{Document, Factory};
use driver_filesystem::{FilesystemDriver, FilesystemDurability, FilesystemOptions};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// Measures the stores. Ends with 1 where a figure is behind its limit.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these parts: push, small, upkeep.
    #[arg(long, value_delimiter = ',', default_value = "push,small,upkeep")]
    only: Vec<String>,
    /// The size of the large blob, in MiB.
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// Rounds of the push.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How many small blobs are pushed and pulled.
    #[arg(long, default_value_t = 10_000)]
    small: usize,
    /// How many contents the large registry has.
    #[arg(long, default_value_t = 100_000)]
    blobs: usize,
    /// How many links it has.
    #[arg(long, default_value_t = 1_000_000)]
    links: usize,
    /// A storage of this configuration file for the small blobs and the upkeep, below a prefix of their own; the filesystem where
    /// none is given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where files are made, and removed again; a temporary directory where none is given.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Arguments {
    fn wants(&self, part: &str) -> bool {
        self.only.iter().any(|wanted| wanted == part)
    }
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&parent)?;
    let scratch = tempfile::Builder::new().prefix("stores-").tempdir_in(parent)?;
    let mut is_behind = false;
    if arguments.wants("push") {
        is_behind |= push::measure(scratch.path(), arguments.size, arguments.rounds).await?;
    }
    let whole = match &arguments.config {
        None => filesystem(&scratch.path().join("registry"))?,
        Some(file) => configured(file).await?,
    };
    let name = scratch.path().file_name().and_then(|name| name.to_str()).ok_or("the scratch directory has no name")?;
    let own = StoragePath::root().child(name)?;
    let storage = whole.layered(Prefix::new(own.clone()));
    if arguments.wants("small") {
        small::measure(&storage, arguments.small).await?;
    }
    if arguments.wants("upkeep") {
        is_behind |= upkeep::measure(&storage, arguments.blobs, arguments.links).await?;
    }
    match whole.delete(&Context::background(), &own, DeleteOptions::tree()).await {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    Ok(if is_behind { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// As durable as what is measured beside it: against the kill of the process.
fn filesystem(root: &Path) -> Result<Storage> {
    let mut options = FilesystemOptions::new(root);
    options.durability = FilesystemDurability::Process;
    Ok(Storage::new(FilesystemDriver::new(options)?))
}

/// The storage of a configuration file.
async fn configured(file: &Path) -> Result<Storage> {
    let document = Document::parse(&file.to_string_lossy(), &std::fs::read_to_string(file)?)?;
    Ok(Factory::builtin().read(document, [])?.backend.open().await?)
}

fn namespace(storage: &Storage) -> Namespace {
    let mut options = NamespaceOptions::default();
    options.delete_enabled = true;
    Namespace::new(storage.clone(), options)
}
