//! The blobs that a repository has: those to which it has links.

mod set;
mod statter;
mod store;

pub use self::set::LinkSet;
pub use self::statter::LinkedStatter;
pub use self::store::LinkedBlobs;
pub(crate) use self::store::Shared;
