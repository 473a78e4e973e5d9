//! A storage driver that keeps files in a directory.
//!
//! - [`FilesystemDriver`] is the driver, [`FilesystemOptions`] what an operator chooses.
//! - Whatever is written is written in a staging area (`~` below the root, a name no storage path has), and published by one
//!   rename: no half file shows, whenever the process dies or the power goes.
//! - [`SystemCalls`] is the floor the driver stands on; tests put another one under it.

#[cfg(not(unix))]
compile_error!("the filesystem driver needs a Unix: it relies on renames, locks and descriptors as POSIX has them");

mod beneath;
#[cfg(feature = "conformance")]
pub mod conformance;
mod delete;
mod departures;
mod driver;
mod durable;
mod errors;
mod kept;
mod list;
mod options;
mod pool;
mod posix;
mod publish;
mod put;
mod reader;
mod scan;
mod session;
mod staging;
mod store;
mod sweep;
pub mod system_calls;
mod tree;
mod version;
mod writer;

pub use driver::FilesystemDriver;
pub use options::{FilesystemDurability, FilesystemOptions};
pub use posix::Posix;
pub use sweep::Swept;
pub use system_calls::SystemCalls;
