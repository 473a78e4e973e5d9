//! Streams that are opened again where they broke.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::{empty, unfold};

use super::Retry;
use crate::context::Context;
use crate::driver::StorageDriver;
use crate::entry::{Entry, EntryKey, Unfinished};
use crate::error::{ErrorKind, Result};
use crate::options::{ListOptions, ReadOptions};
use crate::path::StoragePath;
use crate::range::ByteRange;

type Items<T> = Pin<Box<dyn Stream<Item = Result<T>> + Send>>;

/// What a stream comes from, and how far it came.
#[async_trait]
pub(super) trait Source: Send + 'static {
    type Item: Send + 'static;

    /// Notes that an item came, and takes out of it what came before; none where nothing is left.
    fn pass(&mut self, item: Self::Item) -> Option<Self::Item>;

    /// Opens the stream again, behind all that came.
    async fn open(&self, context: &Context, inner: &dyn StorageDriver) -> Result<Items<Self::Item>>;
}

/// `stream`, which came from `source`, going on where it broke as often as `retry` allows without an item between.
pub(super) fn resumed<S: Source>(
    retry: Retry,
    context: &Context,
    inner: &Arc<dyn StorageDriver>,
    source: S,
    stream: Items<S::Item>,
) -> Items<S::Item> {
    let (context, inner) = (context.clone(), inner.clone());
    let first = Resumed { retry, context, inner, source, stream, attempt: 1 };
    Box::pin(unfold(Some(first), |state| async { state?.next().await }))
}

struct Resumed<S: Source> {
    retry: Retry,
    context: Context,
    inner: Arc<dyn StorageDriver>,
    source: S,
    stream: Items<S::Item>,
    attempt: u32,
}

impl<S: Source> Resumed<S> {
    async fn next(mut self) -> Option<(Result<S::Item>, Option<Self>)> {
        loop {
            let mut error = match self.stream.next().await? {
                Ok(item) => {
                    // Progress, so that the next break begins a new count.
                    let Some(new) = self.source.pass(item) else { continue };
                    self.attempt = 1;
                    return Some((Ok(new), Some(self)));
                }
                Err(error) => error,
            };
            self.stream = loop {
                if !self.retry.again(&self.context, self.attempt, &error).await {
                    return Some((Err(error), None));
                }
                self.attempt += 1;
                match self.source.open(&self.context, &*self.inner).await {
                    Ok(stream) => break stream,
                    Err(again) => error = again,
                }
            };
        }
    }
}

/// What is left of a file.
pub(super) struct Pieces {
    pub(super) path: StoragePath,
    /// With the version that was opened first.
    pub(super) options: ReadOptions,
    pub(super) next: u64,
    pub(super) end: u64,
}

#[async_trait]
impl Source for Pieces {
    type Item = Bytes;

    fn pass(&mut self, piece: Bytes) -> Option<Bytes> {
        self.next += piece.len() as u64;
        Some(piece)
    }

    async fn open(&self, context: &Context, inner: &dyn StorageDriver) -> Result<Items<Bytes>> {
        let left = ByteRange::span(self.next, self.end - self.next);
        let options = self.options.clone().with_range(left);
        Ok(inner.reader(context, &self.path, options).await?.stream)
    }
}

/// What is left of a listing: its order (LIST-2) tells what is behind the last entry.
pub(super) struct Entries {
    pub(super) path: StoragePath,
    pub(super) options: ListOptions,
    pub(super) last: Option<EntryKey>,
}

#[async_trait]
impl Source for Entries {
    type Item = Vec<Entry>;

    fn pass(&mut self, page: Vec<Entry>) -> Option<Vec<Entry>> {
        self.last = page.last().map(Entry::key).or(self.last.take());
        Some(page)
    }

    async fn open(&self, context: &Context, inner: &dyn StorageDriver) -> Result<Items<Vec<Entry>>> {
        let mut options = self.options.clone();
        options.start_after = self.last.clone().or(options.start_after);
        match inner.list(context, &self.path, options).await {
            // The directory was there when the listing began. What vanishes meanwhile is passed over (LIST-9).
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(Box::pin(empty())),
            answer => answer,
        }
    }
}

/// What is left of a listing of kept sessions. They come in no order, so that those which came are remembered.
pub(super) struct Sessions {
    pub(super) prefix: StoragePath,
    pub(super) seen: HashSet<StoragePath>,
}

#[async_trait]
impl Source for Sessions {
    type Item = Vec<Unfinished>;

    fn pass(&mut self, mut page: Vec<Unfinished>) -> Option<Vec<Unfinished>> {
        page.retain(|session| self.seen.insert(session.path.clone()));
        (!page.is_empty()).then_some(page)
    }

    async fn open(&self, context: &Context, inner: &dyn StorageDriver) -> Result<Items<Vec<Unfinished>>> {
        inner.unfinished(context, &self.prefix).await
    }
}
