//! The suite as a program of one's own: `cargo run --release --example embedded -- --profile standard`, or with
//! `--drills crash,cluster` for the drills whose processes are this program once more.

use std::process::ExitCode;

use conformance::{Instance, Location, Target};
use driver_api::Storage;
use driver_filesystem::{FilesystemDriver, FilesystemOptions};
use driver_inmemory::MemoryDriver;

fn main() -> ExitCode {
    let filesystem = Target::fallible("filesystem", || async {
        let location = directory()?;
        let driver = FilesystemDriver::new(FilesystemOptions::new(location.name()))?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Instance::new(driver).keeping(location))
    });
    conformance::main([
        Target::new("inmemory", || async { MemoryDriver::default() }),
        filesystem.with_locations(directory, |root| async move {
            Ok(Storage::new(FilesystemDriver::new(FilesystemOptions::new(root))?))
        }),
    ])
}

/// Where a store is that goes with the run.
fn directory() -> std::io::Result<Location> {
    let directory = tempfile::tempdir()?;
    Ok(Location::new(directory.path().join("root").to_string_lossy()).keeping(directory))
}
