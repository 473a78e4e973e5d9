//! The real side of a case: the storage, the writers and readers that are open, and how a call is made.

use std::num::NonZeroUsize;

use bytes::{Bytes, BytesMut};
use driver_api::{
    ByteRange, CommitOptions, Context, DeleteOptions, GetOptions, ListOptions, PutOptions, ReadOptions, Reader, Result,
    Storage, StoragePath, WriteOptions, Writer, WriterError,
};

use super::call::{Answer, Call, StorageCall, StreamEnd, Streamed, WriterCall};
use super::step::{READERS, WRITERS};
use crate::case::unfinished;
use crate::payload::payload_range;

pub(super) struct World {
    storage: Storage,
    context: Context,
    writers: [Option<Writer>; WRITERS],
    readers: [Option<Reader>; READERS],
}

impl World {
    pub(super) fn new(storage: Storage) -> Self {
        Self { storage, context: Context::background(), writers: Default::default(), readers: Default::default() }
    }

    /// Makes `call`. None where it needs a writer or reader that is not open, which the model never asks for.
    pub(super) async fn make(&mut self, call: &Call) -> Option<Answer> {
        match call {
            Call::Storage(call) => Some(self.call(call).await.unwrap_or_else(Answer::from)),
            Call::OpenReader { slot, path, range } => Some(self.open_reader(*slot, path, *range).await),
            Call::ReadOn { slot, to_the_end } => self.read_on(*slot, *to_the_end).await,
            Call::OpenWriter { slot, path, mode } => {
                let options = WriteOptions::default().with_mode(mode.clone());
                Some(match self.storage.writer(&self.context, path, options).await {
                    Err(error) => error.into(),
                    Ok(writer) => Answer::Size(self.writers[*slot].insert(writer).size()),
                })
            }
            Call::Writer { slot, call } => {
                let writer = self.writers[*slot].take()?;
                Some(self.call_writer(*slot, writer, call).await)
            }
        }
    }

    async fn call(&mut self, call: &StorageCall) -> Result<Answer> {
        let (storage, context) = (&self.storage, &self.context);
        Ok(match call.clone() {
            StorageCall::Put { path, content, condition } => {
                let options = PutOptions::default().with_condition(condition);
                Answer::File(storage.put(context, &path, content.bytes(), options).await?)
            }
            StorageCall::Get { path, range, if_match, max_bytes } => {
                let mut options = GetOptions::default().with_range(range);
                (options.if_match, options.max_bytes) = (if_match, max_bytes);
                let (info, bytes) = storage.get(context, &path, options).await?;
                Answer::Bytes(info, bytes)
            }
            StorageCall::Read { path, range, if_match } => {
                let mut options = ReadOptions::default().with_range(range);
                options.if_match = if_match;
                let mut reader = storage.reader(context, &path, options).await?;
                let opened = Some((reader.info.clone(), reader.range.clone()));
                let (bytes, end) = drain(&mut reader).await;
                Answer::Stream(Streamed { opened, bytes, end })
            }
            StorageCall::Stat { path } => Answer::Entry(storage.stat(context, &path).await?),
            StorageCall::List { path, recursive, start_after, page_size } => {
                let mut options = ListOptions::default().with_recursive(recursive);
                options.start_after = start_after;
                options.page_size = page_size.and_then(NonZeroUsize::new);
                let mut listing = storage.list(context, &path, options).await?;
                let mut pages = Vec::new();
                while let Some(page) = listing.next_page().await {
                    pages.push(page?);
                }
                Answer::Pages(pages)
            }
            StorageCall::Unfinished { prefix } => Answer::Sessions(unfinished(storage, &prefix).await?),
            StorageCall::Abandon { path } => storage.abandon(context, &path).await.map(|()| Answer::Done)?,
            StorageCall::Move { from, to } => storage.move_to(context, &from, &to).await.map(|()| Answer::Done)?,
            StorageCall::Delete { path, scope, if_match } => {
                let mut options = DeleteOptions::default().with_scope(scope);
                options.if_match = if_match;
                storage.delete(context, &path, options).await.map(|()| Answer::Done)?
            }
            StorageCall::DeleteFiles { paths } => Answer::Failures(storage.delete_files(context, paths).await?),
        })
    }

    async fn open_reader(&mut self, slot: usize, path: &StoragePath, range: ByteRange) -> Answer {
        match self.storage.reader(&self.context, path, ReadOptions::default().with_range(range)).await {
            Err(error) => error.into(),
            Ok(reader) => {
                let opened = Some((reader.info.clone(), reader.range.clone()));
                self.readers[slot] = Some(reader);
                Answer::Stream(Streamed { opened, bytes: Bytes::new(), end: StreamEnd::Open })
            }
        }
    }

    async fn read_on(&mut self, slot: usize, to_the_end: bool) -> Option<Answer> {
        let mut reader = self.readers[slot].take()?;
        let (bytes, end) = if to_the_end { drain(&mut reader).await } else { next_chunk(&mut reader).await };
        if let StreamEnd::Open = end {
            self.readers[slot] = Some(reader);
        }
        Some(Answer::Stream(Streamed { opened: None, bytes, end }))
    }

    async fn call_writer(&mut self, slot: usize, mut writer: Writer, call: &WriterCall) -> Answer {
        let context = &self.context;
        let ended = match call {
            WriterCall::Write { write, range } => {
                let written = writer.write(context, payload_range(*write, range.clone())).await;
                let size = writer.size();
                self.writers[slot] = Some(writer);
                return match written {
                    Ok(()) => Answer::Size(size),
                    Err(error) => Answer::Failed { error, writer_kept: true },
                };
            }
            WriterCall::Close => writer.close(context).await.map(Answer::Size),
            WriterCall::Commit { to, condition } => {
                let mut options = CommitOptions::default().with_condition(condition.clone());
                options.to = to.clone();
                writer.commit(context, options).await.map(Answer::File)
            }
            WriterCall::Cancel => writer.cancel(context).await.map(|()| Answer::Done),
            WriterCall::Drop => {
                drop(writer);
                Ok(Answer::Done)
            }
        };
        self.ended(slot, ended)
    }

    fn ended(&mut self, slot: usize, end: Result<Answer, WriterError>) -> Answer {
        end.unwrap_or_else(|WriterError { error, writer }| {
            let writer_kept = writer.is_some();
            self.writers[slot] = writer.map(|writer| *writer);
            Answer::Failed { error, writer_kept }
        })
    }
}

async fn drain(reader: &mut Reader) -> (Bytes, StreamEnd) {
    let mut whole = BytesMut::new();
    loop {
        match next_chunk(reader).await {
            (bytes, StreamEnd::Open) => whole.extend_from_slice(&bytes),
            (_, end) => return (whole.freeze(), end),
        }
    }
}

async fn next_chunk(reader: &mut Reader) -> (Bytes, StreamEnd) {
    match reader.next_chunk().await {
        None => (Bytes::new(), StreamEnd::Finished),
        Some(Ok(bytes)) => (bytes, StreamEnd::Open),
        Some(Err(error)) => (Bytes::new(), StreamEnd::Failed(error)),
    }
}
