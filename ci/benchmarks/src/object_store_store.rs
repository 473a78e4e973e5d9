//! The crate `object_store`.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};

use crate::Result;
use crate::subject::{Consume, Subject};

/// How many parts of a stream it may have under way.
const PARTS_AT_ONCE: usize = 4;

pub(crate) struct ObjectStoreCrate<T> {
    store: T,
    root: Option<PathBuf>,
}

impl ObjectStoreCrate<InMemory> {
    pub(crate) fn memory() -> Self {
        Self { store: InMemory::new(), root: None }
    }
}

impl ObjectStoreCrate<LocalFileSystem> {
    pub(crate) fn filesystem(root: &std::path::Path) -> Result<Self> {
        Ok(Self { store: LocalFileSystem::new_with_prefix(root)?, root: Some(root.to_owned()) })
    }
}

impl<T: ObjectStore> Subject for ObjectStoreCrate<T> {
    type Path = Path;

    fn path(&self, relative: &str) -> Result<Path> {
        Ok(Path::parse(relative)?)
    }

    async fn put(&self, path: &Path, content: Bytes) -> Result<()> {
        self.store.put(path, content.into()).await?;
        Ok(())
    }

    async fn get(&self, path: &Path) -> Result<u64> {
        Ok(self.store.get(path).await?.bytes().await?.len() as u64)
    }

    async fn stat(&self, path: &Path) -> Result<u64> {
        Ok(self.store.head(path).await?.size)
    }

    async fn list(&self, directory: &Path) -> Result<usize> {
        Ok(self.store.list_with_delimiter(Some(directory)).await?.objects.len())
    }

    async fn write_stream(&self, path: &Path, chunk: Bytes, count: usize) -> Result<()> {
        let mut upload = WriteMultipart::new_with_chunk_size(self.store.put_multipart(path).await?, chunk.len());
        for _ in 0..count {
            upload.wait_for_capacity(PARTS_AT_ONCE).await?;
            upload.put(chunk.clone());
        }
        upload.finish().await?;
        Ok(())
    }

    async fn read_stream(&self, path: &Path, consume: Consume) -> Result<u64> {
        let mut stream = self.store.get(path).await?.into_stream();
        let mut length = 0;
        while let Some(chunk) = stream.try_next().await? {
            consume(&chunk);
            length += chunk.len() as u64;
        }
        Ok(length)
    }

    /// It has no such call; its documentation puts these two together.
    async fn delete_tree(&self, directory: &Path) -> Result<()> {
        let paths: Vec<_> = self.store.list(Some(directory)).map_ok(|object| object.location).try_collect().await?;
        let paths = futures_util::stream::iter(paths.into_iter().map(Ok));
        let deleted = self.store.delete_stream(Box::pin(paths));
        deleted.try_for_each(|_| std::future::ready(Ok(()))).await?;
        Ok(())
    }

    fn root(&self) -> Option<&PathBuf> {
        self.root.as_ref()
    }
}
