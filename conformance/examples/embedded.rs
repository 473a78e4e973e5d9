//! The suite as a program of one's own: `cargo run --release --example embedded -- --profile standard`.

use std::process::ExitCode;

use conformance::{Instance, Target};
use driver_filesystem::{FilesystemDriver, FilesystemOptions};
use driver_inmemory::MemoryDriver;

fn main() -> ExitCode {
    conformance::main([
        Target::new("inmemory", || async { MemoryDriver::default() }),
        Target::fallible("filesystem", || async {
            let directory = tempfile::tempdir()?;
            let driver = FilesystemDriver::new(FilesystemOptions::new(directory.path().join("root")))?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Instance::new(driver).keeping(directory))
        }),
    ])
}
