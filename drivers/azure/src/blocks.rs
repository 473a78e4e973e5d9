//! Blocks on their way to the service: some at a time, in tasks of their own, held until they have arrived.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use driver_api::{Error, ErrorKind, Result};
use tokio::task::{Id, JoinSet};

use crate::client::{Container, Effect, Failure};

/// How many bytes of blocks are in flight at most, unless one block alone is larger.
const BYTES_IN_FLIGHT: u64 = 32 * 1024 * 1024;

/// Uploads of blocks of one blob. What is given to it is never lost: a block whose upload failed is sent again by the next
/// call. That is harmless, for its id is its writer's own.
#[derive(Debug)]
pub(crate) struct Uploads {
    container: Arc<Container>,
    name: String,
    concurrency: usize,
    tasks: JoinSet<Result<(), Failure>>,
    running: HashMap<Id, u64>,
    /// What has not arrived yet, by the order in which it was given.
    held: BTreeMap<u64, Held>,
    given: u64,
}

#[derive(Debug)]
struct Held {
    id: Bytes,
    body: Bytes,
    running: bool,
}

impl Uploads {
    pub(crate) fn new(container: Arc<Container>, name: String, concurrency: usize) -> Self {
        Self {
            container,
            name,
            concurrency,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            held: BTreeMap::new(),
            given: 0,
        }
    }

    /// Whether a block of `size` bytes can be begun now.
    pub(crate) fn has_room(&self, size: u64) -> bool {
        let bytes: u64 = self.held.values().map(|held| held.body.len() as u64).sum();
        self.held.is_empty() || (self.held.len() < self.concurrency && bytes.saturating_add(size) <= BYTES_IN_FLIGHT)
    }

    /// Begins to send a block, and does not wait.
    pub(crate) fn begin(&mut self, id: Bytes, body: Bytes) {
        let number = self.given;
        self.given += 1;
        self.held.insert(number, Held { id, body, running: false });
        self.send(number);
    }

    fn send(&mut self, number: u64) {
        let Some(held) = self.held.get_mut(&number) else { return };
        held.running = true;
        let (container, name) = (self.container.clone(), self.name.clone());
        let (id, body) = (held.id.clone(), held.body.clone());
        let task = self.tasks.spawn(async move { container.put_block(&name, id, body).await });
        self.running.insert(task.id(), number);
    }

    fn send_again(&mut self) {
        let stopped: Vec<_> = self.held.iter().filter(|(_, held)| !held.running).map(|(number, _)| *number).collect();
        stopped.into_iter().for_each(|number| self.send(number));
    }

    /// Waits until a block of `size` bytes can be begun. Can be dropped and called again.
    pub(crate) async fn room(&mut self, size: u64) -> Result<()> {
        self.send_again();
        while !self.has_room(size) {
            self.next().await?;
        }
        Ok(())
    }

    /// Waits until all have arrived. Can be dropped and called again.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.send_again();
        while !self.held.is_empty() {
            self.next().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<()> {
        let (task, outcome) = match self.tasks.join_next_with_id().await {
            None => return Err(Error::new(ErrorKind::Other, "a block that is not on its way has not arrived")),
            Some(Ok((task, outcome))) => (task, outcome.map_err(|failure| failure.into_error(Effect::None))),
            Some(Err(error)) => {
                let task = error.id();
                (task, Err(Error::new(ErrorKind::Other, "the upload of a block ended early").with_source(error)))
            }
        };
        let Some(number) = self.running.remove(&task) else { return outcome };
        match &outcome {
            Ok(()) => drop(self.held.remove(&number)),
            Err(_) => {
                if let Some(held) = self.held.get_mut(&number) {
                    held.running = false;
                }
            }
        }
        outcome
    }

    /// Stops everything and lets go of it.
    pub(crate) fn give_up(&mut self) {
        self.tasks.abort_all();
        self.held.clear();
    }
}

/// Bytes in pieces, in order.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    pieces: VecDeque<Bytes>,
    length: u64,
}

impl Tail {
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        self.length += piece.len() as u64;
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    /// The whole, in one piece; it stays here, too.
    pub(crate) fn bytes(&mut self) -> Bytes {
        let whole = self.take(self.length);
        self.push(whole.clone());
        whole
    }

    /// Takes the first `length` bytes in one piece; copies only where they are in several.
    pub(crate) fn take(&mut self, length: u64) -> Bytes {
        let length = length.min(self.length) as usize;
        self.length -= length as u64;
        let first = self.pieces.front().map_or(0, Bytes::len);
        if first >= length {
            return self.take_from_first(length);
        }
        let mut taken = BytesMut::with_capacity(length);
        while taken.len() < length && !self.pieces.is_empty() {
            let piece = self.take_from_first(length - taken.len());
            taken.extend_from_slice(&piece);
        }
        taken.freeze()
    }

    fn take_from_first(&mut self, length: usize) -> Bytes {
        let Some(mut piece) = self.pieces.pop_front() else { return Bytes::new() };
        if piece.len() > length {
            let rest = piece.split_off(length);
            self.pieces.push_front(rest);
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_gives_back_what_it_was_given() {
        let mut tail = Tail::default();
        for piece in ["ab", "", "cdef", "g"] {
            tail.push(Bytes::from_static(piece.as_bytes()));
        }
        assert_eq!(tail.take(0), "");
        assert_eq!(tail.take(3), "abc");
        assert_eq!(tail.bytes(), "defg");
        assert_eq!((tail.length(), tail.take(9)), (4, Bytes::from_static(b"defg")));
        assert_eq!((tail.length(), tail.bytes()), (0, Bytes::new()));
    }

    #[test]
    fn one_large_piece_is_cut_without_a_copy() {
        let piece = Bytes::from(vec![7; 100]);
        let mut tail = Tail::default();
        tail.push(piece.clone());
        assert_eq!(tail.take(40).as_ptr(), piece.as_ptr());
        assert_eq!(tail.take(60).as_ptr(), piece[40..].as_ptr());
    }
}
