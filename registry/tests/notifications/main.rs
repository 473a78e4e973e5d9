//! What endpoints are told, from requests to the registry to requests to the endpoints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod delivery;
mod endpoint;
mod events;
mod restarts;
mod source;
