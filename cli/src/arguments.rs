//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{
    bench, blob, cat, completions, config, conformance, copy, gc, ls, manifest, mv, purge_uploads, put, repo, rm,
    serve, stat, sweep, url, verify,
};
use crate::exit::EXIT_CODES;

/// Work with the files of a storage backend, measure it, and learn whether its driver keeps the contract.
///
/// The backend is chosen with a configuration file (--config) or on the command line (--driver, -o); variables such as
/// REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY override the file.
#[derive(Debug, Parser)]
#[command(name = "blobstore", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ls(ls::Arguments),
    Stat(stat::Arguments),
    Cat(cat::Arguments),
    Put(put::Arguments),
    Mv(mv::Arguments),
    Rm(rm::Arguments),
    Url(url::Arguments),
    Sweep(sweep::Arguments),
    Serve(serve::Arguments),
    /// Look at repositories of a registry
    #[command(subcommand)]
    Repo(repo::Command),
    /// Look at manifests of a registry
    #[command(subcommand)]
    Manifest(manifest::Command),
    /// Look at blobs of a registry
    #[command(subcommand)]
    Blob(blob::Command),
    Gc(gc::Arguments),
    PurgeUploads(purge_uploads::Arguments),
    Verify(verify::Arguments),
    Copy(copy::Arguments),
    /// Look at configuration files
    #[command(subcommand)]
    Config(config::Command),
    Conformance(conformance::Arguments),
    Bench(bench::Arguments),
    Completions(completions::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn everything_has_a_line_of_help() {
        fn look_at(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(look_at);
        }
        look_at(&Arguments::command());
    }
}
