//! What is still to be delivered to one endpoint, in memory and on a disk.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::journal::{Journal, MAX_EVENT_BYTES};
use super::tally::Tally;

/// How much is kept in memory: all of it where there is no journal, else what is not written yet.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// How many events are written at once.
const BATCH: usize = 1000;
/// How long nothing is written to a disk that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The queue of an endpoint. Events come in without waiting, and go out one at a time, in the order in which they came.
///
/// With a journal, events are on their way through memory for as long as it takes to write them. Where the journal cannot be
/// written they stay in memory and are delivered from there, once those on the disk are.
#[derive(Debug)]
pub(super) struct Queue {
    inbox: Mutex<Inbox>,
    journal: Option<Arc<Mutex<Journal>>>,
    tally: Arc<Tally>,
    /// Whether the journal could not be written.
    is_failing: AtomicBool,
    /// Whether nothing comes any more, neither from requests nor from memory to the disk.
    is_complete: AtomicBool,
    /// Something came in, or nothing will.
    arrived: Notify,
    /// There may be something to deliver.
    ready: Notify,
    /// The inbox became smaller.
    written: Notify,
}

#[derive(Debug, Default)]
struct Inbox {
    events: VecDeque<(u64, Bytes)>,
    bytes: usize,
    next: u64,
    /// How many of the first are being written to the journal.
    writing: usize,
    is_closed: bool,
}

/// The event that is to be delivered next.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) content: Bytes,
    number: u64,
    is_in_memory: bool,
}

impl Queue {
    pub(super) fn new(journal: Option<Journal>, tally: Arc<Tally>) -> Self {
        Self {
            inbox: Mutex::default(),
            journal: journal.map(|journal| Arc::new(Mutex::new(journal))),
            tally,
            is_failing: AtomicBool::new(false),
            is_complete: AtomicBool::new(false),
            arrived: Notify::new(),
            ready: Notify::new(),
            written: Notify::new(),
        }
    }

    /// Whether what is in it outlives the process.
    pub(super) fn is_lasting(&self) -> bool {
        self.journal.is_some()
    }

    /// Whether no more comes in.
    pub(super) fn is_closed(&self) -> bool {
        self.inbox.lock().is_closed
    }

    /// Takes an event on. It takes no time; where there is no room, the oldest go.
    pub(super) fn push(&self, content: Bytes) {
        self.tally.taken_on();
        let dropped = self.inbox.lock().push(content);
        self.tally.dropped(dropped);
        if dropped > 0 {
            self.written.notify_waiters();
        }
        if self.is_lasting() { self.arrived.notify_one() } else { self.ready.notify_one() }
    }

    /// Takes nothing on any more.
    pub(super) fn close(&self) {
        self.inbox.lock().is_closed = true;
        self.arrived.notify_one();
    }

    /// Lets the delivery end when there is nothing left to deliver.
    pub(super) fn complete(&self) {
        self.is_complete.store(true, Ordering::Release);
        self.ready.notify_one();
    }

    /// Waits until everything that came so far is on the disk, or delivered where there is none.
    pub(super) async fn flush(&self) {
        let until = self.inbox.lock().next;
        loop {
            let written = self.written.notified();
            if self.inbox.lock().events.front().is_none_or(|(number, _)| *number >= until) {
                return;
            }
            written.await;
        }
    }

    /// Writes to the journal what comes in, until it is closed.
    pub(super) async fn spool(&self) {
        let Some(journal) = self.journal.clone() else { return };
        loop {
            let batch = self.inbox.lock().begin_writing();
            if batch.is_empty() {
                if self.is_closed() {
                    return;
                }
                self.arrived.notified().await;
                continue;
            }
            let (written, result) = blocking(&journal, move |journal| write(journal, batch)).await;
            self.inbox.lock().end_writing(written);
            self.take_dropped(&journal).await;
            self.written.notify_waiters();
            self.ready.notify_one();
            self.note_writing(&result);
            if result.is_err() {
                // A last attempt was made; what is left is lost when the process ends before it is delivered.
                if self.is_closed() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// The event to deliver next, as soon as there is one; none when all is delivered and nothing comes any more.
    pub(super) async fn head(&self) -> Option<Head> {
        loop {
            let is_complete = self.is_complete.load(Ordering::Acquire);
            match self.first().await {
                Ok(Some(head)) => return Some(head),
                Ok(None) if is_complete => return None,
                Ok(None) => self.ready.notified().await,
                Err(error) => {
                    tracing::error!(%error, "the journal of notifications cannot be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn first(&self) -> io::Result<Option<Head>> {
        if let Some(journal) = &self.journal {
            let first = blocking(journal, Journal::first).await?;
            self.take_dropped(journal).await;
            if let Some((number, content)) = first {
                return Ok(Some(Head { content, number, is_in_memory: false }));
            }
            if !self.is_failing.load(Ordering::Acquire) {
                return Ok(None);
            }
        }
        let first = self.inbox.lock().events.front().cloned();
        Ok(first.map(|(number, content)| Head { content, number, is_in_memory: true }))
    }

    /// Whether the event is still in the queue: it may have been dropped meanwhile.
    pub(super) fn has(&self, head: &Head) -> bool {
        match &self.journal {
            Some(journal) if !head.is_in_memory => journal.lock().has(head.number),
            _ => self.inbox.lock().has(head.number),
        }
    }

    /// The event was delivered.
    pub(super) async fn remove(&self, head: &Head) {
        match &self.journal {
            Some(journal) if !head.is_in_memory => {
                let number = head.number;
                let (had, noted) =
                    blocking(journal, move |journal| (journal.has(number), journal.delivered(number))).await;
                if had {
                    self.tally.done();
                }
                if let Err(error) = noted {
                    tracing::debug!(%error, "that an event was delivered was not noted in the journal");
                }
            }
            _ => {
                if self.inbox.lock().remove(head.number) {
                    self.tally.done();
                    self.written.notify_waiters();
                }
            }
        }
    }

    /// Makes what was noted of deliveries safe from a loss of power.
    pub(super) async fn sync(&self) {
        if let Some(journal) = &self.journal
            && let Err(error) = blocking(journal, Journal::sync).await
        {
            tracing::warn!(%error, "the journal of notifications was not written to the disk");
        }
    }

    async fn take_dropped(&self, journal: &Arc<Mutex<Journal>>) {
        let dropped = journal.lock().take_dropped();
        if dropped > 0 {
            tracing::warn!(events = dropped, "notifications were dropped: the journal is full or damaged");
            self.tally.dropped(dropped);
        }
    }

    /// Tells it once when the disk fails, and once when it works again.
    fn note_writing(&self, result: &io::Result<()>) {
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::AcqRel);
        match result {
            Err(error) if !was_failing => {
                tracing::error!(%error, "the journal of notifications cannot be written: they are kept in memory");
            }
            Ok(()) if was_failing => tracing::info!("the journal of notifications can be written again"),
            _ => {}
        }
    }
}

/// Writes events, and tells how many of them were.
fn write(journal: &mut Journal, batch: Vec<Bytes>) -> (usize, io::Result<()>) {
    for (written, content) in batch.iter().enumerate() {
        if let Err(error) = journal.append(content.clone()) {
            return (written, Err(error));
        }
    }
    // What could be written and not be made safe is in the journal all the same.
    (batch.len(), journal.sync())
}

/// Does something that takes time to a journal.
async fn blocking<T: Send + 'static>(
    journal: &Arc<Mutex<Journal>>,
    work: impl FnOnce(&mut Journal) -> T + Send + 'static,
) -> T {
    let journal = Arc::clone(journal);
    match tokio::task::spawn_blocking(move || work(&mut journal.lock())).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime ends, and with it whoever waits for this.
        Err(_) => std::future::pending().await,
    }
}

impl Inbox {
    /// How many events had to go.
    fn push(&mut self, content: Bytes) -> u64 {
        if self.is_closed || content.len() > MAX_EVENT_BYTES {
            return 1;
        }
        self.bytes += content.len();
        self.events.push_back((self.next, content));
        self.next += 1;
        let mut dropped = 0;
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.events.remove(self.writing) else { break };
            self.bytes -= oldest.len();
            dropped += 1;
        }
        dropped
    }

    fn begin_writing(&mut self) -> Vec<Bytes> {
        let batch: Vec<_> = self.events.iter().take(BATCH).map(|(_, content)| content.clone()).collect();
        self.writing = batch.len();
        batch
    }

    fn end_writing(&mut self, written: usize) {
        for (_, content) in self.events.drain(..written.min(self.events.len())) {
            self.bytes -= content.len();
        }
        self.writing = 0;
    }

    fn has(&self, number: u64) -> bool {
        self.events.front().is_some_and(|(first, _)| *first == number)
    }

    fn remove(&mut self, number: u64) -> bool {
        // What is being written is delivered from the journal once more.
        let is_there = self.has(number) && self.writing == 0;
        if is_there && let Some((_, content)) = self.events.pop_front() {
            self.bytes -= content.len();
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(journal: Option<Journal>) -> Queue {
        Queue::new(journal, Arc::new(Tally::new("it")))
    }

    async fn take(queue: &Queue) -> Bytes {
        let head = queue.head().await.unwrap();
        queue.remove(&head).await;
        head.content
    }

    #[tokio::test]
    async fn memory_is_bounded_by_dropping_the_oldest() {
        let queue = queue(None);
        for number in 0..MOST_EVENTS + 50 {
            queue.push(number.to_string().into());
        }
        let numbers = queue.tally.numbers();
        assert_eq!((numbers.pending, numbers.dropped), (MOST_EVENTS as u64, 50));
        assert_eq!(take(&queue).await, "50");
        let large = Bytes::from(vec![0; MAX_EVENT_BYTES]);
        for _ in 0..6 {
            queue.push(large.clone());
        }
        assert!(queue.inbox.lock().bytes <= MOST_BYTES);
        queue.push(Bytes::from(vec![0; MAX_EVENT_BYTES + 1]));
        let numbers = queue.tally.numbers();
        assert_eq!((numbers.pending, numbers.pending + numbers.dropped + 1), (4, MOST_EVENTS as u64 + 57));
    }

    #[tokio::test]
    async fn an_event_that_was_dropped_meanwhile_is_not_wanted() {
        let queue = queue(None);
        queue.push("first".into());
        let head = queue.head().await.unwrap();
        for _ in 0..MOST_EVENTS {
            queue.push("other".into());
        }
        assert!(!queue.has(&head));
        queue.remove(&head).await;
        assert_eq!(queue.tally.numbers().pending, MOST_EVENTS as u64);
    }

    #[tokio::test]
    async fn events_are_delivered_from_memory_while_the_disk_fails() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("journal");
        let queue = Arc::new(queue(Some(Journal::open(&path, 65536).unwrap())));
        // Without its directory, no file of it can be begun.
        std::fs::rename(&path, directory.path().join("elsewhere")).unwrap();
        let spool = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.spool().await }
        });
        queue.push("a".into());
        queue.push("b".into());
        assert_eq!([take(&queue).await, take(&queue).await], ["a", "b"]);
        std::fs::rename(directory.path().join("elsewhere"), &path).unwrap();
        queue.push("c".into());
        queue.flush().await;
        assert_eq!(take(&queue).await, "c");
        assert_eq!((queue.tally.numbers().pending, queue.tally.numbers().dropped), (0, 0));
        queue.close();
        spool.await.unwrap();
        queue.complete();
        assert!(queue.head().await.is_none());
    }
}
