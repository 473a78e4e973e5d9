//! Measures the drivers side by side with other storage crates, and with raw system calls or a service's own client: in one
//! process, in turns.

mod azure_sdk;
mod contest;
mod memory;
mod object_store_store;
mod opendal_store;
mod ours;
mod raw;
mod report;
mod rows;
mod s3_sdk;
mod scale;
mod services;
mod statistics;
mod subject;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::report::{Comparison, Measured, MeasuredRow, Report};
use crate::rows::{Extent, Row, Suite, rows};
use crate::statistics::median;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// Threads of the runtime on which everything runs.
const WORKERS: usize = 2;

/// Measures the drivers side by side with other storage crates, and with raw system calls or a service's own client.
///
/// Ends with 1 where a row is behind its limit: the whole interval of its ratio is above it.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is measured.
    suite: Suite,
    /// How many rounds each row has; rows whose rounds take seconds have fewer.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// How many rounds those rows have whose rounds take seconds; where none is given, 7 on this machine, 5 on a service, and 3 for
    /// the tree that is deleted on Azurite.
    #[arg(long, value_name = "ROUNDS", value_parser = clap::value_parser!(u16).range(3..))]
    few: Option<u16>,
    /// The size of streams, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..))]
    size: u16,
    /// The files of a tree that is deleted, a multiple of 100.
    #[arg(long, value_name = "FILES", default_value_t = 10_000, value_parser = files_of_tree)]
    tree: usize,
    /// Only the row of this name, or else those whose name contains this. May be repeated.
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
    /// The directory of a service that everything is made below; a new one where none is given.
    #[arg(long, hide = true)]
    root: Option<String>,
}

impl Arguments {
    fn extent(&self) -> Extent {
        Extent { few: self.few.map(usize::from), mebibytes: usize::from(self.size), tree: self.tree }
    }
}

/// A tree has as many files in each of its directories.
fn files_of_tree(text: &str) -> Result<usize> {
    let files = text.parse()?;
    if files == 0 || files % contest::PARTS != 0 {
        return Err(format!("not a multiple of {}", contest::PARTS).into());
    }
    Ok(files)
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    // Only a provider that is there already is an error, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = arguments.root.clone().unwrap_or_else(|| format!("benchmark-{:016x}", fastrand::u64(..)));
    let rows = chosen(rows(arguments.suite, arguments.extent(), &root)?, &arguments.only);
    if rows.is_empty() {
        return Err("no row has such a name".into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    runtime.block_on(async {
        match &arguments.memory_of {
            Some(contestant) => answer_memory(&rows, contestant, &parent).await,
            None => run(&arguments, &rows, &root, &parent).await,
        }
    })
}

fn chosen(rows: Vec<Row>, only: &[String]) -> Vec<Row> {
    let is_name = |part: &String| rows.iter().any(|row| row.name == *part);
    let (names, parts): (Vec<_>, Vec<_>) = only.iter().partition(|part| is_name(part));
    let is_chosen = |row: &Row| names.contains(&&row.name) || parts.iter().any(|part| row.name.contains(*part));
    rows.into_iter().filter(|row| only.is_empty() || is_chosen(row)).collect()
}

async fn answer_memory(rows: &[Row], contestant: &str, parent: &Path) -> Result<ExitCode> {
    let [row] = rows else { return Err("memory is measured for one row at a time".into()) };
    let directory = scratch(parent)?;
    println!("{}", memory::measure(row, contestant, directory.path()).await?);
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: &Arguments, rows: &[Row], root: &str, parent: &Path) -> Result<ExitCode> {
    let processors = std::thread::available_parallelism()?.get();
    print!("{processors} processors, {WORKERS} workers; ");
    match arguments.suite {
        Suite::Drivers => println!(
            "files below {}\nfilesystem rows: ours with durability `process`; opendal syncs every file it writes, and \
             cannot be told not to\n",
            parent.display()
        ),
        Suite::S3 | Suite::Azure => println!("objects below {root}/, and the service on the same processors\n"),
    }
    // Removed at the end and not between the rows, because of what freed inodes cost whoever makes the next files.
    let scratch = scratch(parent)?;
    let mut report = Report { processors, rows: Vec::new() };
    for row in rows {
        let measured = measure(row, arguments, root, scratch.path()).await;
        row.clear().await?;
        let measured = measured?;
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
async fn measure(row: &Row, arguments: &Arguments, root: &str, parent: &Path) -> Result<MeasuredRow> {
    let rounds = usize::from(arguments.rounds).min(row.most_rounds);
    let mut contestants = row.contestants(&parent.join(row.directory_name()))?;
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
    let suite = suite_arguments(arguments, root);
    let peaks: Vec<_> = names
        .iter()
        .map(|name| row.streams().then(|| memory::peak_of(row, name, &suite, parent)).transpose())
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
        most_bytes: row.most_bytes,
    })
}

/// What another process needs to find the rows of this run.
fn suite_arguments(arguments: &Arguments, root: &str) -> Vec<String> {
    let suite = arguments.suite.to_possible_value().map(|value| value.get_name().to_owned());
    let extent = ["--size".to_owned(), arguments.size.to_string(), "--root".to_owned(), root.to_owned()];
    suite.into_iter().chain(extent).collect()
}

fn scratch(parent: &Path) -> Result<tempfile::TempDir> {
    std::fs::create_dir_all(parent)?;
    Ok(tempfile::Builder::new().prefix("benchmark-").tempdir_in(parent)?)
}
