//! What the bridge asks of another crate, in the words of this project.

use std::fmt::Debug;

use driver_api::{
    ByteRange, Bytes, Capabilities, Condition, Entry, FileInfo, Payload, Reader, Result, StoragePath, Version,
    async_trait,
};

/// The storage of another crate, with the calls that a driver passes on.
#[async_trait]
pub trait Foreign: Debug + Send + Sync + 'static {
    /// A file that is being written in pieces.
    type Upload: Upload;

    /// The crate's name.
    fn name(&self) -> &'static str;

    /// What the crate claims of this storage.
    fn capabilities(&self) -> Capabilities;

    /// Opens a range of a file.
    async fn read(&self, path: &StoragePath, range: ByteRange, if_match: Option<&Version>) -> Result<Reader>;

    /// Stores a whole file.
    async fn put(&self, path: &StoragePath, payload: Payload, condition: &Condition) -> Result<FileInfo>;

    /// Begins to write a file in pieces.
    async fn upload(&self, path: &StoragePath) -> Result<Self::Upload>;

    /// Tells what stands at a path.
    async fn stat(&self, path: &StoragePath) -> Result<Entry>;

    /// All entries of a directory, in any order; none where there is no such directory.
    async fn entries(&self, directory: &StoragePath, recursive: bool) -> Result<Vec<Entry>>;

    /// Moves a file that is there.
    async fn rename(&self, from: &StoragePath, to: &StoragePath) -> Result<()>;

    /// Deletes a file that is there.
    async fn delete(&self, path: &StoragePath) -> Result<()>;

    /// Deletes the file at a path, if there is one, and all below it.
    async fn delete_tree(&self, path: &StoragePath) -> Result<()>;
}

/// A file that is being written in pieces.
#[async_trait]
pub trait Upload: Sized + Send + 'static {
    /// Appends a piece.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Publishes the `size` bytes that were written.
    async fn complete(self, path: &StoragePath, size: u64) -> Result<FileInfo>;

    /// Gives it up.
    async fn abort(self) -> Result<()>;
}
