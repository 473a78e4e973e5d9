//! The suite as a program: what a command needs around a run.

use std::process::ExitCode;

use clap::Parser;
use driver_api::CancellationToken;

use crate::check::Failure;
use crate::deviations::Deviations;
use crate::drills::{Reexecution, take_part};
use crate::options::{Options, Repeat};
use crate::report::Report;
use crate::runner::{Progress, run};
use crate::suite::list_of_checks;
use crate::target::Target;

/// Decides whether storage drivers keep their contract.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// A program of one's own, with the options of `blobstore conformance`:
///
/// ```no_run
/// use std::process::ExitCode;
/// fn main() -> ExitCode {
///     conformance::main([conformance::Target::new("memory", || async { driver_inmemory::MemoryDriver::default() })])
/// }
/// ```
///
/// It ends with 0 where no MUST is broken, with 1 where one is, with 2 where it could not run.
pub fn main(targets: impl IntoIterator<Item = Target>) -> ExitCode {
    let Arguments { mut options } = Arguments::parse();
    let program = std::env::args().next().unwrap_or_else(|| "conformance".to_owned());
    options.repeat = Repeat::Program(program);
    let targets: Vec<_> = targets.into_iter().collect();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::from(2);
        }
    };
    let code = runtime.block_on(execute(&targets, &options, &Failures));
    // A driver that hangs must not hang the program.
    runtime.shutdown_background();
    code
}

/// Runs, or lists, as the options say; prints the report and writes its files. An interrupt (Ctrl-C) ends the run with what
/// was found until then.
///
/// The code is 0 where no MUST is broken, 1 where one is, 2 where it could not run.
///
/// A drill with several processes runs this program once more with the arguments that it was given; the process that is run
/// comes here too, and does its part.
pub async fn execute(targets: &[Target], options: &Options, progress: &dyn Progress) -> ExitCode {
    if let Some(code) = take_part(targets).await {
        return code;
    }
    let reexecution = options.reexecution.clone().or_else(|| Reexecution::of_this_program().ok());
    let options = Options { reexecution, ..options.clone() };
    match try_execute(targets, &options, progress).await {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) if report.conforms() => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn try_execute(
    targets: &[Target],
    options: &Options,
    progress: &dyn Progress,
) -> Result<Option<Report>, Box<dyn std::error::Error>> {
    if options.list {
        print!("{}", list_of_checks(&options.selected()?));
        return Ok(None);
    }
    let known = options.deviations.as_deref().map(Deviations::read).transpose()?;
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    let watch = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let report = run(targets, options, progress, &stop).await;
    watch.abort();
    let mut report = report?;
    if let Some(known) = &known {
        report.explain(known);
    }
    print!("{report}");
    if let Some(directory) = &options.report {
        report
            .write_to(directory)
            .map_err(|error| format!("the report could not be written to {}: {error}", directory.display()))?;
    }
    Ok(Some(report))
}

/// Tells failures as they come.
struct Failures;

impl Progress for Failures {
    fn ended(&self, target: &Target, result: &crate::report::CheckResult) {
        if let crate::report::Outcome::Failed { failure, .. } = &result.outcome {
            let Failure { clauses, .. } = failure;
            eprintln!("{}: {} failed ({})", target.name(), result.check, clauses.join(", "));
        }
    }

    fn left_behind(&self, target: &Target, error: &driver_api::Error) {
        eprintln!("{}: what the run put there could not be removed: {error}", target.name());
    }
}
