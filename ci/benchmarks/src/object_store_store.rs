//! The crate `object_store`.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, WriteMultipart};

use crate::Result;
use crate::services::{AzureService, S3Service};
use crate::subject::{Consume, PART, PARTS_AT_ONCE, Subject};

/// The size of the parts of a stream into memory and files.
const CHUNK: usize = 1024 * 1024;

pub(crate) struct ObjectStoreCrate<T> {
    store: T,
    root: Option<PathBuf>,
    /// The directory of the service in which everything is; none elsewhere.
    service_directory: Option<String>,
}

impl ObjectStoreCrate<InMemory> {
    pub(crate) fn memory() -> Self {
        Self { store: InMemory::new(), root: None, service_directory: None }
    }
}

impl ObjectStoreCrate<LocalFileSystem> {
    pub(crate) fn filesystem(root: &std::path::Path) -> Result<Self> {
        let store = LocalFileSystem::new_with_prefix(root)?;
        Ok(Self { store, root: Some(root.to_owned()), service_directory: None })
    }
}

impl ObjectStoreCrate<AmazonS3> {
    /// Without sums of payloads in signatures, which the others leave out of parts, too.
    pub(crate) fn s3(service: &S3Service, directory: &str) -> Result<Self> {
        let store = AmazonS3Builder::new()
            .with_endpoint(&service.endpoint)
            .with_region(&service.region)
            .with_bucket_name(&service.bucket)
            .with_access_key_id(&service.access_key)
            .with_secret_access_key(&service.secret_key)
            .with_client_options(client_options())
            .with_unsigned_payload(true)
            .build()?;
        Ok(Self { store, root: None, service_directory: Some(directory.to_owned()) })
    }
}

impl ObjectStoreCrate<MicrosoftAzure> {
    /// The emulator's own setting takes its URL from a variable; the endpoint has the account in its path all the same.
    pub(crate) fn azure(service: &AzureService, directory: &str) -> Result<Self> {
        let store = MicrosoftAzureBuilder::new()
            .with_endpoint(service.endpoint.clone())
            .with_account(&service.account)
            .with_access_key(&service.key)
            .with_container_name(&service.container)
            .with_client_options(client_options())
            .build()?;
        Ok(Self { store, root: None, service_directory: Some(directory.to_owned()) })
    }
}

/// Without the limit of half a minute for a whole request, which an emulator can need for a batch or a stream.
fn client_options() -> ClientOptions {
    ClientOptions::new().with_allow_http(true).with_timeout_disabled()
}

impl<T: ObjectStore> Subject for ObjectStoreCrate<T> {
    type Path = Path;

    fn path(&self, relative: &str) -> Result<Path> {
        Ok(match &self.service_directory {
            Some(directory) => Path::parse(format!("{directory}/{relative}"))?,
            None => Path::parse(relative)?,
        })
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
        let part = if self.is_service() { PART } else { CHUNK };
        let mut upload = WriteMultipart::new_with_chunk_size(self.store.put_multipart(path).await?, part);
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

    fn is_service(&self) -> bool {
        self.service_directory.is_some()
    }
}
