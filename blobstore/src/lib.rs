//! The content-addressed stores of a container registry, on any storage driver.
//!
//! Content is stored once, under its digest; a repository has what it has links to. What is written here the Go registry
//! (`distribution`) can serve, and what it wrote is read here.
//!
//! - [`Digest`], [`Descriptor`]: how contents are named and described;
//! - [`Place`], [`Directory`]: where everything is;
//! - [`blob`]: what a store of blobs can do;
//! - [`LinkedBlobs`]: the blobs of a repository, with the uploads ([`BlobWriter`]) that make them;
//! - [`Namespace`], [`Repository`], [`Manifests`], [`Tags`]: what is in a storage, by name;
//! - [`cache`]: what is known without asking;
//! - [`upkeep`]: clearing away what nobody needs, and looking for damage.
//!
//! Nothing here knows HTTP.

pub mod blob;
pub mod cache;
mod descriptor;
mod digest;
mod error;
mod layout;
mod link;
mod linked;
mod listed;
mod manifest;
mod marks;
mod names;
mod namespace;
mod protection;
mod repository;
mod tags;
mod text;
pub mod upkeep;
mod upload;
mod walk;

pub use descriptor::{Descriptor, OCTET_STREAM, Reference};
pub use digest::{Algorithm, Digest, DigestError, Hasher, UnusableState};
pub use error::{Error, Result};
pub use layout::{Directory, Place};
pub use linked::{LinkSet, LinkedBlobs, LinkedStatter};
pub use manifest::{Kind, MAX_MANIFEST_BYTES, Manifest, Manifests, Pushed, ReferrerPage, media_type};
pub use names::{NameError, RepositoryName, Tag, UploadId};
pub use namespace::{Namespace, NamespaceOptions, Repositories};
pub use protection::LONGEST_REQUEST;
pub use repository::Repository;
pub use tags::{TagPage, Tags};
pub use upload::{Begun, BlobWriter, UploadError, UploadOptions};
