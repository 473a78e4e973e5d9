//! Names of uploads.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::NameError;

/// The name of an upload: a UUID, written in lower case with dashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(Uuid);

impl UploadId {
    /// One that nobody can guess.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for UploadId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let id = Uuid::try_parse(text).map(Self);
        // A path has one form alone, and what does not lead back to itself would be another upload.
        id.ok()
            .filter(|id| id.to_string() == text)
            .ok_or(NameError { rule: "the name of an upload is a UUID in lower case with dashes" })
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form() {
        let id = UploadId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "x", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "6ba7b8109dad11d180b400c04fd430c8", "../x"] {
            assert!(text.parse::<UploadId>().is_err(), "{text}");
        }
    }
}
