//! The commands, a module each.

pub(crate) mod bench;
pub(crate) mod blob;
pub(crate) mod cat;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod conformance;
pub(crate) mod copy;
pub(crate) mod gc;
pub(crate) mod ls;
pub(crate) mod manifest;
pub(crate) mod mv;
pub(crate) mod purge_uploads;
pub(crate) mod put;
pub(crate) mod repo;
pub(crate) mod rm;
pub(crate) mod serve;
pub(crate) mod stat;
pub(crate) mod sweep;
pub(crate) mod url;
pub(crate) mod verify;

use std::process::ExitCode;

use crate::arguments::Command;
use crate::exit::Result;

/// Runs a command. The code to end with where it did what it should.
pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Ls(arguments) => ls::run(arguments).await?,
        Command::Stat(arguments) => stat::run(arguments).await?,
        Command::Cat(arguments) => cat::run(arguments).await?,
        Command::Put(arguments) => put::run(arguments).await?,
        Command::Mv(arguments) => mv::run(arguments).await?,
        Command::Rm(arguments) => rm::run(arguments).await?,
        Command::Url(arguments) => url::run(arguments).await?,
        Command::Sweep(arguments) => sweep::run(arguments).await?,
        Command::Serve(arguments) => serve::run(arguments).await?,
        Command::Repo(command) => repo::run(command).await?,
        Command::Manifest(command) => manifest::run(command).await?,
        Command::Blob(command) => blob::run(command).await?,
        Command::Gc(arguments) => gc::run(arguments).await?,
        Command::Verify(arguments) => verify::run(arguments).await?,
        Command::Copy(arguments) => copy::run(arguments).await?,
        Command::PurgeUploads(arguments) => purge_uploads::run(arguments).await?,
        Command::Config(command) => config::run(command).await?,
        Command::Conformance(arguments) => return conformance::run(arguments).await,
        Command::Bench(arguments) => bench::run(arguments).await?,
        Command::Completions(arguments) => completions::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
