//! The conformance suite against the driver, one test for each check.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

conformance::suite!(|| async { driver_filesystem::conformance::instance().expect("a temporary directory") });
