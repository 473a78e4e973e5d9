//! An S3 server inside the test process: Amazon's semantics over memory, up in a millisecond on a free port, and gone when it
//! is dropped.
//!
//! It is strongly consistent and honours conditions, the minimum of parts, the limits of copies, and pages of listings as
//! Amazon documents them; `s3s` does the protocol and the signatures. Tests count what comes over the wire with
//! [`S3Server::requests`], and break requests with [`S3Server::inject`]:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use s3_server::{Fault, Injection, Operation, S3Server};
//! let server = S3Server::start().await.unwrap();
//! server.create_bucket("photos");
//! // The second upload is stored, and its answer is lost.
//! server.inject(Injection::new(Fault::LoseAnswer).on(Operation::PutObject).after(1).once());
//! # });
//! ```
//!
//! It is for tests: nothing is ever written to a disk, and locks are held for as long as it takes.

mod content;
mod faults;
mod listing;
mod objects;
mod operation;
mod server;
mod service;
mod uploads;

pub use faults::{Fault, Injection};
pub use objects::StoredObject;
pub use operation::{Operation, Requests};
pub use server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY, ServerOptions};
pub use uploads::PendingUpload;
