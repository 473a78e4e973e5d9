//! Reading: whole files into memory, and streams that read ahead.

use std::mem;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use driver_api::{
    ByteRange, ByteStream, Error, ErrorKind, FileInfo, GetOptions, ReadOptions, Reader, Result, StoragePath, Version,
    too_large,
};
use futures_util::stream;
use parking_lot::Mutex;

use crate::errors::{Attempt, present};
use crate::pool::{Running, finished};
use crate::store::Store;
use crate::system_calls::{Access, Kind, SystemCalls};

/// The first piece of a stream: what fits comes in the call that opens the file.
const FIRST_PIECE: usize = 64 * 1024;
/// The largest piece of a stream. Four are held at most: the caller's, the one read ahead, and two to be filled again.
const LARGEST_PIECE: usize = 1024 * 1024;
const SPARE_BUFFERS: usize = 2;

/// A file opened for reading.
#[derive(Debug)]
struct Opened<S: SystemCalls> {
    file: S::File,
    info: FileInfo,
    range: Range<u64>,
}

impl<S: SystemCalls> Store<S> {
    fn open_for_reading(&self, path: &StoragePath, range: ByteRange, if_match: Option<&Version>) -> Result<Opened<S>> {
        let root = self.root_with(path)?;
        let opened = present(self.system.open_file(&root, Path::new(path.relative()), Access::Read));
        let Some(file) = opened.trying_to("open the file")? else { return Err(Error::not_found(path)) };
        let status = self.system.file_status(&file).trying_to("look at the file")?;
        if status.kind != Kind::File {
            return Err(Error::not_found(path));
        }
        let info = Self::file_info(path, &status);
        if if_match.is_some() && if_match != info.version.as_ref() {
            return Err(Error::new(ErrorKind::Conflict, "the file has another version than the one asked for"));
        }
        let range = range.resolve(status.size)?;
        Ok(Opened { file, info, range })
    }

    /// Reads a file, or a range of it, into memory.
    pub(crate) fn get(&self, path: &StoragePath, options: &GetOptions) -> Result<(FileInfo, Bytes)> {
        let Opened { file, info, range } = self.open_for_reading(path, options.range, options.if_match.as_ref())?;
        let length = range.end - range.start;
        if let Some(most) = options.max_bytes
            && length > most
        {
            return Err(too_large(length, most));
        }
        let length = usize::try_from(length).map_err(|_| too_large(length, usize::MAX as u64))?;
        let content = self.read_exactly(&file, range.start, length, Vec::new())?;
        Ok((info, content.into()))
    }

    /// Opens a file as a stream.
    pub(crate) fn reader(self: &Arc<Self>, path: &StoragePath, options: &ReadOptions) -> Result<Reader> {
        let Opened { file, info, range } = self.open_for_reading(path, options.range, options.if_match.as_ref())?;
        let first = (range.end - range.start).min(FIRST_PIECE as u64) as usize;
        let content = Bytes::from(self.read_exactly(&file, range.start, first, Vec::new())?);
        let at = range.start + first as u64;
        let stream: ByteStream = if at == range.end {
            Box::pin(stream::iter((!content.is_empty()).then_some(Ok(content))))
        } else {
            let tail = Tail {
                store: Arc::clone(self),
                file: Arc::new(file),
                at,
                end: range.end,
                piece: FIRST_PIECE,
                buffers: Arc::default(),
            };
            Box::pin(stream::unfold(Step::First(content, tail), Step::next))
        };
        Ok(Reader::new(info, range, stream))
    }

    /// Reads exactly `length` bytes into `buffer`, which is made larger if need be. Fewer are an error: somebody cut the
    /// file off, which the driver itself never does to a published file.
    fn read_exactly(&self, file: &S::File, offset: u64, length: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        buffer.clear();
        buffer.try_reserve_exact(length).map_err(|error| {
            Error::new(ErrorKind::TooLarge, format!("there is no memory for {length} bytes; read the file as a stream"))
                .with_source(error)
        })?;
        while buffer.len() < length {
            let read =
                self.system.read_at(file, offset + buffer.len() as u64, &mut buffer).trying_to("read the file")?;
            if read == 0 {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    format!("the file ends {} bytes earlier than when it was opened", length - buffer.len()),
                ));
            }
        }
        // A buffer that was larger than asked for may have got more.
        buffer.truncate(length);
        Ok(buffer)
    }
}

/// The part of a stream that is still to be read.
#[derive(Debug)]
struct Tail<S: SystemCalls> {
    store: Arc<Store<S>>,
    file: Arc<S::File>,
    at: u64,
    end: u64,
    piece: usize,
    buffers: Arc<Buffers>,
}

/// Where a stream stands.
enum Step<S: SystemCalls> {
    First(Bytes, Tail<S>),
    Reading(Running<Bytes>, Tail<S>),
    Waiting(Tail<S>),
    Ended,
}

impl<S: SystemCalls> Step<S> {
    /// The next piece; the one after it is begun before this one is handed out.
    async fn next(self) -> Option<(Result<Bytes>, Self)> {
        let (content, mut tail) = match self {
            Self::First(content, tail) => (Ok(content), tail),
            Self::Reading(running, tail) => (finished(running).await, tail),
            Self::Waiting(mut tail) => {
                let work = tail.next_read();
                (tail.store.pool.run(work).await, tail)
            }
            Self::Ended => return None,
        };
        let next = match &content {
            Ok(_) if tail.at < tail.end => {
                let (at, piece) = (tail.at, tail.piece);
                let work = tail.next_read();
                match tail.store.pool.begin_now(work) {
                    Some(running) => Self::Reading(running, tail),
                    None => {
                        (tail.at, tail.piece) = (at, piece);
                        Self::Waiting(tail)
                    }
                }
            }
            _ => Self::Ended,
        };
        Some((content, next))
    }
}

impl<S: SystemCalls> Tail<S> {
    /// The reading of the next piece. Pieces grow, so that a short look into a file costs little.
    fn next_read(&mut self) -> impl FnOnce() -> Result<Bytes> + Send + 'static {
        self.piece = (self.piece * 4).min(LARGEST_PIECE);
        let offset = self.at;
        let length = (self.end - offset).min(self.piece as u64) as usize;
        self.at += length as u64;
        let (store, file, buffers) = (Arc::clone(&self.store), Arc::clone(&self.file), Arc::clone(&self.buffers));
        move || {
            let content = store.read_exactly(&file, offset, length, buffers.take())?;
            Ok(Bytes::from_owner(Lent { content, home: Arc::downgrade(&buffers) }))
        }
    }
}

/// The buffers of one stream that the caller is done with, to be filled again: taking them from the system anew would cost
/// as much as reading.
#[derive(Debug, Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    fn put_back(&self, buffer: Vec<u8>) {
        let mut spare = self.0.lock();
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }
}

/// A filled buffer in the hands of the caller; it comes back when the last of its `Bytes` is dropped.
struct Lent {
    content: Vec<u8>,
    home: Weak<Buffers>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.put_back(mem::take(&mut self.content));
        }
    }
}
