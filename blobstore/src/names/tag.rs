//! Tags.

use std::str::FromStr;
use std::sync::Arc;

use super::{NameError, text};
use crate::digest::Digest;

/// The name of a manifest in its repository: 1 to 128 of `A-Z a-z 0-9 _ . -`, the first no `.` and no `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

text!(Tag);

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(tag: &str) -> Result<Self, NameError> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_tag = tag.len() <= 128
            && tag.bytes().next().is_some_and(is_letter)
            && tag.bytes().all(|byte| is_letter(byte) || matches!(byte, b'.' | b'-'));
        if !is_tag {
            return Err(NameError {
                rule: "a tag has 1 to 128 of the characters A-Z a-z 0-9 _ . - and begins with none of the last two",
            });
        }
        Ok(Self(tag.into()))
    }
}

impl Tag {
    /// The tag under which clients keep a list of what refers to `subject`, where a registry keeps none: its digest with a `-` for
    /// the `:`, the hexadecimal part cut to 64 digits.
    pub(crate) fn of_referrers(subject: &Digest) -> Option<Self> {
        let hex = subject.hex();
        format!("{}-{}", subject.algorithm().as_str(), hex.get(..64).unwrap_or(&hex)).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_referrers_has_the_tag_of_the_specification() {
        use crate::digest::Algorithm;
        for (algorithm, name) in [(Algorithm::Sha256, "sha256"), (Algorithm::Sha512, "sha512")] {
            let digest = Digest::with(algorithm, b"a");
            let tag = Tag::of_referrers(&digest).unwrap();
            assert_eq!(tag.as_str(), format!("{name}-{}", &digest.hex()[..64]));
        }
    }

    #[test]
    fn the_rule_of_the_specification() {
        for tag in ["a", "latest", "1.0", "_", "A_b-c.D", "sha256-e3b0"] {
            assert!(tag.parse::<Tag>().is_ok(), "{tag}");
        }
        for tag in ["", ".", "..", "-a", ".a", "a/b", "a:b", "ä", "a b", "a\n"] {
            assert!(tag.parse::<Tag>().is_err(), "{tag}");
        }
        assert!("a".repeat(128).parse::<Tag>().is_ok());
        assert!("a".repeat(129).parse::<Tag>().is_err());
    }
}
