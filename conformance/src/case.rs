//! One run of one check: a fresh instance, a seed, a budget.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use driver_api::{
    ByteRange, Capabilities, CommitOptions, Context, DeleteOptions, Entry, Error, FileInfo, GetOptions, ListOptions,
    PutOptions, ReadOptions, Storage, StorageDriver, StoragePath, Unfinished, WriteOptions, Writer,
};
use futures_util::{StreamExt, TryStreamExt};

use crate::check::{Stop, Verdict};
use crate::drills::Equipment;
use crate::payload::Content;
use crate::profile::Budget;
use crate::target::{Instance, Target};

/// One run of one check. Its calls are made with a context that nothing ends; the runner watches the time.
#[derive(Debug)]
pub struct Case {
    target: Target,
    instance: Instance,
    budget: Budget,
    seed: u64,
    draws: AtomicU64,
    writes: AtomicU64,
    context: Context,
    begun: Instant,
    equipment: Equipment,
}

impl Case {
    pub(crate) fn new(target: Target, instance: Instance, budget: Budget, seed: u64) -> Self {
        let context = Context::background();
        let (draws, writes, begun) = (AtomicU64::new(0), AtomicU64::new(1), Instant::now());
        Self { target, instance, budget, seed, draws, writes, context, begun, equipment: Equipment::default() }
    }

    /// The same case with what drills need beside a store.
    #[must_use]
    pub(crate) fn equipped(self, equipment: Equipment) -> Self {
        Self { equipment, ..self }
    }

    pub(crate) fn equipment(&self) -> &Equipment {
        &self.equipment
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The store of this case, empty when it begins.
    pub fn storage(&self) -> &Storage {
        self.instance.storage()
    }

    /// The driver itself, without what `Storage` does for it.
    pub fn driver(&self) -> &dyn StorageDriver {
        self.storage().driver().as_ref()
    }

    /// What the driver declares.
    pub fn capabilities(&self) -> &Capabilities {
        self.storage().capabilities()
    }

    /// A context that nothing ends.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What this case may spend.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The numbers of the rounds that a check repeats itself in: at most `most`, at least one, and none that begins after the
    /// time slice of the budget.
    pub fn rounds(&self, most: u32) -> impl Iterator<Item = u32> {
        self.rounds_at_least(1, most)
    }

    /// The same for a check that a few rounds would tell nothing: the first `least` are made however long they take. A slow
    /// machine then makes a run longer, and never blind.
    pub(crate) fn rounds_at_least(&self, least: u32, most: u32) -> impl Iterator<Item = u32> {
        (0..most).take_while(move |round| *round < least || self.begun.elapsed() < self.budget.slice)
    }

    /// The number from which all that this case draws is derived.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A generator of its own, the same at every run of this case with the same seed.
    pub fn random(&self) -> fastrand::Rng {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        fastrand::Rng::with_seed(self.seed ^ draw.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The instance, with the hooks of its target.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Another instance, with an empty store of its own, for a check that needs several stores. Give it back to
    /// [`finish`](Self::finish) when it is done.
    pub async fn fresh(&self) -> Verdict<Instance> {
        Ok(self.target.fresh().await?)
    }

    /// Empties the store of an instance and looks for what is left in its backend (the leak audit).
    pub async fn finish(&self, instance: Instance) -> Verdict {
        crate::audit::audit(&instance).await
    }

    /// The same for this case's own store, which is empty then.
    pub async fn finish_store(&self) -> Verdict {
        crate::audit::audit(&self.instance).await
    }

    /// Another driver value on the same store; the check is skipped where the target has no hook for it.
    pub async fn reopen(&self) -> Verdict<Storage> {
        match self.instance.reopen().await {
            Some(storage) => Ok(storage?),
            None => Err(Stop::Skipped("the target cannot open its store a second time".to_owned())),
        }
    }

    /// Fails as unsupported where the driver does not declare `capability`.
    pub fn require(&self, capability: &'static str) -> Verdict {
        match self.capabilities().declares(capability) {
            Some(true) => Ok(()),
            _ => Err(Stop::Unsupported(capability)),
        }
    }

    /// A content that no other write of this case has.
    pub fn content(&self, size: u64) -> Content {
        Content { write: self.writes.fetch_add(1, Ordering::Relaxed), size }
    }

    /// Puts `content` at `path`.
    pub async fn put(&self, path: &StoragePath, content: Content) -> Result<FileInfo, Error> {
        self.storage().put(&self.context, path, content.bytes(), PutOptions::default()).await
    }

    /// Puts a new content of `size` bytes at `path`.
    pub async fn put_new(&self, path: &StoragePath, size: u64) -> Result<Content, Error> {
        let content = self.content(size);
        self.put(path, content).await.map(|_| content)
    }

    /// Puts a small new content at each of the paths, several at a time.
    pub async fn put_all(&self, paths: impl IntoIterator<Item = StoragePath>) -> Result<(), Error> {
        let puts = paths.into_iter().map(|path| async move { self.put_new(&path, 20).await.map(drop) });
        futures_util::stream::iter(puts).buffer_unordered(16).try_collect().await
    }

    /// Reads the whole file.
    pub async fn get(&self, path: &StoragePath) -> Result<Bytes, Error> {
        self.storage().get(&self.context, path, GetOptions::default()).await.map(|(_, bytes)| bytes)
    }

    /// Opens a writer.
    pub async fn writer(&self, path: &StoragePath, options: WriteOptions) -> Result<Writer, Error> {
        self.storage().writer(&self.context, path, options).await
    }

    /// Opens a writer, writes `bytes` and closes it: a session is kept.
    pub async fn keep(&self, path: &StoragePath, options: WriteOptions, bytes: Bytes) -> Result<u64, Error> {
        let mut writer = self.writer(path, options).await?;
        writer.write(&self.context, bytes).await?;
        Ok(writer.close(&self.context).await?)
    }

    /// Commits a writer where it was opened.
    pub async fn commit(&self, writer: Writer) -> Result<FileInfo, Error> {
        Ok(writer.commit(&self.context, CommitOptions::default()).await?)
    }

    /// What stands at `path`.
    pub async fn stat(&self, path: &StoragePath) -> Result<Entry, Error> {
        self.storage().stat(&self.context, path).await
    }

    /// All entries of a listing.
    pub async fn list(&self, path: &StoragePath, options: ListOptions) -> Result<Vec<Entry>, Error> {
        self.storage().list(&self.context, path, options).await?.collect().await
    }

    /// The keys of all entries of a listing.
    pub async fn keys(&self, path: &StoragePath, options: ListOptions) -> Result<Vec<String>, Error> {
        Ok(self.list(path, options).await?.iter().map(|entry| entry.key().to_string()).collect())
    }

    /// Deletes a file.
    pub async fn delete(&self, path: &StoragePath) -> Result<(), Error> {
        self.storage().delete(&self.context, path, DeleteOptions::default()).await
    }

    /// Deletes a whole subtree.
    pub async fn delete_tree(&self, path: &StoragePath) -> Result<(), Error> {
        self.storage().delete(&self.context, path, DeleteOptions::tree()).await
    }

    /// Moves a file.
    pub async fn move_to(&self, from: &StoragePath, to: &StoragePath) -> Result<(), Error> {
        self.storage().move_to(&self.context, from, to).await
    }

    /// Reads a range through a stream.
    pub async fn read(&self, path: &StoragePath, range: ByteRange) -> Result<Bytes, Error> {
        let options = ReadOptions::default().with_range(range);
        self.storage().reader(&self.context, path, options).await?.read_to_end(u64::MAX).await
    }

    /// All sessions kept at and below `prefix`, by path.
    pub async fn unfinished(&self, prefix: &StoragePath) -> Result<Vec<Unfinished>, Error> {
        unfinished(self.storage(), prefix).await
    }
}

/// All sessions kept at and below `prefix`, by path.
pub(crate) async fn unfinished(storage: &Storage, prefix: &StoragePath) -> Result<Vec<Unfinished>, Error> {
    let pages: Vec<Vec<Unfinished>> = storage.unfinished(&Context::background(), prefix).await?.try_collect().await?;
    let mut sessions = pages.concat();
    sessions.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sessions)
}

/// The path that a check names.
pub(crate) fn path(text: &str) -> StoragePath {
    #[expect(clippy::panic, reason = "a check with a malformed path is wrong at every run, its first included")]
    StoragePath::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}
