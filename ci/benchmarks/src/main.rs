//! Measures the drivers side by side with other storage crates and with raw system calls: in one process, in turns.

mod contest;
mod memory;
mod object_store_store;
mod opendal_store;
mod ours;
mod raw;
mod report;
mod rows;
mod scale;
mod statistics;
mod subject;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::report::{Comparison, Measured, MeasuredRow, Report};
use crate::rows::{Row, rows};
use crate::statistics::median;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// Threads of the runtime on which everything runs.
const WORKERS: usize = 2;

/// Measures the drivers side by side with other storage crates and with raw system calls.
///
/// Ends with 1 where a row is behind its limit: the whole interval of its ratio is above it.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many rounds each row has; rows whose rounds take seconds have fewer.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// Only the rows whose name contains this. May be repeated.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// Where the files of the filesystem rows are made, and removed again; a temporary directory where none is given.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write everything measured into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure the memory of one contestant in one row, and nothing else.
    #[arg(long, hide = true)]
    memory_of: Option<String>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let chosen = |row: &Row| arguments.only.is_empty() || arguments.only.iter().any(|part| row.name.contains(part));
    let rows: Vec<_> = rows().into_iter().filter(chosen).collect();
    if rows.is_empty() {
        return Err("no row has such a name".into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    runtime.block_on(async {
        match &arguments.memory_of {
            Some(contestant) => answer_memory(&rows, contestant, &parent).await,
            None => run(&arguments, &rows, &parent).await,
        }
    })
}

async fn answer_memory(rows: &[Row], contestant: &str, parent: &Path) -> Result<ExitCode> {
    let [row] = rows else { return Err("memory is measured for one row at a time".into()) };
    let directory = scratch(parent)?;
    println!("{}", memory::measure(row, contestant, directory.path()).await?);
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: &Arguments, rows: &[Row], parent: &Path) -> Result<ExitCode> {
    let processors = std::thread::available_parallelism()?.get();
    println!("{processors} processors, {WORKERS} workers; files below {}", parent.display());
    println!(
        "filesystem rows: ours with durability `process`; opendal syncs every file it writes, and cannot be told not to\n"
    );
    // Removed at the end and not between the rows, because of what freed inodes cost whoever makes the next files.
    let scratch = scratch(parent)?;
    let mut report = Report { processors, rows: Vec::new() };
    for row in rows {
        let measured = measure(row, usize::from(arguments.rounds), scratch.path()).await?;
        println!("{measured}");
        report.rows.push(measured);
    }
    if let Some(file) = &arguments.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    let behind: Vec<_> = report.behind().map(|row| row.name.as_str()).collect();
    if behind.is_empty() {
        println!("no row is behind");
        return Ok(ExitCode::SUCCESS);
    }
    println!("behind: {}", behind.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Runs a row: a round of each in turn, another first each time, so that none always follows the same one.
async fn measure(row: &Row, rounds: usize, parent: &Path) -> Result<MeasuredRow> {
    let rounds = rounds.min(row.most_rounds);
    let mut contestants = row.contestants(&parent.join(row.name.replace(' ', "-")))?;
    for contestant in &mut contestants {
        contestant.prepare(rounds).await.map_err(|error| format!("{}: {}: {error}", row.name, contestant.name()))?;
    }
    let mut seconds = vec![Vec::with_capacity(rounds); contestants.len()];
    // Round 0 is there to warm up.
    for round in 0..=rounds {
        for turn in 0..contestants.len() {
            let at = (turn + round) % contestants.len();
            let contestant = &mut contestants[at];
            let took = contestant.round(round).await;
            let took = took.map_err(|error| format!("{}: {}: {error}", row.name, contestant.name()))?;
            if round > 0 {
                seconds[at].push(took.as_secs_f64());
            }
        }
    }
    let names: Vec<_> = contestants.iter().map(|contestant| contestant.name()).collect();
    drop(contestants);
    let peaks: Vec<_> = names
        .iter()
        .map(|name| row.streams().then(|| memory::peak_of(row, name, parent)).transpose())
        .collect::<Result<_>>()?;
    let limits = std::iter::once(None).chain(row.limits.iter().copied().map(Some));
    let measured =
        names.into_iter().zip(peaks).zip(limits).enumerate().map(|(at, ((name, peak_bytes), limit))| Measured {
            name,
            nanoseconds_per_operation: median(&seconds[at]) * 1e9 / row.operations() as f64,
            comparison: limit.map(|limit| Comparison::new(&seconds[0], &seconds[at], limit)),
            seconds: seconds[at].clone(),
            peak_bytes,
        });
    Ok(MeasuredRow {
        name: row.name.clone(),
        rounds,
        operations_per_round: row.operations(),
        contestants: measured.collect(),
    })
}

fn scratch(parent: &Path) -> Result<tempfile::TempDir> {
    std::fs::create_dir_all(parent)?;
    Ok(tempfile::Builder::new().prefix("benchmark-").tempdir_in(parent)?)
}
