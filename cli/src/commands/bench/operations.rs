//! What is measured, as data: each operation with how it is prepared and which files it works on.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use driver_api::{
    CommitOptions, Context, DeleteOptions, Error, GetOptions, ListOptions, PutOptions, ReadOptions, Result, Storage,
    StoragePath, UrlOptions, WriteOptions,
};
use futures_util::future::BoxFuture;

use crate::transfer::CHUNK;

/// Files of a tree whose deletion is measured.
const TREE: u64 = 100;
/// So many large files at most, written over and over: a fast backend would else be filled.
const LARGE_FILES: u64 = 32;

/// One run of an operation on the file with this number. The bytes that it moved.
pub(super) type Run = for<'a> fn(&'a Workload, u64) -> BoxFuture<'a, Result<u64>>;

/// An operation that is measured.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// What must be there before a run; its time is not measured.
    pub(super) prepare: Option<Run>,
    pub(super) run: Run,
    needs_urls: bool,
}

impl Operation {
    const fn new(name: &'static str, run: Run) -> Self {
        Self { name, prepare: None, run, needs_urls: false }
    }

    const fn after(self, prepare: Run) -> Self {
        Self { prepare: Some(prepare), ..self }
    }

    /// Whether the driver has the operation.
    pub(super) fn is_possible(&self, storage: &Storage) -> bool {
        !self.needs_urls || storage.capabilities().signed_urls
    }
}

/// All that is measured, in the order of the table. Each operation finds what those before it left.
pub(super) static OPERATIONS: &[Operation] = &[
    Operation::new("put", |load, number| Box::pin(load.put(number))),
    Operation::new("get", |load, number| Box::pin(load.get(number))),
    Operation::new("stat", |load, number| Box::pin(load.stat(number))),
    Operation::new("list a page", |load, _| Box::pin(load.list_page())),
    Operation { needs_urls: true, ..Operation::new("url", |load, number| Box::pin(load.url(number))) },
    Operation::new("write a session", |load, number| Box::pin(load.write_session(number))),
    Operation::new("stream in", |load, number| Box::pin(load.stream_in(number))),
    Operation::new("stream out", |load, number| Box::pin(load.stream_out(number))),
    Operation::new("move", |load, number| Box::pin(load.move_away(number)))
        .after(|load, number| Box::pin(load.put_to_go(number))),
    Operation::new("delete", |load, number| Box::pin(load.delete(number)))
        .after(|load, number| Box::pin(load.put_to_go(number))),
    Operation::new("delete a tree", |load, number| Box::pin(load.delete_tree(number)))
        .after(|load, number| Box::pin(load.put_tree(number))),
];

/// Files to work on, in a backend.
pub(super) struct Workload {
    pub(super) context: Context,
    pub(super) storage: Storage,
    small: Bytes,
    large: u64,
    piece: Bytes,
    directory: StoragePath,
    /// How many files `put` and `stream_in` made, numbered without a gap.
    small_files: AtomicU64,
    large_files: AtomicU64,
}

impl Workload {
    pub(super) fn new(
        context: &Context,
        storage: &Storage,
        jobs: NonZeroUsize,
        small: u64,
        large: u64,
    ) -> Result<Self> {
        let small = usize::try_from(small).ok().filter(|small| *small <= CHUNK * 64);
        let small = small
            .ok_or_else(|| Error::new(driver_api::ErrorKind::InvalidArgument, "a small file has at most 64 MiB"))?;
        // Bytes that no backend can compress, and that cost nothing to make again.
        let piece: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(CHUNK.max(small)).collect();
        let piece = Bytes::from(piece);
        Ok(Self {
            context: context.clone(),
            storage: storage.clone(),
            small: piece.slice(..small),
            large,
            piece: piece.slice(..CHUNK),
            directory: StoragePath::root().child(&format!("jobs-{jobs}"))?,
            small_files: AtomicU64::new(0),
            large_files: AtomicU64::new(0),
        })
    }

    fn path(&self, directory: &str, number: u64) -> Result<StoragePath> {
        Ok(self.directory.child(directory)?.child(&number.to_string())?)
    }

    /// The file with this number of those that are there, over and over.
    fn existing(&self, directory: &str, number: u64, files: &AtomicU64) -> Result<StoragePath> {
        self.path(directory, number % files.load(Ordering::Relaxed).max(1))
    }

    async fn put_at(&self, path: &StoragePath) -> Result<u64> {
        self.storage.put(&self.context, path, self.small.clone(), PutOptions::default()).await?;
        Ok(self.small.len() as u64)
    }

    async fn put(&self, number: u64) -> Result<u64> {
        self.small_files.fetch_add(1, Ordering::Relaxed);
        self.put_at(&self.path("small", number)?).await
    }

    async fn get(&self, number: u64) -> Result<u64> {
        let path = self.existing("small", number, &self.small_files)?;
        let (_, content) = self.storage.get(&self.context, &path, GetOptions::default()).await?;
        Ok(content.len() as u64)
    }

    async fn stat(&self, number: u64) -> Result<u64> {
        let path = self.existing("small", number, &self.small_files)?;
        self.storage.stat(&self.context, &path).await?;
        Ok(0)
    }

    async fn list_page(&self) -> Result<u64> {
        let directory = self.directory.child("small")?;
        let mut listing = self.storage.list(&self.context, &directory, ListOptions::default()).await?;
        listing.next_page().await.transpose()?;
        Ok(0)
    }

    async fn url(&self, number: u64) -> Result<u64> {
        let path = self.existing("small", number, &self.small_files)?;
        self.storage.url_for(&self.context, &path, UrlOptions::default()).await?;
        Ok(0)
    }

    /// What an upload in two requests costs: write, close, continue, commit.
    async fn write_session(&self, number: u64) -> Result<u64> {
        let path = self.path("sessions", number)?;
        let mut writer = self.storage.writer(&self.context, &path, WriteOptions::default()).await?;
        writer.write(&self.context, self.small.clone()).await?;
        writer.close(&self.context).await?;
        let writer = self.storage.writer(&self.context, &path, WriteOptions::append()).await?;
        Ok(writer.commit(&self.context, CommitOptions::default()).await?.size)
    }

    async fn stream_in(&self, number: u64) -> Result<u64> {
        let number = number % LARGE_FILES;
        self.large_files.fetch_max(number + 1, Ordering::Relaxed);
        let path = self.path("large", number)?;
        let options = WriteOptions::default().with_size_hint(self.large);
        let mut writer = self.storage.writer(&self.context, &path, options).await?;
        let mut left = self.large;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(self.piece.len());
            writer.write(&self.context, self.piece.slice(..length)).await?;
            left -= length as u64;
        }
        writer.commit(&self.context, CommitOptions::default()).await?;
        Ok(self.large)
    }

    async fn stream_out(&self, number: u64) -> Result<u64> {
        let path = self.existing("large", number, &self.large_files)?;
        let mut reader = self.storage.reader(&self.context, &path, ReadOptions::default()).await?;
        let mut bytes = 0;
        while let Some(chunk) = reader.next_chunk().await {
            bytes += chunk?.len() as u64;
        }
        Ok(bytes)
    }

    async fn put_to_go(&self, number: u64) -> Result<u64> {
        self.put_at(&self.path("to-go", number)?).await
    }

    async fn move_away(&self, number: u64) -> Result<u64> {
        let (from, to) = (self.path("to-go", number)?, self.path("gone", number)?);
        self.storage.move_to(&self.context, &from, &to).await?;
        Ok(0)
    }

    async fn delete(&self, number: u64) -> Result<u64> {
        self.storage.delete(&self.context, &self.path("to-go", number)?, DeleteOptions::default()).await?;
        Ok(0)
    }

    async fn put_tree(&self, number: u64) -> Result<u64> {
        let tree = self.path("trees", number)?;
        for file in 0..TREE {
            self.put_at(&tree.child(&file.to_string())?).await?;
        }
        Ok(0)
    }

    async fn delete_tree(&self, number: u64) -> Result<u64> {
        self.storage.delete(&self.context, &self.path("trees", number)?, DeleteOptions::tree()).await?;
        Ok(0)
    }
}
