//! Sets of digests that stay small.

use std::collections::HashSet;

use crate::digest::Digest;

/// A set of digests, of each of which it has half: two contents that have it in common, which nobody makes by accident, would count
/// as one.
#[derive(Debug, Default)]
pub(crate) struct Marks(HashSet<Half>);

/// What is kept of a digest.
pub(crate) type Half = u128;

impl Marks {
    pub(crate) fn insert(&mut self, digest: &Digest) {
        self.0.insert(half(digest));
    }

    pub(crate) fn insert_halves(&mut self, halves: &[Half]) {
        self.0.extend(halves);
    }

    pub(crate) fn contain(&self, digest: &Digest) -> bool {
        self.0.contains(&half(digest))
    }

    pub(crate) fn add_all(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

pub(crate) fn half(digest: &Digest) -> Half {
    let (first, _) = digest.as_bytes().split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    u128::from_le_bytes(*first)
}

impl<'a> FromIterator<&'a Digest> for Marks {
    fn from_iter<I: IntoIterator<Item = &'a Digest>>(digests: I) -> Self {
        Self(digests.into_iter().map(half).collect())
    }
}
