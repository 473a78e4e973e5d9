//! A storage driver that keeps files as block blobs in a container of Azure Blob Storage.
//!
//! A file is one blob, named as its path without the leading slash, below the root directory of the settings. Whatever else the
//! driver keeps has names with a `~`, which no path can have.
//!
//! - A small put, a get, a stat of a file: one request each. The table is in `docs/azure.md`.
//! - A write in progress is uncommitted blocks on the name itself, which nobody sees. A close leaves a marker beside the files,
//!   from which any process goes on; the service forgets blocks that nobody committed for a week.
//! - Conditions are the service's own, so they hold between processes and machines.
//! - Nothing is retried here: wrap the driver in [`layers::Retry`](driver_api::layers::Retry).
//!
//! ```no_run
//! # async fn example() -> driver_api::Result<()> {
//! use driver_api::{Context, PutOptions, Storage, StoragePath, layers};
//! use driver_azure::{AzureDriver, AzureOptions, Credentials, Secret};
//!
//! let key = Credentials::SharedKey(Secret::new(std::env::var("AZURE_STORAGE_KEY").unwrap_or_default()));
//! let driver = AzureDriver::new(&AzureOptions::new("myaccount", "registry", key))?;
//! let context = Context::background();
//! driver.check_connection(&context).await?;
//! let storage = Storage::new(driver).layered(layers::Retry::default());
//! storage.put(&context, &StoragePath::parse("/greetings/world")?, "hello", PutOptions::default()).await?;
//! # Ok(())
//! # }
//! ```

mod blocks;
mod check;
mod client;
mod driver;
mod list;
mod marker;
mod moves;
mod names;
mod options;
mod owners;
mod plan;
mod read;
mod sessions;
mod store;
mod writer;

pub use crate::driver::AzureDriver;
pub use crate::options::{AzureOptions, Credentials, Secret};
