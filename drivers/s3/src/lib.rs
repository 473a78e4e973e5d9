//! A storage driver on Amazon S3 and on services that speak its protocol.
//!
//! Files are objects, whose keys are the paths behind a root prefix; a directory is nothing but the keys below it. What a
//! writer keeps between a close and the next open lives in one object per path below `~/`, a name that no path can have, and
//! in a multipart upload, so that nothing unfinished is ever published.
//!
//! ```no_run
//! # async fn example() -> driver_api::Result<()> {
//! use driver_api::{Context, GetOptions, Storage, StoragePath};
//! use driver_s3::{S3Driver, S3Options};
//!
//! let options = S3Options { region: Some("eu-central-1".to_owned()), ..S3Options::new("my-bucket") };
//! let driver = S3Driver::new(options)?;
//! driver.check_connection().await?;
//! let path = StoragePath::parse("/greetings/world")?;
//! let (info, bytes) = Storage::new(driver).get(&Context::background(), &path, GetOptions::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What other programs have put into the bucket is passed over where its key is no path: names with other characters, empty
//! components, and the markers `directory/` that consoles make. A marker two levels down still makes the listing in between show
//! its directory: S3 tells no more of a prefix than that something begins with it.
//!
//! Nothing is repeated here but the requests of a sweep, for which no layer stands: wrap the driver in
//! [`Retry`](driver_api::layers::Retry). What a request costs in money and time is counted; the table stands at [`S3Driver`].

mod body;
mod bucket;
mod check;
mod client;
mod clock;
mod copy;
mod credentials;
mod delete;
mod direct;
mod driver;
mod endpoint;
mod errors;
mod keys;
mod listing;
mod options;
mod owners;
mod page;
mod part_plan;
mod publish;
mod read;
mod sessions;
mod sweep;
mod upload;
mod urls;
mod writer;
mod xml;

pub use driver::S3Driver;
pub use options::{Acl, Credentials, Encryption, S3Options, Secret, Timeouts};
pub use sweep::OrphanedUpload;
