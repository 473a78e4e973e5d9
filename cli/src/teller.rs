//! What upkeep does, as people and scripts read it.

use std::io::Write;

use blobstore::upkeep::Event;

use crate::exit::{Failure, Result};
use crate::output::{standard_output, unwritable, write_json_line};

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
