//! The registry as its clients and its operator see it: the built binary, and programs that other people wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod clients;
mod cluster;
mod image;
mod operator;
mod server;
