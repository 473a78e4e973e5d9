//! `blobstore completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments;
use crate::exit::Result;
use crate::output::print;

/// Print a completion script for a shell
///
/// For bash: blobstore completions bash > /etc/bash_completion.d/blobstore
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut arguments::Arguments::command(), "blobstore", &mut script);
    print(&String::from_utf8_lossy(&script))
}
