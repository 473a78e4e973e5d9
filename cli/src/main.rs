//! The command `blobstore`: the files of any configured backend, its speed, and whether its driver keeps the contract.

mod arguments;
mod backend;
mod commands;
mod exit;
mod interrupt;
mod logging;
mod output;
mod progress;
#[cfg(feature = "opentelemetry")]
mod telemetry;
mod teller;
mod transfer;
mod values;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::arguments::Arguments;
use crate::exit::Failure;

/// How long a change that outlives the command may take to end.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("the runtime does not start: {error}")).tell(),
    };
    let code = match runtime.block_on(commands::run(arguments.command)) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    };
    runtime.shutdown_timeout(GRACE);
    code
}
