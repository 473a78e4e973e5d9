//! The registry as its clients and its operator see it: the built binary, and programs that other people wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod backends;
mod buildah;
mod chance;
mod cluster;
mod full_disk;
mod image;
mod kills;
mod operator;
mod proxy;
mod pusher;
mod server;
mod skopeo;
mod soak;
mod telemetry;
