//! What is still to be delivered to one endpoint, on a disk.
//!
//! Events are numbered, and appended to the last of a few files; that some are delivered is appended as well. A file whose
//! events are all delivered is removed, so that nothing is ever written twice, and nothing is written in place.

mod record;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;

pub(crate) use record::MAX_EVENT_BYTES;
use record::{HEADER_BYTES, Header, Record};
use segment::{Found, Segment, sync_directory};

/// Of how many files a full journal consists: the oldest of them is what is dropped at once.
const FILES: u64 = 8;

/// A journal, which is nobody else's while it is open.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
    /// How many bytes all files may have.
    limit: u64,
    /// The oldest first. All but the last have an event that is not delivered.
    segments: VecDeque<Segment>,
    /// The place of the next file.
    next_index: u64,
    /// The number of the next event.
    next: u64,
    /// Up to which number events are delivered, or dropped.
    delivered: u64,
    /// From where in the first file the first event that is not delivered is looked for.
    place: u64,
    /// The number of the event that was handed out last, and the place behind it.
    handed_out: Option<(u64, u64)>,
    /// Whether nothing may be appended to the last file any more.
    is_sealed: bool,
    /// How many events were dropped since somebody asked.
    dropped: u64,
    /// Locked as long as it is open.
    _lock: File,
}

impl Journal {
    /// Opens the journal in `directory`, or begins one, of at most `limit` bytes.
    ///
    /// What was not written to its end is cut off. Errors: `WouldBlock` where another process has it open.
    pub(crate) fn open(directory: &Path, limit: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(directory.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::Error::new(io::ErrorKind::WouldBlock, "another process has it open"),
        })?;
        let mut journal = Self {
            directory: directory.to_owned(),
            limit,
            segments: VecDeque::new(),
            next_index: 0,
            next: 1,
            delivered: 0,
            place: HEADER_BYTES as u64,
            handed_out: None,
            is_sealed: false,
            dropped: 0,
            _lock: lock,
        };
        journal.recover()?;
        Ok(journal)
    }

    fn recover(&mut self) -> io::Result<()> {
        let mut files: Vec<_> = std::fs::read_dir(&self.directory)?
            .filter_map(|entry| entry.map(|entry| Segment::index_of(&entry.path()).zip(Some(entry.path()))).transpose())
            .collect::<io::Result<_>>()?;
        files.sort_unstable();
        for (index, path) in files {
            self.next_index = index.saturating_add(1);
            match Segment::open(&path)? {
                Found::Segment { segment, .. } if segment.first < self.next => self.set_aside(&path)?,
                Found::Segment { segment, delivered, rest } => {
                    if rest > 0 {
                        tracing::warn!(path = %path.display(), bytes = rest, "the end of a journal of notifications was cut off");
                        segment.cut()?;
                    }
                    self.delivered = self.delivered.max(delivered);
                    // What is missing between two files was there once.
                    if !self.segments.is_empty() {
                        self.dropped += segment.first.saturating_sub(self.next.max(self.delivered + 1));
                    }
                    self.next = segment.end;
                    self.segments.push_back(segment);
                }
                Found::Unbegun => std::fs::remove_file(&path)?,
                Found::Damaged => self.set_aside(&path)?,
            }
        }
        self.settle();
        Ok(())
    }

    /// Keeps a file that is of no use, for whoever wants to know why.
    fn set_aside(&self, path: &Path) -> io::Result<()> {
        tracing::error!(path = %path.display(), "a journal of notifications is damaged and was set aside");
        std::fs::rename(path, path.with_extension("damaged"))
    }

    /// How many events are still to be delivered.
    pub(crate) fn pending(&self) -> u64 {
        let from = self.delivered + 1;
        self.segments.iter().map(|segment| segment.end.saturating_sub(from.max(segment.first))).sum()
    }

    /// How many events were dropped since this was asked: for want of room, or because they cannot be read.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Whether the event is neither delivered nor dropped.
    pub(crate) fn has(&self, number: u64) -> bool {
        number > self.delivered
    }

    /// Adds an event. Where there is no room, the oldest go. It is safe from a loss of power after [`Journal::sync`].
    pub(crate) fn append(&mut self, content: Bytes) -> io::Result<()> {
        let record = Record::Event { number: self.next, content };
        let bytes = record.encoded_bytes();
        if bytes + HEADER_BYTES as u64 > self.limit {
            self.dropped += 1;
            return Ok(());
        }
        let is_full = self.segments.back().is_none_or(|last| {
            last.end > last.first && last.bytes + bytes > (self.limit / FILES).max(HEADER_BYTES as u64)
        });
        if is_full || self.is_sealed {
            self.begin_file()?;
        }
        while self.segments.len() > 1 && self.bytes() + bytes > self.limit {
            self.drop_first();
        }
        if self.write(&record)? {
            self.next += 1;
        }
        Ok(())
    }

    /// The first event that is not delivered. What cannot be read is dropped.
    pub(crate) fn first(&mut self) -> io::Result<Option<(u64, Bytes)>> {
        loop {
            let Some(segment) = self.segments.front() else { return Ok(None) };
            if self.delivered + 1 >= segment.end {
                return Ok(None);
            }
            match segment.event_from(self.place, self.delivered + 1) {
                Ok(Some((place, record))) => {
                    let behind = place + record.encoded_bytes();
                    if let Record::Event { number, content } = record {
                        self.place = place;
                        self.handed_out = Some((number, behind));
                        return Ok(Some((number, content)));
                    }
                }
                Ok(None) => {
                    tracing::error!(directory = %self.directory.display(), "a journal of notifications is damaged")
                }
                Err(error) => {
                    tracing::error!(directory = %self.directory.display(), %error, "a journal of notifications cannot be read");
                }
            }
            if self.segments.len() == 1 {
                self.begin_file()?;
            }
            self.drop_first();
        }
    }

    /// Notes that everything up to `number` is delivered. Where that cannot be written, it is delivered again after a restart.
    pub(crate) fn delivered(&mut self, number: u64) -> io::Result<()> {
        if number <= self.delivered || number >= self.next {
            return Ok(());
        }
        self.delivered = number;
        if let Some((_, behind)) = self.handed_out.take().filter(|(handed_out, _)| *handed_out == number) {
            self.place = behind;
        }
        self.settle();
        let is_empty = self.delivered + 1 >= self.next;
        // With nothing in it that is needed, the last file need not grow any more.
        if is_empty && self.segments.back().is_some_and(|last| last.bytes > self.limit / FILES / 2) {
            self.begin_file()?;
            self.settle();
            return Ok(());
        }
        if self.is_sealed {
            self.begin_file()?;
            self.settle();
            return Ok(());
        }
        self.write(&Record::Delivered(number)).map(|_| ())
    }

    /// Returns when a loss of power takes nothing of what was appended.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let Some(last) = self.segments.back() else { return Ok(()) };
        let synced = last.sync();
        // What the system could not write it may forget; a file of which that is true gets nothing more.
        self.is_sealed |= synced.is_err();
        synced
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Writes to the last file. Whether there is one.
    fn write(&mut self, record: &Record) -> io::Result<bool> {
        let Some(last) = self.segments.back_mut() else { return Ok(false) };
        let written = last.append(record);
        self.is_sealed |= written.is_err();
        written.map(|()| true)
    }

    /// Begins another file, which becomes the last.
    fn begin_file(&mut self) -> io::Result<()> {
        if let Some(last) = self.segments.back()
            && !self.is_sealed
        {
            last.sync()?;
        }
        let header = Header { first: self.next, delivered: self.delivered };
        let segment = Segment::begin(&self.directory, self.next_index, header)?;
        self.next_index += 1;
        self.is_sealed = false;
        self.segments.push_back(segment);
        self.settle();
        Ok(())
    }

    /// Drops the first file, with what of it is not delivered.
    fn drop_first(&mut self) {
        let Some(first) = self.segments.front() else { return };
        self.dropped += first.end.saturating_sub(first.first.max(self.delivered + 1));
        self.delivered = self.delivered.max(first.end - 1);
        self.remove_first();
        self.settle();
    }

    fn remove_first(&mut self) {
        if let Some(first) = self.segments.pop_front() {
            first.remove();
        }
        self.place = HEADER_BYTES as u64;
        self.handed_out = None;
    }

    /// Removes files whose events are all delivered, and passes over what is missing between files.
    fn settle(&mut self) {
        while let Some(first) = self.segments.front() {
            self.delivered = self.delivered.max(first.first - 1);
            if self.segments.len() == 1 || first.end > self.delivered + 1 {
                return;
            }
            self.remove_first();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.sync().and_then(|()| sync_directory(&self.directory));
    }
}
