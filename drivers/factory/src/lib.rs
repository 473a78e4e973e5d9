//! From a configuration file to a storage.
//!
//! A [`Factory`] knows drivers by their names. It reads the `storage:` section of a [`Document`], with the environment's
//! overrides, and answers with a [`StorageSection`] that is right in every key, or with [`ConfigErrors`] that tell every
//! mistake at its place. `README.md` beside this crate describes the format.

mod ancestor;
mod builtin;
mod decode;
mod document;
mod environment;
mod factory;
mod finding;
mod layers;
mod opened;
mod registration;
mod sections;
mod settings;
mod values;

pub use ancestor::{ANCESTOR_KEYS, AncestorKey, SECTIONS, Treatment};
pub use document::{Document, Field, MAX_BYTES, Node, Value};
pub use factory::{Backend, Factory, StorageSection};
pub use finding::{ConfigErrors, Finding, Origin};
pub use layers::{LayerSettings, PrefixPath, RetrySettings, TimeoutSettings};
pub use opened::{Leftover, Opened};
pub use registration::{Registration, Remarks};
pub use sections::Sections;
pub use settings::{
    CloudFront, Delete, DescriptorCache, GarbageCollection, IpFilter, Maintenance, Middleware, ReadOnlyMode, Redirect,
    RedirectMiddleware, Rewrite, Settings, Tag, UploadPurging,
};
pub use values::{ByteSize, ReadableDuration, SecretText};
