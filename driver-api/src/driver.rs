//! The two traits that a driver implements.

use std::fmt::Debug;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use url::Url;

use crate::capabilities::Capabilities;
use crate::context::Context;
use crate::entry::{Entry, FileInfo, Unfinished};
use crate::error::{Error, Result};
use crate::options::{
    CommitOptions, DeleteOptions, GetOptions, ListOptions, MoveOptions, PutOptions, ReadOptions, StatOptions,
    UrlOptions, WriteOptions,
};
use crate::path::StoragePath;
use crate::payload::Payload;
use crate::reader::Reader;

/// A stream of the pieces of a file.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;
/// A stream of the pages of a listing; no page is empty.
pub type EntryPages = Pin<Box<dyn Stream<Item = Result<Vec<Entry>>> + Send>>;
/// A stream of the pages of a listing of kept sessions; no page is empty.
pub type UnfinishedPages = Pin<Box<dyn Stream<Item = Result<Vec<Unfinished>>> + Send>>;

/// A backend. CONTRACT.md says what each method owes; the clause ids below are its.
///
/// Everybody but drivers and layers calls [`Storage`](crate::Storage) instead, which promises every driver:
/// - the context had not ended when the call began, and the answer is on time whatever the driver does; a driver looks at
///   the context again at its last point of return, just before it publishes;
/// - `/` comes only to `stat`, `list` and `unfinished`; a move never has the same path twice;
/// - no option comes that needs a capability the driver does not declare;
/// - driver, operation and path are added to errors that lack them.
///
/// The future of any method may be dropped at any point. What it leaves is what CONTRACT.md allows after an error.
#[async_trait]
pub trait StorageDriver: Debug + Send + Sync + 'static {
    /// The driver's name in errors, metrics and configuration files.
    fn name(&self) -> &str;

    /// What the driver declares; the same at every call.
    fn capabilities(&self) -> Capabilities;

    /// Reads a whole file, or a range of it, into memory.
    ///
    /// - The bytes last published, with the file they belong to (GET-1).
    /// - NotFound where no file is, a directory included (GET-2).
    /// - TooLarge before more than `max_bytes` are read; InvalidRange (READ-1); Conflict for another version.
    async fn get(&self, context: &Context, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)>;

    /// Stores a whole file, all or nothing (PUT-1, PUT-2), and makes the directories above it.
    ///
    /// - AlreadyExists or Conflict where the condition does not hold (PUT-4, PUT-6).
    /// - Conflict at a directory or below a file, where the namespace is a tree (PUT-5).
    async fn put(
        &self,
        context: &Context,
        path: &StoragePath,
        payload: Payload,
        options: PutOptions,
    ) -> Result<FileInfo>;

    /// Opens a file for reading as a stream.
    ///
    /// - NotFound, InvalidRange and Conflict come from this call, not from the stream.
    /// - The stream yields exactly the range of one version, or ends in an error (READ-3).
    async fn reader(&self, context: &Context, path: &StoragePath, options: ReadOptions) -> Result<Reader>;

    /// Opens a writer.
    ///
    /// - Truncate begins with nothing; Append with what was kept at the path (WRITE-5, WRITE-6).
    /// - Conflict: Append where nothing is kept and a file is that is not empty (WRITE-7), or where another size is kept
    ///   than expected, or where the session has an owner (WRITE-13).
    async fn writer(&self, context: &Context, path: &StoragePath, options: WriteOptions)
    -> Result<Box<dyn FileWriter>>;

    /// Lists the kept sessions at and below `prefix`, without opening or touching them (WRITE-12). None is no error.
    async fn unfinished(&self, context: &Context, prefix: &StoragePath) -> Result<UnfinishedPages>;

    /// Gives up the session kept at exactly `path`; NotFound where none is.
    async fn abandon(&self, context: &Context, path: &StoragePath) -> Result<()>;

    /// Tells what stands at a path; NotFound where nothing does (STAT-1 to STAT-4).
    async fn stat(&self, context: &Context, path: &StoragePath, options: StatOptions) -> Result<Entry>;

    /// Lists the direct descendants of a directory, or every file below it, in the order of keys (LIST-1 to LIST-9).
    ///
    /// - NotFound for a missing directory or a file comes from this call, not from the stream.
    /// - A page has at most `page_size` entries, and at most the driver's limit.
    async fn list(&self, context: &Context, path: &StoragePath, options: ListOptions) -> Result<EntryPages>;

    /// Moves a file, replacing the target (MOVE-1 to MOVE-9). NotFound where the source is no file.
    async fn move_to(
        &self,
        context: &Context,
        from: &StoragePath,
        to: &StoragePath,
        options: MoveOptions,
    ) -> Result<()>;

    /// Deletes a file, or a whole subtree with the sessions kept in it (DEL-1 to DEL-7). NotFound where nothing was.
    async fn delete(&self, context: &Context, path: &StoragePath, options: DeleteOptions) -> Result<()>;

    /// Deletes many files; at most as many as the driver's limit. A path with no file is no failure. Answers with the
    /// failures, each naming its path; an error of the call itself means that any of them may be left.
    async fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>>;

    /// Makes a URL with which anybody can read the file until it expires (URL-1, URL-2); none where the driver has no such
    /// URLs (URL-3). Whether the file exists is not looked up.
    async fn url_for(&self, context: &Context, path: &StoragePath, options: UrlOptions) -> Result<Option<Url>>;
}

/// One write in progress: bytes are appended, and nothing shows until [`commit`](Self::commit).
///
/// [`Writer`](crate::Writer) is what callers hold. It promises every driver: chunks that are never empty and, but for the
/// last before a close or commit, not small; no call after one of `close`, `commit`, `cancel` that succeeded, except
/// `size`. After one that failed, any of them may follow, and a `write` unless it may have published.
///
/// Dropping a writer publishes nothing, and discards what was not kept by an earlier close (WRITE-4).
#[async_trait]
pub trait FileWriter: Debug + Send {
    /// The bytes accepted so far, those resumed included (WRITE-9).
    fn size(&self) -> u64;

    /// Appends a chunk.
    ///
    /// If this fails, or its future is dropped, the chunk was accepted whole or not at all, and `size` tells which. A driver
    /// may accept a chunk before it is written; then what goes wrong with it is an error of the next call, and `size` goes
    /// back to what is held.
    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()>;

    /// Keeps what was written, uncommitted and resumable, and answers with its size (WRITE-5).
    async fn close(&mut self, context: &Context) -> Result<u64>;

    /// Publishes what was written, all or nothing (WRITE-3). After an error it may be tried again, or cancelled. After one that
    /// says it may have been applied no `write` follows, so that a later attempt may find the work of this one and tell of it.
    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo>;

    /// Discards what was written, also what earlier closes kept; succeeds where nothing is left to discard (WRITE-4).
    async fn cancel(&mut self, context: &Context) -> Result<()>;
}
