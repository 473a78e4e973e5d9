//! The in-memory driver keeps the contract.

use driver_inmemory::MemoryDriver;

conformance::suite!(|| async { MemoryDriver::default() });
