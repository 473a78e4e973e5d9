//! What repositories, tags and uploads are called.

mod repository;
mod tag;
mod upload;

use std::fmt;

pub use self::repository::RepositoryName;
pub(crate) use self::repository::is_component;
pub use self::tag::Tag;
pub use self::upload::UploadId;

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameError {
    rule: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule)
    }
}

impl std::error::Error for NameError {}

/// What a name that is kept as text has beside its rule.
macro_rules! text {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}
use text;
