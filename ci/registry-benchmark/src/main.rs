//! Measures the registry side by side with Debian's docker-registry: the same requests, on the same disk, in turns.

mod connection;
mod rows;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::rows::{ROWS, Row, Subject};
use crate::server::Server;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// Threads of this process; the registries have as many processors as there are, and share them with it.
const WORKERS: usize = 2;

/// Measures the registry side by side with Debian's docker-registry.
#[derive(Debug, Parser)]
struct Arguments {
    /// The binary `blobstore`.
    #[arg(long)]
    ours: PathBuf,
    /// The binary `docker-registry`.
    #[arg(long)]
    theirs: PathBuf,
    /// Where both keep what they store, and what is removed again; a temporary directory where none is given.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// How many rounds each row has, of which the median counts.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long a round of many requests lasts, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    milliseconds: u64,
    /// The size of large blobs, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    size: usize,
    /// Only the rows whose name contains this. May be repeated.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(run(&arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: &Arguments) -> Result<()> {
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let scratch = tempfile::Builder::new().prefix("registry-benchmark-").tempdir_in(parent)?;
    let ours = Server::start("ours", &arguments.ours, scratch.path()).await?;
    let theirs = Server::start("theirs", &arguments.theirs, scratch.path()).await?;
    let idle = [ours.memory()?.now, theirs.memory()?.now];
    let size = arguments.size * 1024 * 1024;
    let subjects = [Subject::prepare(&ours, size).await?, Subject::prepare(&theirs, size).await?];
    println!("{:<24} {:>12} {:>12} {:>8}", "row", "ours", "theirs", "ratio");
    let is_chosen =
        |row: &&Row| arguments.only.is_empty() || arguments.only.iter().any(|part| row.name.contains(part.as_str()));
    for row in ROWS.iter().filter(is_chosen) {
        let duration = Duration::from_millis(arguments.milliseconds);
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..arguments.rounds {
            // Neither always comes first.
            for turn in [usize::from(round % 2), usize::from(round % 2 == 0)] {
                rates[turn].push(row.measure(&subjects[turn], duration).await?);
            }
        }
        let [ours, theirs] = rates.map(median);
        println!("{:<24} {ours:>8.0} {:<3} {theirs:>8.0} {:<3} {:>8.2}", row.name, row.unit, row.unit, ours / theirs);
    }
    println!("\n{:<24} {:>12} {:>12}", "memory, MiB", "ours", "theirs");
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1024 * 1024);
    println!("{:<24} {:>12.1} {:>12.1}", "idle", mebibytes(idle[0]), mebibytes(idle[1]));
    let peaks = [ours.memory()?.peak, theirs.memory()?.peak];
    println!("{:<24} {:>12.1} {:>12.1}", "peak", mebibytes(peaks[0]), mebibytes(peaks[1]));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
