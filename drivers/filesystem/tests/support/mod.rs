//! A store in a temporary directory, seen through the driver and on the disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod refusing;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use driver_api::{
    Bytes, CommitOptions, Condition, Context, DeleteOptions, Entry, ErrorKind, FileInfo, FileWriter, GetOptions,
    ListOptions, PutOptions, Result, StatOptions, StorageDriver, StoragePath, Unfinished, WriteOptions,
};
use driver_filesystem::{FilesystemDriver, FilesystemDurability, FilesystemOptions, Posix, SystemCalls};
use futures_util::TryStreamExt;
use tempfile::TempDir;

/// A store with one driver value over it.
pub(crate) struct Store<S: SystemCalls = Posix> {
    pub(crate) driver: FilesystemDriver<S>,
    pub(crate) root: PathBuf,
    pub(crate) context: Context,
    _directory: TempDir,
}

pub(crate) fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

impl Store {
    pub(crate) fn new() -> Self {
        Self::over(Posix::default())
    }
}

impl<S: SystemCalls> Store<S> {
    pub(crate) fn over(system_calls: S) -> Self {
        Self::with(system_calls, FilesystemDurability::Full)
    }

    pub(crate) fn with(system_calls: S, durability: FilesystemDurability) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        let mut options = FilesystemOptions::new(&root);
        options.durability = durability;
        let driver = FilesystemDriver::with_system_calls(options, system_calls).unwrap();
        Self { driver, root, context: Context::background(), _directory: directory }
    }

    /// Another driver value on the same root, as another process would have it.
    pub(crate) fn another(&self) -> FilesystemDriver {
        FilesystemDriver::new(FilesystemOptions::new(&self.root)).unwrap()
    }

    pub(crate) async fn put(&self, at: &str, content: &'static str) -> Result<FileInfo> {
        self.driver.put(&self.context, &path(at), content.into(), PutOptions::default()).await
    }

    pub(crate) async fn put_if_absent(&self, at: &str, content: &'static str) -> Result<FileInfo> {
        let options = PutOptions::default().with_condition(Condition::IfAbsent);
        self.driver.put(&self.context, &path(at), content.into(), options).await
    }

    pub(crate) async fn get(&self, at: &str) -> Result<Bytes> {
        Ok(self.driver.get(&self.context, &path(at), GetOptions::default()).await?.1)
    }

    pub(crate) async fn stat(&self, at: &str) -> Result<Entry> {
        self.driver.stat(&self.context, &path(at), StatOptions::default()).await
    }

    /// The keys of a listing.
    pub(crate) async fn list(&self, at: &str, options: ListOptions) -> Result<Vec<String>> {
        let pages = self.driver.list(&self.context, &path(at), options).await?;
        let entries: Vec<Vec<Entry>> = pages.try_collect().await?;
        Ok(entries.concat().iter().map(|entry| entry.key().to_string()).collect())
    }

    pub(crate) async fn move_to(&self, from: &str, to: &str) -> Result<()> {
        self.driver.move_to(&self.context, &path(from), &path(to), Default::default()).await
    }

    pub(crate) async fn delete(&self, at: &str) -> Result<()> {
        self.driver.delete(&self.context, &path(at), DeleteOptions::default()).await
    }

    pub(crate) async fn delete_tree(&self, at: &str) -> Result<()> {
        self.driver.delete(&self.context, &path(at), DeleteOptions::tree()).await
    }

    pub(crate) async fn writer(&self, at: &str, options: WriteOptions) -> Result<Box<dyn FileWriter>> {
        self.driver.writer(&self.context, &path(at), options).await
    }

    /// Keeps `content` at `at`.
    pub(crate) async fn keep(&self, at: &str, content: &'static str) {
        let mut writer = self.writer(at, WriteOptions::default()).await.unwrap();
        writer.write(&self.context, content.into()).await.unwrap();
        assert_eq!(writer.close(&self.context).await.unwrap(), content.len() as u64);
    }

    pub(crate) async fn unfinished(&self, prefix: &str) -> Vec<Unfinished> {
        let pages = self.driver.unfinished(&self.context, &path(prefix)).await.unwrap();
        let pages: Vec<Vec<Unfinished>> = pages.try_collect().await.unwrap();
        pages.concat()
    }

    pub(crate) async fn commit(&self, writer: &mut Box<dyn FileWriter>) -> Result<FileInfo> {
        writer.commit(&self.context, CommitOptions::default()).await
    }

    /// Where `at` is on the disk.
    pub(crate) fn on_disk(&self, at: &str) -> PathBuf {
        self.root.join(path(at).relative())
    }

    /// All that is below the root, the frame of the staging area and the locks of drivers apart.
    pub(crate) fn disk(&self) -> Vec<String> {
        let mut found = all_below(&self.root);
        found.retain(|name| {
            let depth = name.split('/').count();
            let of_a_driver = name.starts_with("~/live/") && (depth == 3 || (depth == 4 && name.ends_with("/lock")));
            name != "~" && name != "~/live" && !of_a_driver
        });
        found
    }

    /// The staging directories of drivers.
    pub(crate) fn instances(&self) -> Vec<String> {
        let mut found: Vec<_> = all_below(&self.root)
            .into_iter()
            .filter_map(|name| name.strip_prefix("~/live/").map(str::to_owned))
            .filter(|name| !name.contains('/'))
            .collect();
        found.sort();
        found
    }
}

/// Every name below a directory, sorted.
pub(crate) fn all_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(root).unwrap().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.unwrap_err().kind()
}
