//! `blobstore purge-uploads`

use std::io::Write;
use std::time::Duration;

use blobstore::upkeep::{Event, PurgeOptions, purge_uploads};
use clap::Args;

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::output::{standard_output, unwritable, write_json_line};
use crate::{interrupt, values};

/// Delete uploads that nobody will go on with
///
/// Prints a line for each upload that is deleted; what goes wrong with one goes to standard error, and the others are looked at.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Leave uploads that began less than this ago
    #[arg(long, value_name = "DURATION", default_value = "168h", value_parser = values::duration())]
    older_than: Duration,
    /// Tell what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object a line, and a last one with the sums
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let namespace = arguments.backend.namespace().await?;
    let mut options = PurgeOptions::default();
    options.older_than = arguments.older_than;
    options.dry_run = arguments.dry_run;
    let mut teller = Teller::new(arguments.dry_run, arguments.json);
    let done = purge_uploads(&namespace, &context, &options, &mut |event| teller.tell(&event)).await?;
    let sums = serde_json::json!({
        "kind": "summary", "found": done.found, "purged": done.purged, "problems": done.problems,
    });
    teller.end(&sums, &format!("{} uploads, {} deleted", done.found, done.purged))?;
    match done.problems {
        0 => Ok(()),
        problems => Err(Failure::new(format!("{problems} problems"))),
    }
}

/// Prints what upkeep does, a line for each thing.
pub(crate) struct Teller {
    dry_run: bool,
    json: bool,
    /// The first line that could not be printed; upkeep itself goes on.
    unprinted: Option<Failure>,
}

impl Teller {
    pub(crate) const fn new(dry_run: bool, json: bool) -> Self {
        Self { dry_run, json, unprinted: None }
    }

    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        let told = match event {
            Event::Problem { path, error } => {
                eprintln!("blobstore: {path}: {error}");
                Ok(())
            }
            event => self.print(event),
        };
        if let Err(failure) = told {
            self.unprinted.get_or_insert(failure);
        }
    }

    fn print(&self, event: &Event<'_>) -> Result {
        let mut output = standard_output();
        match event {
            Event::Victim { path, reason, bytes } if self.json => {
                let line =
                    serde_json::json!({ "kind": "deleted", "path": path.as_str(), "reason": reason, "bytes": bytes });
                write_json_line(&mut output, &line)?;
            }
            Event::Victim { path, reason, bytes } => {
                let verb = if self.dry_run { "would delete" } else { "deleted" };
                writeln!(output, "{verb} {path}: {reason} ({bytes} bytes)").map_err(unwritable)?;
            }
            Event::Spared(path) if self.json => {
                write_json_line(&mut output, &serde_json::json!({ "kind": "spared", "path": path.as_str() }))?;
            }
            Event::Spared(path) => writeln!(output, "spared {path}: a push relies on it").map_err(unwritable)?,
            _ => {}
        }
        output.flush().map_err(unwritable)
    }

    /// Prints the sums. Errors: what could not be printed.
    pub(crate) fn end(self, sums: &serde_json::Value, text: &str) -> Result {
        if let Some(failure) = self.unprinted {
            return Err(failure);
        }
        let mut output = standard_output();
        if self.json {
            write_json_line(&mut output, sums)?;
        } else {
            writeln!(output, "{text}").map_err(unwritable)?;
        }
        output.flush().map_err(unwritable)
    }
}
