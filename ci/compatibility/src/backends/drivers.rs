//! This project's own drivers that need nothing to run.

use conformance::{Instance, Target};
use driver_inmemory::MemoryDriver;

use super::Opened;

pub(super) fn filesystem() -> Opened {
    Opened::new(Target::fallible("filesystem", async || driver_filesystem::conformance::instance()))
}

pub(super) fn memory() -> Opened {
    Opened::new(Target::new("inmemory", async || {
        let driver = MemoryDriver::default();
        Instance::new(driver.clone()).with_reopen(move || driver.clone())
    }))
}
