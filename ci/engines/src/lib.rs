//! What other people wrote, for tests: brought up by `ci/services`, and shared by all tests of a machine.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// How to reach an engine that runs.
#[derive(Debug, Clone)]
pub struct Engine {
    variables: HashMap<String, String>,
}

impl Engine {
    /// Starts an engine of `ci/services` that does not run yet.
    ///
    /// # Panics
    ///
    /// Where it cannot be started, with what the script says: a test must not pass for want of its engine.
    #[expect(clippy::panic, reason = "as documented")]
    pub fn start(name: &str) -> Self {
        let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../services"));
        let output = match Command::new(script).args(["start", name]).output() {
            Ok(output) => output,
            Err(error) => panic!("{} cannot be run: {error}", script.display()),
        };
        assert!(output.status.success(), "no {name}:\n{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let exports = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let variables = exports.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
        Self { variables: variables.collect() }
    }

    /// The value of a variable that the script prints.
    ///
    /// # Panics
    ///
    /// Where there is none of that name.
    #[expect(clippy::panic, reason = "as documented")]
    pub fn get(&self, variable: &str) -> String {
        match self.variables.get(variable) {
            Some(value) => value.clone(),
            None => panic!("ci/services does not tell {variable}"),
        }
    }
}
