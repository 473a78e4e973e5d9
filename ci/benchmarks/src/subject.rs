//! What is measured: one interface over every crate, thin enough to cost nothing beside what stands behind it.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::Result;

/// The size of the parts in which a stream goes into a service, where the crate leaves that to its user.
pub(crate) const PART: usize = 8 * 1024 * 1024;
/// How many parts of a stream are under way at once.
pub(crate) const PARTS_AT_ONCE: usize = 4;
/// How many deletes are under way at once, where the crate leaves that to its user.
pub(crate) const DELETES_AT_ONCE: usize = 16;
/// How many files are made at once in a service, where most of the time goes into waiting.
const MADE_AT_ONCE: usize = 16;

/// What is done with every piece that a stream yields.
pub(crate) type Consume = fn(&[u8]);

/// A store under measurement. Paths are made before the clock runs, as every crate's users hold them.
pub(crate) trait Subject: Send + Sync + Sized + 'static {
    /// A path as the crate takes it.
    type Path: Send + Sync + 'static;

    /// The path of the file or directory `relative`, which has no leading `/`.
    fn path(&self, relative: &str) -> Result<Self::Path>;

    /// The path of the directory `relative`.
    fn directory(&self, relative: &str) -> Result<Self::Path> {
        self.path(relative)
    }

    /// Stores a whole file, made afresh, all or nothing.
    fn put(&self, path: &Self::Path, content: Bytes) -> impl Future<Output = Result<()>> + Send;

    /// Reads a whole file into memory; answers with its length.
    fn get(&self, path: &Self::Path) -> impl Future<Output = Result<u64>> + Send;

    /// Asks for the size of a file.
    fn stat(&self, path: &Self::Path) -> impl Future<Output = Result<u64>> + Send;

    /// Lists the files in a directory, with size and time; answers with their number.
    fn list(&self, directory: &Self::Path) -> impl Future<Output = Result<usize>> + Send;

    /// Streams a file in, as `count` times the same chunk.
    fn write_stream(&self, path: &Self::Path, chunk: Bytes, count: usize) -> impl Future<Output = Result<()>> + Send;

    /// Streams a file out; answers with its length.
    fn read_stream(&self, path: &Self::Path, consume: Consume) -> impl Future<Output = Result<u64>> + Send;

    /// Deletes a directory with all that is in it.
    fn delete_tree(&self, directory: &Self::Path) -> impl Future<Output = Result<()>> + Send;

    /// Where the files are, for stores that keep them in the file system in the obvious way: then rows are filled without
    /// the store, and several stores share what they only read.
    fn root(&self) -> Option<&PathBuf>;

    /// Whether a service has the files: then a row is filled once, for all that take turns on the service.
    fn is_service(&self) -> bool {
        false
    }
}

/// The names of the files in a directory that is filled for a row.
pub(crate) fn file_names(directory: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{directory}/file-{number:07}"))
}

/// Makes `count` files in `directory`, past the clock.
pub(crate) async fn fill<S: Subject>(subject: &Arc<S>, directory: &str, count: usize, content: &Bytes) -> Result<()> {
    let Some(root) = subject.root() else {
        let at_once = if subject.is_service() { MADE_AT_ONCE } else { 1 };
        if subject.is_service()
            && let Some(last) = file_names(directory, count).last()
            && subject.stat(&subject.path(&last)?).await.is_ok()
        {
            return Ok(());
        }
        let made = stream::iter(file_names(directory, count))
            .map(|name| async move { subject.put(&subject.path(&name)?, content.clone()).await })
            .buffer_unordered(at_once);
        return made.try_collect().await;
    };
    let path = root.join(directory);
    if path.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(&path)?;
    for name in file_names(directory, count) {
        std::fs::write(root.join(name), content)?;
    }
    Ok(())
}
