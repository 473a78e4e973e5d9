//! Where everything is: the paths of the Go registry, both ways.
//!
//! A directory or bucket that the Go registry wrote is read here, and the other way round. The root is
//! `/docker/registry/v2`; names that begin with `_` are no components of repository names, so that what belongs to a
//! repository never meets a repository below it.
//!
//! - [`Place`] is a file of the layout, made into a path and read from one;
//! - [`Directory`] is what is listed or deleted as a whole.

mod directory;
mod place;

use std::fmt::Display;

use driver_api::StoragePath;

pub use self::directory::Directory;
pub use self::place::Place;
use crate::digest::Digest;

/// What all paths begin with.
pub(crate) const ROOT: &str = "/docker/registry/v2";

/// Reads what was put together from names that are valid.
///
/// All of them are made of characters that a path may have, and none is `.` or `..`. The longest path is that of an index entry of
/// a tag of 128 bytes in a repository of 255 bytes and 128 components: less than 700 bytes and 150 components, where 900 and 200
/// are allowed.
#[expect(clippy::expect_used, reason = "the invariant above")]
pub(crate) fn path(text: impl Display) -> StoragePath {
    StoragePath::parse(&text.to_string()).expect("a path of valid names is valid")
}

/// The directory of a digest: its algorithm and its digits.
fn by_digest(digest: &Digest) -> String {
    format!("{}/{}", digest.algorithm(), digest.hex())
}
