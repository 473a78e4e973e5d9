//! `blobstore bench`

mod measure;
mod operations;
mod table;

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use driver_api::layers::Prefix;
use driver_api::{Context, DeleteOptions, Storage, StoragePath};
use driver_filesystem::{FilesystemDriver, FilesystemOptions};
use driver_inmemory::MemoryDriver;
use tempfile::TempDir;

use crate::backend::Selection;
use crate::commands::bench::measure::{Measurement, measure};
use crate::commands::bench::operations::{OPERATIONS, Workload};
use crate::exit::{Failure, Result};
use crate::output::{standard_output, unwritable};
use crate::{interrupt, progress, values};

/// Measure throughput and latency of every operation
///
/// Without a backend, both embedded drivers are measured, the filesystem's in a temporary directory. In a backend, the
/// measurement works in a directory of its own, removes it at the end, and touches nothing else.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How long each operation is measured at most, and prepared at most
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = values::duration())]
    time: Duration,
    /// How often each operation is measured at most
    #[arg(long, value_name = "N", default_value = "10000")]
    count: u64,
    /// How many calls are under way at once, as a list
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,16")]
    jobs: Vec<NonZeroUsize>,
    /// The size of small files (4096, or 4KiB)
    #[arg(long, value_name = "BYTES", default_value = "4KiB", value_parser = values::size())]
    small: u64,
    /// The size of files that are streamed
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = values::size())]
    large: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Selection,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let mut measurements = Vec::new();
    match arguments.backend.open().await? {
        Some(storage) => measurements.extend(bench(&context, &storage, &arguments).await?),
        None => {
            let (_directory, filesystem) = temporary_filesystem()?;
            for storage in [filesystem, Storage::new(MemoryDriver::default())] {
                measurements.extend(bench(&context, &storage, &arguments).await?);
            }
        }
    }
    let mut output = standard_output();
    if arguments.json {
        serde_json::to_writer_pretty(&mut output, &measurements).map_err(|error| unwritable(error.into()))?;
        writeln!(output).map_err(unwritable)?;
    } else {
        table::write(&mut output, &measurements).map_err(unwritable)?;
    }
    output.flush().map_err(unwritable)
}

fn temporary_filesystem() -> Result<(TempDir, Storage)> {
    let directory = tempfile::tempdir().map_err(|error| Failure::local("a temporary directory", &error))?;
    let driver = FilesystemDriver::new(FilesystemOptions::new(directory.path()))?;
    Ok((directory, Storage::new(driver)))
}

/// Measures one backend in a directory of its own, and removes that whatever comes.
async fn bench(context: &Context, storage: &Storage, arguments: &Arguments) -> Result<Vec<Measurement>> {
    let directory =
        StoragePath::parse(&format!("/bench-{:016x}", fastrand::u64(..))).map_err(driver_api::Error::from)?;
    let measured = measure_all(context, &storage.layered(Prefix::new(directory.clone())), arguments).await;
    // An interrupt ends the measurement and not the tidying up.
    match storage.delete(&context.detached(), &directory, DeleteOptions::tree()).await {
        Err(error) if !error.is_not_found() => {
            Err(Failure::from(error).advising("what the measurement wrote is still there"))
        }
        _ => measured,
    }
}

async fn measure_all(context: &Context, storage: &Storage, arguments: &Arguments) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    let progress = progress::spinner();
    for jobs in &arguments.jobs {
        let workload = Arc::new(Workload::new(context, storage, *jobs, arguments.small, arguments.large)?);
        for operation in OPERATIONS.iter().filter(|operation| operation.is_possible(storage)) {
            let limit = measure::Limit { time: arguments.time, count: arguments.count, jobs: *jobs };
            progress.set_message(format!("{}: {}, {jobs} at once", storage.name(), operation.name));
            measurements.push(measure(operation, &workload, limit).await?);
        }
    }
    progress.finish_and_clear();
    Ok(measurements)
}
