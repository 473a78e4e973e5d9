//! Runs the conformance suite on the backends of the matrix, one after the other, and writes what it finds as a document.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use compatibility::backends::{Backend, Failure};
use compatibility::document::{Column, Document};
use conformance::{CheckResult, Options, Outcome, Progress, Repeat, Report, Target, run};
use driver_api::CancellationToken;

/// Run the conformance suite on other people's storage.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Only these backends; all of them where none is named. May be repeated
    #[arg(long, value_enum, value_name = "NAME")]
    backend: Vec<Backend>,
    /// Write the matrix into this file
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
}

/// Tells failures as they come.
struct Failures;

impl Progress for Failures {
    fn ended(&self, target: &Target, result: &CheckResult) {
        if let Outcome::Failed { failure, .. } = &result.outcome {
            eprintln!("{}: {} failed ({})", target.name(), result.check, failure.clauses.join(", "));
        }
    }

    fn left_behind(&self, target: &Target, error: &driver_api::Error) {
        eprintln!("{}: what the run put there could not be removed: {error}", target.name());
    }
}

/// Ends with 0 where a document was written or nothing is broken, with 1 where something is, with 2 where it could not run.
fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    arguments.options.repeat = Repeat::Program("ci/compatibility-matrix".to_owned());
    let outcome =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::from).and_then(|runtime| {
            let outcome = runtime.block_on(execute(&arguments));
            // A backend that hangs must not hang the program.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(report) if report.conforms() || arguments.document.is_some() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn execute(arguments: &Arguments) -> Result<Report, Failure> {
    let backends = match arguments.backend.as_slice() {
        [] => Backend::value_variants(),
        chosen => chosen,
    };
    // One seed for all, so that the document can name it.
    let mut options = arguments.options.clone();
    options.seed.get_or_insert_with(|| fastrand::u64(..));
    let mut whole: Option<Report> = None;
    for backend in backends {
        let report = one(*backend, &options).await.map_err(|error| format!("{}: {error}", backend.name()))?;
        match &mut whole {
            Some(whole) => {
                whole.elapsed += report.elapsed;
                whole.targets.extend(report.targets);
            }
            None => whole = Some(report),
        }
    }
    let report = whole.ok_or("there is no backend")?;
    print!("{report}");
    if let Some(file) = &arguments.document {
        let columns: Vec<_> = backends.iter().map(|backend| column(*backend)).collect();
        let document = Document::new(&report, &columns, std::env::temp_dir().to_string_lossy()).to_string();
        std::fs::write(file, document).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if let Some(directory) = &options.report {
        report.write_to(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    Ok(report)
}

async fn one(backend: Backend, options: &Options) -> Result<Report, Failure> {
    eprintln!("{} ({})", backend.name(), backend.version());
    let opened = backend.open().await?;
    let options = backend.adapted(options);
    Ok(run(std::slice::from_ref(&opened.target), &options, &Failures, &CancellationToken::new()).await?)
}

fn column(backend: Backend) -> Column {
    Column { name: backend.name(), version: backend.version(), description: backend.description() }
}
