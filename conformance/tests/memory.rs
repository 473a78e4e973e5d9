//! The suite against the driver in memory, one test for each check: what an author of a driver writes.

conformance::suite!(|| async { driver_inmemory::MemoryDriver::default() });
