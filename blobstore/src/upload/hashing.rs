//! The hash of an upload, made while its bytes are on their way.

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::digest::{Algorithm, Hasher};

/// From so many bytes on they are hashed on another thread: some 150 microseconds of work, where the way there and back takes
/// some ten.
const BATCH: usize = 256 * 1024;

/// The most bytes that wait for that thread.
const MOST_WAITING: usize = 2 * 1024 * 1024;

/// Hashers of one content. The writing of a chunk does not wait until it is hashed.
#[derive(Debug)]
pub(super) struct Hashing {
    hashers: Hashers,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// Bytes taken so far.
    taken: u64,
}

#[derive(Debug)]
enum Hashers {
    Here(Vec<Hasher>),
    Away(JoinHandle<Vec<Hasher>>),
    /// The thread ended before its work, as it does with the runtime.
    Lost,
}

impl Hashing {
    /// Hashers that have hashed nothing: the canonical one, and another where it is asked for.
    pub(super) fn new(other: Option<Algorithm>) -> Self {
        Self::resumed(algorithms(other).map(Hasher::new).collect(), 0)
    }

    /// Hashers that go on behind `taken` bytes.
    pub(super) fn resumed(hashers: Vec<Hasher>, taken: u64) -> Self {
        Self { hashers: Hashers::Here(hashers), waiting: Vec::new(), waiting_bytes: 0, taken }
    }

    /// How many bytes were taken.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes the next bytes.
    pub(super) async fn take(&mut self, chunk: Bytes) {
        self.taken += chunk.len() as u64;
        self.waiting_bytes += chunk.len();
        self.waiting.push(chunk);
        let is_back = matches!(&self.hashers, Hashers::Away(thread) if thread.is_finished());
        if self.waiting_bytes >= BATCH && (is_back || self.waiting_bytes >= MOST_WAITING) {
            self.fetch().await;
        }
        if self.waiting_bytes >= BATCH {
            self.send();
        }
    }

    /// The hashers, once all that was taken is hashed; none where they are lost.
    pub(super) async fn finish(&mut self) -> Option<&[Hasher]> {
        self.fetch().await;
        if self.waiting_bytes >= BATCH {
            self.send();
            self.fetch().await;
        }
        let Hashers::Here(hashers) = &mut self.hashers else { return None };
        update(hashers, &std::mem::take(&mut self.waiting));
        self.waiting_bytes = 0;
        Some(hashers)
    }

    /// Hashes what waits on another thread, unless that is busy.
    fn send(&mut self) {
        match std::mem::replace(&mut self.hashers, Hashers::Lost) {
            Hashers::Here(mut hashers) => {
                let chunks = std::mem::take(&mut self.waiting);
                self.waiting_bytes = 0;
                self.hashers = Hashers::Away(spawn_blocking(move || {
                    update(&mut hashers, &chunks);
                    hashers
                }));
            }
            other => self.hashers = other,
        }
    }

    async fn fetch(&mut self) {
        if let Hashers::Away(thread) = &mut self.hashers {
            self.hashers = thread.await.map_or(Hashers::Lost, Hashers::Here);
        }
    }
}

/// The canonical algorithm, and `other` if it is another.
pub(super) fn algorithms(other: Option<Algorithm>) -> impl Iterator<Item = Algorithm> {
    std::iter::once(Algorithm::CANONICAL).chain(other.filter(|other| *other != Algorithm::CANONICAL))
}

fn update(hashers: &mut [Hasher], chunks: &[Bytes]) {
    for chunk in chunks {
        hashers.iter_mut().for_each(|hasher| hasher.update(chunk));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[tokio::test]
    async fn chunks_of_all_sizes_are_hashed_in_their_order() {
        let mut hashing = Hashing::new(Some(Algorithm::Sha512));
        let mut content = Vec::new();
        for (number, size) in [1, BATCH - 1, 3 * BATCH, 0, 7, MOST_WAITING, 64 * 1024, 5, BATCH].into_iter().enumerate()
        {
            let chunk = vec![number as u8; size];
            content.extend_from_slice(&chunk);
            hashing.take(chunk.into()).await;
            if number % 4 == 3 {
                // What is saved in between alters nothing.
                hashing.finish().await.unwrap();
            }
        }
        assert_eq!(hashing.taken(), content.len() as u64);
        let digests: Vec<_> = hashing.finish().await.unwrap().iter().map(Hasher::digest).collect();
        assert_eq!(digests, Algorithm::ALL.map(|algorithm| Digest::with(algorithm, &content)));
    }
}
