//! This project's drivers, through the handle that their users have.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use driver_api::{
    CommitOptions, Context, DeleteOptions, EntryKey, Error, GetOptions, ListOptions, PutOptions, ReadOptions, Storage,
    StorageDriver, StoragePath, WriteOptions, layers,
};
use driver_azure::{AzureDriver, AzureOptions};
use driver_filesystem::{FilesystemDriver, FilesystemDurability, FilesystemOptions};
use driver_inmemory::{MemoryDriver, MemoryOptions};
use driver_s3::{S3Driver, S3Options};

use crate::Result;
use crate::services::{AzureService, S3Service};
use crate::subject::{Consume, Subject};

const CONTEXT: Context = Context::background();

pub(crate) struct Ours {
    storage: Storage,
    root: Option<PathBuf>,
    is_service: bool,
}

impl Ours {
    pub(crate) fn memory() -> Self {
        Self { storage: Storage::new(MemoryDriver::new(MemoryOptions::default())), root: None, is_service: false }
    }

    /// With durability `process`: what the others offer, but for opendal, which syncs each file and no directory.
    pub(crate) fn filesystem(root: &Path) -> Result<Self> {
        let mut options = FilesystemOptions::new(root);
        options.durability = FilesystemDurability::Process;
        let storage = Storage::new(FilesystemDriver::new(options)?);
        Ok(Self { storage, root: Some(root.to_owned()), is_service: false })
    }

    pub(crate) fn s3(service: &S3Service, directory: &str) -> Result<Self> {
        let options = S3Options {
            region: Some(service.region.clone()),
            endpoint: Some(service.endpoint.clone()),
            path_style: true,
            credentials: driver_s3::Credentials::Key {
                access_key: service.access_key.clone(),
                secret_key: driver_s3::Secret::new(&*service.secret_key),
                session_token: None,
            },
            root: directory.to_owned(),
            ..S3Options::new(&*service.bucket)
        };
        Ok(Self::service(S3Driver::new(options)?))
    }

    pub(crate) fn azure(service: &AzureService, directory: &str) -> Result<Self> {
        let key = driver_azure::Credentials::SharedKey(driver_azure::Secret::new(&*service.key));
        let mut options = AzureOptions::new(&*service.account, &*service.container, key);
        options.service_url = Some(driver_api::Url::parse(&service.endpoint)?);
        options.root = StoragePath::parse(&format!("/{directory}"))?;
        Ok(Self::service(AzureDriver::new(&options)?))
    }

    /// Repeats what fails for the moment, as the clients of services do by themselves.
    fn service(driver: impl StorageDriver + 'static) -> Self {
        Self { storage: Storage::new(driver).layered(layers::Retry::default()), root: None, is_service: true }
    }

    /// Deletes a directory, if there is one.
    pub(crate) async fn clear(&self, directory: &str) -> Result<()> {
        match self.storage.delete(&CONTEXT, &self.path(directory)?, DeleteOptions::tree()).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes the first page behind `start`.
    pub(crate) async fn page(&self, directory: &StoragePath, start: &EntryKey, entries: NonZeroUsize) -> Result<usize> {
        let options = ListOptions::default().with_start_after(start.clone()).with_page_size(entries);
        let mut listing = self.storage.list(&CONTEXT, directory, options).await?;
        Ok(listing.next_page().await.transpose()?.map_or(0, |page| page.len()))
    }
}

impl Subject for Ours {
    type Path = StoragePath;

    fn path(&self, relative: &str) -> Result<StoragePath> {
        Ok(StoragePath::parse(&format!("/{relative}"))?)
    }

    async fn put(&self, path: &StoragePath, content: Bytes) -> Result<()> {
        self.storage.put(&CONTEXT, path, content, PutOptions::default()).await?;
        Ok(())
    }

    async fn get(&self, path: &StoragePath) -> Result<u64> {
        Ok(self.storage.get(&CONTEXT, path, GetOptions::default()).await?.1.len() as u64)
    }

    async fn stat(&self, path: &StoragePath) -> Result<u64> {
        Ok(self.storage.stat(&CONTEXT, path).await?.into_file()?.size)
    }

    async fn list(&self, directory: &StoragePath) -> Result<usize> {
        Ok(self.storage.list(&CONTEXT, directory, ListOptions::default()).await?.collect().await?.len())
    }

    async fn write_stream(&self, path: &StoragePath, chunk: Bytes, count: usize) -> Result<()> {
        let mut writer = self.storage.writer(&CONTEXT, path, WriteOptions::default()).await?;
        for _ in 0..count {
            writer.write(&CONTEXT, chunk.clone()).await?;
        }
        writer.commit(&CONTEXT, CommitOptions::default()).await.map_err(Error::from)?;
        Ok(())
    }

    async fn read_stream(&self, path: &StoragePath, consume: Consume) -> Result<u64> {
        let mut reader = self.storage.reader(&CONTEXT, path, ReadOptions::default()).await?;
        let mut length = 0;
        while let Some(chunk) = reader.next_chunk().await {
            let chunk = chunk?;
            consume(&chunk);
            length += chunk.len() as u64;
        }
        Ok(length)
    }

    async fn delete_tree(&self, directory: &StoragePath) -> Result<()> {
        Ok(self.storage.delete(&CONTEXT, directory, DeleteOptions::tree()).await?)
    }

    fn root(&self) -> Option<&PathBuf> {
        self.root.as_ref()
    }

    fn is_service(&self) -> bool {
        self.is_service
    }
}
