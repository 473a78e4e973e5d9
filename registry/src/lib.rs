//! A container registry over HTTP: the API of the OCI distribution specification, on the stores of `blobstore`.
//!
//! - [`Registry`] answers requests, whoever brings them: any number of them, in any number of processes on one storage;
//! - [`Server`] brings them from a socket, with or without TLS, over HTTP/1.1 and HTTP/2;
//! - `web` shows in a browser what there is;
//! - [`Service`] is the whole, as a [`configuration`] describes it;
//! - [`access`] says who may do what;
//! - [`notifications`] tell others what was done;
//! - [`health`] says whether it can serve, and [`debug`] tells that and what is counted.
//!
//! Nothing is kept in a process that a restart may not take: uploads are in the storage, or in what their clients carry.

pub mod access;
mod body;
mod call;
pub mod configuration;
pub mod debug;
mod error;
mod forwarded;
mod handlers;
pub mod health;
mod location;
pub mod notifications;
mod page;
mod range;
mod redirects;
mod registry;
mod route;
mod server;
mod service;
mod ticket;
mod upkeep;
mod web;

pub use body::Body;
pub use call::Peer;
pub use location::LocationOptions;
pub use redirects::{RedirectError, Redirects};
pub use registry::{ACCESS_LOG, Registry, RegistryOptions};
pub use server::{Bound, Server, ServerError, ServerOptions};
pub use service::{Service, ServiceError};
pub use ticket::Secret;
