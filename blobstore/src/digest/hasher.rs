//! Content on its way into a digest.

use sha2::{Digest as _, Sha256, Sha512};

use super::state::{UnusableState, restore, save};
use super::{Algorithm, Digest};

/// Hashes content as it comes, and can be saved in between.
#[derive(Debug, Clone)]
pub enum Hasher {
    /// Makes digests of SHA-256.
    Sha256(Sha256),
    /// Makes digests of SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// One that has hashed nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// What it makes.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, content: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(content),
            Self::Sha512(hasher) => hasher.update(content),
        }
    }

    /// The digest of all bytes so far.
    pub fn digest(&self) -> Digest {
        match self.clone() {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::Sha512(hasher) => Digest::Sha512(hasher.finalize().into()),
        }
    }

    /// The state after all bytes so far, in the encoding of Go's `crypto/sha256` and `crypto/sha512`, which is what the Go
    /// registry keeps beside an upload.
    pub fn save(&self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => save(hasher),
            Self::Sha512(hasher) => save(hasher),
        }
    }

    /// A hasher in a saved state, which is one after `hashed` bytes.
    pub fn restore(algorithm: Algorithm, state: &[u8], hashed: u64) -> Result<Self, UnusableState> {
        match algorithm {
            Algorithm::Sha256 => restore(state, hashed).map(Self::Sha256),
            Algorithm::Sha512 => restore(state, hashed).map(Self::Sha512),
        }
    }
}
