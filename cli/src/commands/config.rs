//! `blobstore config`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use driver_factory::{Factory, StorageSection};
use registry::configuration::Configuration;

use crate::backend::{read_document, tell_warnings, variables};
use crate::exit::Result;
use crate::interrupt;
use crate::output::print;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell all that is wrong with a configuration file
    ///
    /// Reads all that `serve` would read, with the overrides of the environment, and opens nothing unless told to connect. Mistakes
    /// and warnings go to standard error, each with the key, its place and what is allowed.
    Check {
        /// The file
        file: PathBuf,
        /// Look whether the backend answers as well, and say what to change where it does not
        #[arg(long)]
        connect: bool,
    },
}

pub(crate) async fn run(command: Command) -> Result {
    match command {
        Command::Check { file, connect } => {
            let section = check(&file)?;
            if connect { look(&file, section).await } else { Ok(()) }
        }
    }
}

fn check(file: &Path) -> Result<StorageSection> {
    match Configuration::read(&Factory::builtin(), read_document(file)?, variables()) {
        Err(errors) => {
            tell_warnings(&errors.warnings);
            Err(errors.into())
        }
        Ok(Configuration { storage: section, .. }) => {
            tell_warnings(&section.warnings);
            let name = section.backend.name();
            print(&format!("{}: right; the driver is {name}\n", file.display()))?;
            Ok(section)
        }
    }
}

async fn look(file: &Path, section: StorageSection) -> Result {
    let context = interrupt::context();
    section.backend.open_with_hooks().await?.check(&context).await?;
    print(&format!("{}: the backend answers\n", file.display()))
}
