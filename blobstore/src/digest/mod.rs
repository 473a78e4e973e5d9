//! Digests: the names of contents.

mod hasher;
mod state;

use std::fmt;
use std::str::FromStr;

pub use self::hasher::Hasher;
pub use self::state::UnusableState;

/// A hash function that contents are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256: the canonical one, under which every content is stored.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The one under which content is stored, whatever it is asked for by.
    pub const CANONICAL: Self = Self::Sha256;

    /// Its name in a digest, and in a path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The hash of some content and the function it was made with. Its text is `sha256:` and 64 hexadecimal digits, lower case.
///
/// ```
/// use blobstore::Digest;
/// let digest = Digest::of(b"hello");
/// assert_eq!(digest.to_string(), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// assert!("sha256:2cf2".parse::<Digest>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// Made with SHA-256.
    Sha256([u8; 32]),
    /// Made with SHA-512.
    Sha512([u8; 64]),
}

/// Why a text is no [`Digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestError {
    /// There is no `:` in it.
    NoAlgorithm,
    /// The algorithm is none of [`Algorithm::ALL`].
    UnknownAlgorithm,
    /// There are too few or too many digits.
    Length,
    /// A character is no digit, or an upper-case one.
    Character,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAlgorithm => "a digest is an algorithm, a `:` and hexadecimal digits",
            Self::UnknownAlgorithm => "the algorithm of a digest is `sha256` or `sha512`",
            Self::Length => "a digest of sha256 has 64 hexadecimal digits, one of sha512 has 128",
            Self::Character => "a digest is written with the digits 0-9 and a-f",
        })
    }
}

impl std::error::Error for DigestError {}

impl Digest {
    /// The digest of content, by the canonical algorithm.
    pub fn of(content: &[u8]) -> Self {
        Self::with(Algorithm::CANONICAL, content)
    }

    /// The digest of content, by `algorithm`.
    pub fn with(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.digest()
    }

    /// The digest of that algorithm whose digits these are.
    pub fn from_hex(algorithm: Algorithm, digits: &str) -> Result<Self, DigestError> {
        match algorithm {
            Algorithm::Sha256 => unhex(digits).map(Self::Sha256),
            Algorithm::Sha512 => unhex(digits).map(Self::Sha512),
        }
    }

    /// What it was made with.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Whether content is stored under this digest itself, and not under another.
    pub fn is_canonical(&self) -> bool {
        self.algorithm() == Algorithm::CANONICAL
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(hash) => hash,
            Self::Sha512(hash) => hash,
        }
    }

    /// Its digits, lower case.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        self.as_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

fn unhex<const N: usize>(digits: &str) -> Result<[u8; N], DigestError> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(DigestError::Character),
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return Err(DigestError::Length);
    }
    let mut hash = [0; N];
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Ok(hash)
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, digits) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        Self::from_hex(Algorithm::from_name(algorithm).ok_or(DigestError::UnknownAlgorithm)?, digits)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_known_answers() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), format!("sha256:{empty}"));
        let abc = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                   2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        assert_eq!(Digest::with(Algorithm::Sha512, b"abc").to_string(), format!("sha512:{abc}"));
    }

    #[test]
    fn what_only_looks_like_a_digest_is_refused() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, error) in [
            (String::new(), DigestError::NoAlgorithm),
            (digits.to_owned(), DigestError::NoAlgorithm),
            (format!("md5:{digits}"), DigestError::UnknownAlgorithm),
            (format!("SHA256:{digits}"), DigestError::UnknownAlgorithm),
            (format!("tarsum.v1+sha256:{digits}"), DigestError::UnknownAlgorithm),
            ("sha256:".to_owned(), DigestError::Length),
            ("sha256:e".to_owned(), DigestError::Length),
            (format!("sha256:{digits}\n"), DigestError::Length),
            (format!("sha256:{digits}0"), DigestError::Length),
            (format!("sha512:{digits}"), DigestError::Length),
            (format!("sha256:{}", digits.to_uppercase()), DigestError::Character),
            (format!("sha256:{}/.", &digits[2..]), DigestError::Character),
            (format!("sha256:ä{}", &digits[2..]), DigestError::Character),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_digest_is_what_its_text_says(content in any::<Vec<u8>>(), algorithm in prop::sample::select(&Algorithm::ALL)) {
            let digest = Digest::with(algorithm, &content);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(Digest::from_hex(algorithm, &digest.hex()), Ok(digest));
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,150}") {
            let _ = text.parse::<Digest>();
        }
    }
}
