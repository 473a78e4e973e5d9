//! A write in progress.
//!
//! What is accepted goes into the tail; full blocks leave it, and are sent by tasks while more is written. A file that never
//! fills a block is stored by one request at the commit.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, Error, ErrorKind, FileInfo, FileWriter, Result, Retry, StoragePath, WriteMode,
    async_trait, too_large,
};

use crate::blocks::{Tail, Uploads};
use crate::client::Effect;
use crate::marker::{BlockIds, Marker};
use crate::owners::Ownership;
use crate::plan::MOST_BLOCKS;
use crate::sessions::Resumed;
use crate::store::{Nonce, Store, after_lost_answer, file};

/// How often a put in blocks is begun, where another file is put at its path each time.
const PUTS: usize = 4;

pub(crate) struct AzureWriter {
    store: Arc<Store>,
    path: StoragePath,
    state: State,
    blocks: BlockIds,
    uploads: Uploads,
    /// The bytes in blocks, arrived or not.
    stored: u64,
    tail: Tail,
    /// Tells this write from others, over all attempts to commit it.
    nonce: Nonce,
    /// How many bytes were kept when the writer was opened, where nothing needs to be kept as long as nothing is added.
    unchanged: Option<u64>,
    /// Whether a marker may be at the path, which the end of this writer must remove.
    marked: bool,
    /// Held by the owner of a session that was kept.
    ownership: Option<Ownership>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A commit had no answer, so that it may have published.
    Unsure,
    /// Another commit at the path discarded the blocks.
    Lost,
    Ended,
}

impl AzureWriter {
    /// Begins with nothing, and asks nothing.
    pub(crate) fn truncating(store: Arc<Store>, path: StoragePath) -> Self {
        Self::new(store, path, BlockIds::new())
    }

    fn new(store: Arc<Store>, path: StoragePath, blocks: BlockIds) -> Self {
        let uploads = Uploads::new(store.container.clone(), store.names.file(&path), store.concurrency);
        Self {
            store,
            path,
            state: State::Open,
            blocks,
            uploads,
            stored: 0,
            tail: Tail::default(),
            nonce: Nonce::new(),
            unchanged: None,
            marked: true,
            ownership: None,
        }
    }

    /// Opens a writer of either mode.
    pub(crate) async fn open(store: Arc<Store>, path: StoragePath, mode: WriteMode) -> Result<Self> {
        match mode {
            WriteMode::Truncate => Ok(Self::truncating(store, path)),
            WriteMode::Append { expected_size } => {
                let session = store.resume(&path).await?;
                let kept = match &session {
                    Resumed::Kept(marker, _) => marker.size(),
                    Resumed::Nothing { .. } => 0,
                };
                if let Some(expected) = expected_size.filter(|expected| *expected != kept) {
                    let message = format!("{kept} bytes are kept of the unfinished write, not {expected}");
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                match session {
                    Resumed::Kept(marker, ownership) => Ok(Self::resuming(store, path, marker, ownership)),
                    Resumed::Nothing { marked } => {
                        store.refuse_filled(&path).await?;
                        let mut writer = Self::truncating(store, path);
                        (writer.unchanged, writer.marked) = (Some(0), marked);
                        Ok(writer)
                    }
                }
            }
        }
    }

    fn resuming(store: Arc<Store>, path: StoragePath, marker: Marker, ownership: Ownership) -> Self {
        let kept = marker.size();
        let mut writer = Self::new(store, path, marker.blocks);
        writer.blocks.begin_run();
        writer.stored = marker.stored;
        writer.tail.push(marker.tail);
        writer.unchanged = Some(kept);
        writer.ownership = Some(ownership);
        writer
    }

    /// Stores a whole file that is too large for one request.
    pub(crate) async fn put(
        store: Arc<Store>,
        path: StoragePath,
        pieces: &[Bytes],
        context: &Context,
        condition: Condition,
    ) -> Result<FileInfo> {
        for _ in 1..PUTS {
            let writer = Self::truncating(store.clone(), path.clone());
            let (outcome, state) = writer.put_once(pieces, context, &condition).await;
            // What was published there meanwhile discarded the blocks, and stands in the way of nothing.
            if state != State::Lost || condition != Condition::None {
                return outcome;
            }
        }
        Self::truncating(store, path).put_once(pieces, context, &condition).await.0
    }

    async fn put_once(
        mut self,
        pieces: &[Bytes],
        context: &Context,
        condition: &Condition,
    ) -> (Result<FileInfo>, State) {
        // A put leaves alone what is kept at its path.
        self.marked = false;
        let outcome = async {
            for piece in pieces {
                self.write(context, piece.clone()).await?;
            }
            self.commit(context, CommitOptions::default().with_condition(condition.clone())).await
        };
        (outcome.await, self.state)
    }

    /// Begins to send full blocks as far as there is room. A block that would be the last is held back: it may be the file.
    fn cut(&mut self) -> Result<()> {
        loop {
            let block = self.store.plan.size(self.blocks.count());
            if self.tail.length() <= block || !self.uploads.has_room(block) {
                return Ok(());
            }
            self.begin(block)?;
        }
    }

    fn begin(&mut self, length: u64) -> Result<()> {
        if self.blocks.count() >= MOST_BLOCKS {
            return Err(Error::new(ErrorKind::TooLarge, "the service takes no more blocks for one file"));
        }
        let body = self.tail.take(length);
        self.stored += body.len() as u64;
        let id = self.blocks.push();
        self.uploads.begin(id, body);
        Ok(())
    }

    /// Waits until at most one block is left in the tail, and there is room for it.
    async fn drain(&mut self) -> Result<()> {
        loop {
            let block = self.store.plan.size(self.blocks.count());
            self.uploads.room(block).await?;
            if self.tail.length() <= block {
                return Ok(());
            }
            self.begin(block)?;
        }
    }

    fn require(&self, operation: &'static str) -> Result<()> {
        match self.state {
            State::Open | State::Unsure => Ok(()),
            State::Lost => Err(lost()),
            State::Ended => {
                let message =
                    format!("the writer was closed, committed or cancelled, and takes no {operation} any more");
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    async fn publish(&mut self, context: &Context, condition: &Condition) -> Result<FileInfo> {
        self.drain().await?;
        if self.blocks.count() == 0 {
            let body = self.tail.bytes();
            context.check()?;
            return self.store.put(&self.path, body, &self.nonce, condition).await;
        }
        if self.tail.length() > 0 {
            self.begin(self.tail.length())?;
        }
        self.uploads.settle().await?;
        context.check()?;
        let (name, metadata) = (self.store.names.file(&self.path), self.nonce.metadata());
        let published = self.store.container.put_block_list(&name, self.blocks.iter(), &metadata, condition).await;
        match published {
            Ok(published) => Ok(file(&self.path, self.stored, published)),
            Err(failure) => {
                let discarded = failure.code() == Some("InvalidBlockList");
                let outcome = self.store.resolve(&self.path, (&self.nonce, self.stored), condition, failure).await;
                if discarded && self.state == State::Open {
                    self.state = State::Lost;
                }
                outcome
            }
        }
    }

    /// Publishes, and after an earlier attempt without an answer finds out whether that one did.
    async fn publish_once(&mut self, context: &Context, condition: &Condition) -> Result<FileInfo> {
        let unsure = self.state == State::Unsure;
        if unsure && let Some(info) = self.store.published(&self.path, (&self.nonce, self.whole_size())).await {
            return Ok(info);
        }
        let published = self.publish(context, condition).await;
        if published.as_ref().is_err_and(|error| error.retry() == Retry::MaybeApplied) {
            self.state = State::Unsure;
        }
        if unsure { published.map_err(after_lost_answer) } else { published }
    }

    /// A commit without an answer may have published, and so have ended the session: then there is nothing to keep.
    async fn refuse_published(&self) -> Result<()> {
        match self.store.container.head(&self.store.names.file(&self.path)).await {
            Ok(facts) if self.nonce.made(&facts) => {
                let message = "the commit before has published the file; commit it again to learn what it became";
                Err(Error::new(ErrorKind::Conflict, message).with_retry(Retry::MaybeApplied))
            }
            Ok(_) => Ok(()),
            Err(failure) if failure.is_missing() => Ok(()),
            Err(failure) => Err(failure.into_error(Effect::None)),
        }
    }

    /// The service forgets blocks a week after the last of them was put. Where this writer has put none, one that nobody needs
    /// begins the week again for all; it is the same each time.
    async fn refresh(&self) -> Result<()> {
        if self.blocks.count() == 0 || !self.blocks.last_run_is_empty() {
            return Ok(());
        }
        let name = self.store.names.file(&self.path);
        let put = self.store.container.put_block(&name, self.blocks.beside(), Bytes::from_static(b"-")).await;
        put.map_err(|failure| failure.into_error(Effect::None))
    }

    async fn unmark(&mut self) -> Result<()> {
        if self.marked {
            self.store.delete_blob(&self.store.names.marker(&self.path)).await?;
            self.marked = false;
        }
        Ok(())
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.uploads.give_up();
        self.ownership = None;
    }

    fn whole_size(&self) -> u64 {
        self.stored + self.tail.length()
    }
}

#[async_trait]
impl FileWriter for AzureWriter {
    fn size(&self) -> u64 {
        self.whole_size()
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        context.check()?;
        self.require("bytes")?;
        let size = self.whole_size().saturating_add(chunk.len() as u64);
        if size > self.store.object_bytes {
            return Err(too_large(size, self.store.object_bytes));
        }
        // All waiting is before the chunk is accepted: whoever drops this future knows by the size that it was not.
        self.drain().await?;
        self.tail.push(chunk);
        self.cut()
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        context.check()?;
        self.require("close")?;
        let size = self.whole_size();
        if self.state == State::Unsure {
            self.refuse_published().await?;
        }
        if self.unchanged != Some(size) {
            self.drain().await?;
            // A block of its own only where it is not short, so that many closes do not use up the blocks.
            if self.tail.length() >= self.store.plan.least(self.blocks.count()) {
                self.begin(self.tail.length())?;
            }
            self.uploads.settle().await?;
            self.refresh().await?;
            let marker = Marker { blocks: self.blocks.clone(), stored: self.stored, tail: self.tail.bytes() };
            context.check()?;
            self.marked = true;
            let name = self.store.names.marker(&self.path);
            let kept = self.store.container.put(&name, marker.body(), &marker.metadata(), &Condition::None).await;
            kept.map_err(|failure| failure.into_error(Effect::Change))?;
        }
        self.end();
        Ok(size)
    }

    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        context.check()?;
        self.require("commit")?;
        let info = self.publish_once(context, &options.condition).await?;
        // From here on the file is published, and a commit that is tried again finds it so.
        self.state = State::Unsure;
        self.unmark().await.map_err(|error| error.with_retry(Retry::MaybeApplied))?;
        self.end();
        Ok(info)
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        context.check()?;
        if self.state == State::Ended {
            return Ok(());
        }
        self.unmark().await?;
        self.end();
        Ok(())
    }
}

fn lost() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "something else was published at the path, which discarded the blocks of this write",
    )
}

impl fmt::Debug for AzureWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureWriter")
            .field("path", &self.path)
            .field("state", &self.state)
            .field("size", &self.whole_size())
            .finish_non_exhaustive()
    }
}
