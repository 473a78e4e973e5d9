//! One file of a journal.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::record::{HEADER_BYTES, Header, Record, fill};

pub(super) const SUFFIX: &str = "journal";

/// A file, and what is known of it.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    /// The number of its first event.
    pub(super) first: u64,
    /// The number behind that of its last event.
    pub(super) end: u64,
    /// How many bytes are in use.
    pub(super) bytes: u64,
}

/// What a file turned out to be.
pub(super) enum Found {
    /// A segment; up to where events are delivered, as far as it says; and how many bytes behind its last record are none.
    Segment { segment: Segment, delivered: u64, rest: u64 },
    /// A file that was not begun to its end.
    Unbegun,
    /// Something else.
    Damaged,
}

impl Segment {
    pub(super) fn path_of(directory: &Path, index: u64) -> PathBuf {
        directory.join(format!("{index:016x}.{SUFFIX}"))
    }

    /// The place of the file of that name; none where it is no segment.
    pub(super) fn index_of(path: &Path) -> Option<u64> {
        let stem = path.file_stem()?.to_str()?;
        let is_one = path.extension()? == SUFFIX && stem.len() == 16;
        is_one.then(|| u64::from_str_radix(stem, 16).ok())?
    }

    /// Begins a file.
    pub(super) fn begin(directory: &Path, index: u64, header: Header) -> io::Result<Self> {
        let path = Self::path_of(directory, index);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let written = file.write_all_at(&header.encode(), 0).and_then(|()| sync_directory(directory));
        if let Err(error) = written {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self { file, path, first: header.first, end: header.first, bytes: HEADER_BYTES as u64 })
    }

    /// Reads a file to its last record.
    pub(super) fn open(path: &Path) -> io::Result<Found> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        let mut reader = BufReader::new(&file);
        let mut header = [0; HEADER_BYTES];
        if !fill(&mut reader, &mut header)? {
            return Ok(Found::Unbegun);
        }
        let Some(header) = Header::decode(&header) else { return Ok(Found::Damaged) };
        let (mut end, mut delivered, mut bytes) = (header.first, header.delivered, HEADER_BYTES as u64);
        while let Some(record) = Record::read(&mut reader)? {
            match record {
                Record::Event { number, .. } if number == end => end += 1,
                Record::Delivered(number) if (delivered..end).contains(&number) => delivered = number,
                // Its sum is right and its number is not: it does not belong here.
                _ => break,
            }
            bytes += record.encoded_bytes();
        }
        drop(reader);
        let rest = length.saturating_sub(bytes);
        let segment = Self { file, path: path.to_owned(), first: header.first, end, bytes };
        Ok(Found::Segment { segment, delivered, rest })
    }

    /// Adds a record. What was written of one that could not be is cut off again; where that fails too, nothing must be added
    /// behind it.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(&record.encode(), self.bytes) {
            let _ = self.cut();
            return Err(error);
        }
        self.bytes += record.encoded_bytes();
        if let Record::Event { number, .. } = record {
            self.end = number + 1;
        }
        Ok(())
    }

    /// The first event whose number is not below `wanted`, from `place` on; with its place.
    pub(super) fn event_from(&self, place: u64, wanted: u64) -> io::Result<Option<(u64, Record)>> {
        let mut place = place;
        let mut reader = BufReader::new(&self.file);
        reader.seek(SeekFrom::Start(place))?;
        while place < self.bytes {
            let Some(record) = Record::read(&mut reader)? else { return Ok(None) };
            if matches!(record, Record::Event { number, .. } if number >= wanted) {
                return Ok(Some((place, record)));
            }
            place += record.encoded_bytes();
        }
        Ok(None)
    }

    /// Cuts off what is behind the last record.
    pub(super) fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.bytes)
    }

    /// Returns when a loss of power takes nothing of it.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn remove(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a journal of notifications that is done with was not removed");
        }
    }
}

/// Returns when a loss of power takes no name of it.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
