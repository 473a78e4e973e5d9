//! What upkeep does, as people and scripts read it.

use std::io::Write;

use blobstore::Digest;
use blobstore::upkeep::Event;

use crate::exit::{Failure, Result};
use crate::output::{standard_output, unwritable, write_json_line};
use crate::progress::{self, Share};

/// Prints what upkeep does, a line for each thing, and on a terminal how far it has come.
pub(crate) struct Teller {
    progress: Share,
    /// How many contents were copied, and how many bytes.
    copied: (u64, u64),
    dry_run: bool,
    json: bool,
    /// The first line that could not be printed; upkeep itself goes on.
    unprinted: Option<Failure>,
}

impl Teller {
    pub(crate) fn new(dry_run: bool, json: bool) -> Self {
        Self { progress: progress::share(), copied: (0, 0), dry_run, json, unprinted: None }
    }

    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        let told = match event {
            Event::Repository(name) => return self.progress.at(name),
            Event::Checked(digest) | Event::Kept(digest) => return self.progress.reached(passed(digest)),
            Event::Copied { bytes, .. } => {
                let (contents, sum) = (self.copied.0 + 1, self.copied.1 + bytes);
                self.copied = (contents, sum);
                return self.progress.at(&format_args!("{contents} contents, {}", indicatif::HumanBytes(sum)));
            }
            Event::Problem { path, error } => {
                self.progress.suspend(|| eprintln!("blobstore: {path}: {error}"));
                Ok(())
            }
            event => self.progress.suspend(|| self.print(event)),
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
        drop(self.progress);
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

/// How much of all contents comes before one, where they come in the order of their digests: those are spread evenly.
fn passed(digest: &Digest) -> f64 {
    let [first, second, ..] = digest.as_bytes() else { return 0.0 };
    f64::from(u16::from_be_bytes([*first, *second])) / 65536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_tell_how_far_it_has_come() {
        let share = |hex: &str| passed(&format!("sha256:{hex}{}", "0".repeat(60)).parse().unwrap());
        assert_eq!([share("0000"), share("4000"), share("ff00")], [0.0, 0.25, 0.99609375]);
    }
}
