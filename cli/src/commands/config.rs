//! `blobstore config`

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::backend::{read_document, read_section, tell_warnings};
use crate::exit::Result;
use crate::output::print;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell all that is wrong with a configuration file, and open nothing
    ///
    /// Reads the section `storage` with the overrides of the environment. Mistakes and warnings go to standard error, each with
    /// the key, its place and what is allowed.
    Check {
        /// The file
        file: PathBuf,
    },
}

pub(crate) fn run(command: Command) -> Result {
    match command {
        Command::Check { file } => check(&file),
    }
}

fn check(file: &Path) -> Result {
    match read_section(read_document(file)?) {
        Err(errors) => {
            tell_warnings(&errors.warnings);
            Err(errors.into())
        }
        Ok(section) => {
            tell_warnings(&section.warnings);
            let name = section.backend.name();
            print(&format!("{}: right; the driver is {name}\n", file.display()))
        }
    }
}
