//! Names of repositories.

use std::str::FromStr;
use std::sync::Arc;

use super::{NameError, text};

/// The name of a repository: components between `/`, each of lower-case letters and digits in groups, with one of `.`, `_`,
/// `__` or any number of `-` between two groups; at most 255 bytes in all.
///
/// ```
/// use blobstore::RepositoryName;
/// let name: RepositoryName = "library/my-app".parse()?;
/// assert_eq!(name.components().collect::<Vec<_>>(), ["library", "my-app"]);
/// assert!("Library".parse::<RepositoryName>().is_err());
/// assert!("a/../b".parse::<RepositoryName>().is_err());
/// # Ok::<(), blobstore::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

text!(RepositoryName);

impl RepositoryName {
    /// The most bytes of a name.
    pub const MAX_BYTES: usize = 255;

    /// The components from the left.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        if name.len() > Self::MAX_BYTES {
            return Err(NameError { rule: "the name of a repository has at most 255 bytes" });
        }
        if !name.split('/').all(is_component) {
            return Err(NameError {
                rule: "the name of a repository is made of components between `/`, each of the letters a-z and digits, with \
                       `.`, `_`, `__` or dashes between them",
            });
        }
        Ok(Self(name.into()))
    }
}

/// Whether a text can stand between the slashes of a name.
pub(crate) fn is_component(text: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut groups = text.as_bytes().split(is_letter);
    // Between two letters there is an empty group; before the first and behind the last there must be one.
    let (Some(before), Some(behind)) = (groups.next(), groups.next_back()) else { return false };
    let may_separate =
        |group: &[u8]| matches!(group, b"" | b"." | b"_" | b"__") || group.iter().all(|byte| *byte == b'-');
    before.is_empty() && behind.is_empty() && groups.all(may_separate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_the_specification() {
        for name in ["a", "0", "a/b/c", "a.b", "a_b", "a__b", "a-b", "a----b", "a1/b-2.c_d", "xn--n3h.com/myimage"] {
            assert!(name.parse::<RepositoryName>().is_ok(), "{name}");
        }
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a.",
            ".a",
            "a..b",
            "a._b",
            "a___b",
            "-a",
            "a-",
            "a/.",
            "..",
            "a/../b",
            "ä",
            "a b",
            "a\0",
            "a:b",
            "_layers",
            "a/_uploads",
            "a.-b",
            "~",
        ] {
            assert!(name.parse::<RepositoryName>().is_err(), "{name}");
        }
        assert!("a".repeat(255).parse::<RepositoryName>().is_ok());
        assert!("a".repeat(256).parse::<RepositoryName>().is_err());
    }
}
