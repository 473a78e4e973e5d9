//! The hash of an upload, made while its bytes are on their way.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::digest::{Algorithm, Hasher};

/// From so many bytes on they are hashed on another thread: some 150 microseconds of work, where the way there and back takes
/// some ten.
const BATCH: usize = 256 * 1024;

/// The most bytes that wait for that thread; as many may be at it.
const MOST_WAITING: usize = 2 * 1024 * 1024;

/// Hashers of one content. The writing of a chunk does not wait until it is hashed.
///
/// A thread that has begun goes on as long as there is something to hash, and so for all of an upload that comes faster than that. With
/// one for each batch it would be woken for each, mostly where the writer of the file runs, and the two would take turns on one
/// processor while another idles.
#[derive(Debug)]
pub(super) struct Hashing {
    hashers: Hashers,
    waiting: Arc<Waiting>,
    /// Bytes taken so far.
    taken: u64,
}

#[derive(Debug)]
enum Hashers {
    Here(Vec<Hasher>),
    Away(JoinHandle<Vec<Hasher>>),
    /// The thread ended before its work, as it does with the runtime. Nothing waits any more.
    Lost,
}

/// What waits to be hashed.
#[derive(Debug, Default)]
struct Waiting {
    chunks: Mutex<Chunks>,
    /// Told when chunks were taken from it.
    is_taken: Notify,
}

#[derive(Debug, Default)]
struct Chunks {
    list: Vec<Bytes>,
    bytes: usize,
    /// Whether a thread will take what is added.
    is_worked_at: bool,
}

impl Waiting {
    /// What to hash next; none where the thread is to end.
    fn next(&self) -> Option<Vec<Bytes>> {
        let mut chunks = self.chunks.lock();
        if chunks.list.is_empty() {
            chunks.is_worked_at = false;
            return None;
        }
        chunks.bytes = 0;
        let list = std::mem::take(&mut chunks.list);
        drop(chunks);
        self.is_taken.notify_one();
        Some(list)
    }

    /// How many bytes wait for a thread that is there.
    fn behind_a_thread(&self) -> usize {
        let chunks = self.chunks.lock();
        if chunks.is_worked_at { chunks.bytes } else { 0 }
    }
}

impl Hashing {
    /// Hashers that have hashed nothing: the canonical one, and another where it is asked for.
    pub(super) fn new(other: Option<Algorithm>) -> Self {
        Self::resumed(algorithms(other).map(Hasher::new).collect(), 0)
    }

    /// Hashers that go on behind `taken` bytes.
    pub(super) fn resumed(hashers: Vec<Hasher>, taken: u64) -> Self {
        Self { hashers: Hashers::Here(hashers), waiting: Arc::default(), taken }
    }

    /// How many bytes were taken.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes the next bytes.
    pub(super) async fn take(&mut self, chunk: Bytes) {
        self.taken += chunk.len() as u64;
        if matches!(self.hashers, Hashers::Lost) {
            return;
        }
        let wants_thread = {
            let mut chunks = self.waiting.chunks.lock();
            chunks.bytes += chunk.len();
            chunks.list.push(chunk);
            !chunks.is_worked_at && chunks.bytes >= BATCH
        };
        if wants_thread {
            self.fetch().await;
            self.send();
        }
        while let Hashers::Away(thread) = &mut self.hashers
            && self.waiting.behind_a_thread() > MOST_WAITING
        {
            tokio::select! {
                () = self.waiting.is_taken.notified() => {}
                // It does not end while there is something to hash, unless it is lost.
                ended = thread => self.hashers = ended.map_or(Hashers::Lost, Hashers::Here),
            }
        }
    }

    /// The hashers, once all that was taken is hashed; none where they are lost.
    pub(super) async fn finish(&mut self) -> Option<&[Hasher]> {
        self.fetch().await;
        if self.waiting.chunks.lock().bytes >= BATCH {
            self.send();
            self.fetch().await;
        }
        let Hashers::Here(hashers) = &mut self.hashers else { return None };
        let rest = std::mem::take(&mut *self.waiting.chunks.lock());
        update(hashers, &rest.list);
        Some(hashers)
    }

    /// Lets a thread hash what waits, unless there is one.
    fn send(&mut self) {
        match std::mem::replace(&mut self.hashers, Hashers::Lost) {
            Hashers::Here(mut hashers) => {
                let waiting = self.waiting.clone();
                waiting.chunks.lock().is_worked_at = true;
                self.hashers = Hashers::Away(spawn_blocking(move || {
                    while let Some(chunks) = waiting.next() {
                        update(&mut hashers, &chunks);
                    }
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

    #[tokio::test]
    async fn a_thread_that_is_lost_is_told_and_holds_nobody_up() {
        let mut hashing = Hashing::new(None);
        let thread = tokio::spawn(std::future::pending());
        thread.abort();
        hashing.hashers = Hashers::Away(thread);
        hashing.waiting.chunks.lock().is_worked_at = true;
        for _ in 0..3 {
            hashing.take(vec![0; MOST_WAITING].into()).await;
        }
        assert!(hashing.finish().await.is_none());
        assert_eq!(hashing.taken(), 3 * MOST_WAITING as u64);
    }
}
