//! The client of `azure_storage_blobs`, with one client of HTTP that keeps connections: its own opens one for each request.

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::prelude::{Delimiter, Prefix};
use azure_core::{ClientOptions, TransportOptions};
use azure_storage::{CloudLocation, StorageCredentials};
use azure_storage_blobs::prelude::{BlobBlockType, BlobClient, BlockId, BlockList, ClientBuilder, ContainerClient};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use crate::Result;
use crate::services::AzureService;
use crate::subject::{Consume, DELETES_AT_ONCE, PART, PARTS_AT_ONCE, Subject};

/// So that a file is one request: the crate reads in ranges of this size.
const WHOLE: u64 = 1 << 40;

pub(crate) struct AzureSdk {
    container: ContainerClient,
    directory: String,
}

impl AzureSdk {
    pub(crate) fn new(service: &AzureService, directory: &str) -> Result<Self> {
        let location = CloudLocation::Custom { account: service.account.clone(), uri: service.endpoint.clone() };
        let key = azure_core::auth::Secret::new(service.key.clone());
        let http = reqwest::Client::builder().build()?;
        let container =
            ClientBuilder::with_location(location, StorageCredentials::access_key(service.account.clone(), key))
                .client_options(ClientOptions::new(TransportOptions::new(Arc::new(http))))
                .container_client(&*service.container);
        Ok(Self { container, directory: directory.to_owned() })
    }

    fn blob(&self, path: &str) -> BlobClient {
        self.container.blob_client(path)
    }

    async fn read(&self, path: &str, mut consume: impl FnMut(&[u8]) + Send) -> Result<u64> {
        let mut answers = self.blob(path).get().chunk_size(WHOLE).into_stream();
        let mut length = 0;
        while let Some(answer) = answers.next().await {
            let mut body = answer?.data;
            while let Some(chunk) = body.try_next().await? {
                consume(&chunk);
                length += chunk.len() as u64;
            }
        }
        Ok(length)
    }
}

impl Subject for AzureSdk {
    type Path = String;

    fn path(&self, relative: &str) -> Result<String> {
        Ok(format!("{}/{relative}", self.directory))
    }

    fn directory(&self, relative: &str) -> Result<String> {
        Ok(format!("{}/{relative}/", self.directory))
    }

    async fn put(&self, path: &String, content: Bytes) -> Result<()> {
        self.blob(path).put_block_blob(content).await?;
        Ok(())
    }

    async fn get(&self, path: &String) -> Result<u64> {
        let mut whole = Vec::new();
        self.read(path, |chunk| whole.extend_from_slice(chunk)).await?;
        Ok(whole.len() as u64)
    }

    async fn stat(&self, path: &String) -> Result<u64> {
        Ok(self.blob(path).get_properties().await?.blob.properties.content_length)
    }

    async fn list(&self, directory: &String) -> Result<usize> {
        let request = self.container.list_blobs().prefix(Prefix::from(directory.clone()));
        let (mut pages, mut count) = (request.delimiter(Delimiter::new("/")).into_stream(), 0);
        while let Some(page) = pages.next().await {
            count += page?.blobs.blobs().count();
        }
        Ok(count)
    }

    async fn write_stream(&self, path: &String, chunk: Bytes, count: usize) -> Result<()> {
        let (mut sending, mut list) = (JoinSet::new(), BlockList::default());
        let mut block = BytesMut::with_capacity(PART);
        for written in 1..=count {
            block.extend_from_slice(&chunk);
            if block.len() < PART && written < count {
                continue;
            }
            if sending.len() == PARTS_AT_ONCE {
                sending.join_next().await.transpose()?.transpose()?;
            }
            let id = BlockId::new(format!("{written:08}"));
            list.blocks.push(BlobBlockType::new_uncommitted(id.clone()));
            let content = std::mem::replace(&mut block, BytesMut::with_capacity(PART)).freeze();
            sending.spawn(self.blob(path).put_block(id, content).into_future());
        }
        while let Some(sent) = sending.join_next().await {
            sent??;
        }
        self.blob(path).put_block_list(list).await?;
        Ok(())
    }

    async fn read_stream(&self, path: &String, consume: Consume) -> Result<u64> {
        self.read(path, consume).await
    }

    async fn delete_tree(&self, directory: &String) -> Result<()> {
        let mut pages = self.container.list_blobs().prefix(Prefix::from(directory.clone())).into_stream();
        while let Some(page) = pages.next().await {
            let page = page?;
            let deletes = page.blobs.blobs().map(|blob| self.blob(&blob.name).delete().into_future());
            let deleted = stream::iter(deletes.collect::<Vec<_>>()).buffer_unordered(DELETES_AT_ONCE);
            deleted.try_for_each(|_| std::future::ready(Ok(()))).await?;
        }
        Ok(())
    }

    fn root(&self) -> Option<&PathBuf> {
        None
    }

    fn is_service(&self) -> bool {
        true
    }
}
