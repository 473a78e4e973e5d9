//! What is in a file of users.

use std::collections::HashMap;
use std::path::Path;

use super::hash::Hash;
use crate::access::AccessError;

/// Users and the hashes of their passwords.
#[derive(Debug)]
pub(super) struct Users {
    hashes: HashMap<String, Hash>,
    /// What the hashes cost, each as often as it does.
    costs: Vec<u32>,
}

impl Users {
    /// The users that are in the content of the file at `path`.
    pub(super) fn parse(content: &[u8], path: &Path) -> Result<Self, AccessError> {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut hashes = HashMap::new();
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let wrong = |problem: &str| AccessError::content(path, index + 1, problem);
            let line = std::str::from_utf8(line).map_err(|_| wrong("the line is not UTF-8"))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = line.split_once(':').ok_or_else(|| wrong("a line is `user:hash`"))?;
            if user.is_empty() || user.contains(char::is_control) {
                return Err(wrong("the name of the user is empty, or has control characters"));
            }
            // As for the Go registry, the last line of a user counts.
            hashes.insert(user.to_owned(), Hash::parse(hash).map_err(wrong)?);
        }
        if hashes.is_empty() {
            return Err(AccessError::content(path, None, "the file has no users: add one by `htpasswd -B`"));
        }
        let mut costs: Vec<_> = hashes.values().map(Hash::cost).collect();
        costs.sort_unstable();
        Ok(Self { hashes, costs })
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The hash of a user's password.
    pub(super) fn hash(&self, user: &str) -> Option<&Hash> {
        self.hashes.get(user)
    }

    /// What to compare the password of an unknown user with, so that it takes as long as for a known one. `draw` is
    /// always the same for a name: so is the cost, as if it were one of the users.
    pub(super) fn decoy(&self, draw: u64) -> Hash {
        let index = usize::try_from(draw % self.costs.len() as u64).unwrap_or_default();
        Hash::decoy(self.costs.get(index).copied().unwrap_or(bcrypt::DEFAULT_COST))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";

    fn parse(content: &[u8]) -> Result<Users, String> {
        Users::parse(content, Path::new("f")).map_err(|error| error.to_string())
    }

    #[test]
    fn comments_blank_lines_and_ends_of_lines() {
        let content = format!("\u{feff}# users\r\n\r\n  ana:{HASH}\r\n\t\n#bob:{HASH}\nümit:{HASH}");
        let users = parse(content.as_bytes()).unwrap();
        assert_eq!(users.len(), 2);
        assert!(users.hash("ana").is_some() && users.hash("ümit").is_some() && users.hash("bob").is_none());
    }

    #[test]
    fn mistakes_are_told_by_their_line_and_without_their_content() {
        let cases: [(&[u8], &str); 8] = [
            (b"", "f: the file has no users: add one by `htpasswd -B`"),
            (b"# none\n\n", "f: the file has no users: add one by `htpasswd -B`"),
            (b"# one\nhidden", "f:2: a line is `user:hash`"),
            (b":hidden", "f:1: the name of the user is empty, or has control characters"),
            (b"a\tb:hidden", "f:1: the name of the user is empty, or has control characters"),
            (b"\nuser:hidden", "f:2: the hash is not bcrypt's: it has to be made by `htpasswd -B`"),
            (b"user:$2y$05$hidden", "f:1: the hash is damaged: those of bcrypt have 60 characters"),
            (b"\n\n\xff:hidden", "f:3: the line is not UTF-8"),
        ];
        for (content, expected) in cases {
            assert_eq!(parse(content).unwrap_err(), expected);
        }
    }

    #[test]
    fn the_last_line_of_a_user_counts() {
        let other = bcrypt::hash("other", 4).unwrap();
        let users = parse(format!("ana:{HASH}\nana:{other}").as_bytes()).unwrap();
        assert_eq!(users.hash("ana").map(Hash::as_bytes), Some(other.as_bytes()));
    }

    #[test]
    fn a_decoy_costs_what_some_user_does() {
        let other = bcrypt::hash("other", 4).unwrap();
        let users = parse(format!("ana:{HASH}\nbob:{other}").as_bytes()).unwrap();
        assert_eq!([users.decoy(0).cost(), users.decoy(1).cost(), users.decoy(u64::MAX).cost()], [4, 5, 5]);
        assert!(!format!("{users:?}").contains("$2"), "{users:?}");
    }

    proptest! {
        #[test]
        fn nothing_panics(content in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&content);
        }

        #[test]
        fn no_line_panics(lines in prop::collection::vec("[a-z#:]{0,3}:(\\$2[aby]\\$[0-9]{2}\\$)?.{0,60}", 0..4)) {
            let _ = parse(lines.join("\n").as_bytes());
        }
    }
}
