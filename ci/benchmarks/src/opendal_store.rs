//! The crate `opendal`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use opendal::layers::RetryLayer;
use opendal::{HttpTransporter, Operator, services};
use opendal_http_transport_reqwest::ReqwestTransport;

use crate::Result;
use crate::services::{AzureService, S3Service};
use crate::subject::{Consume, DELETES_AT_ONCE, PART, PARTS_AT_ONCE, Subject};

/// The size of the pieces in which it is asked to stream out of memory and files. A service streams as it likes, in one
/// answer.
const CHUNK: usize = 1024 * 1024;

pub(crate) struct Opendal {
    operator: Operator,
    root: Option<PathBuf>,
    is_service: bool,
    /// Whether it deletes a tree by its own call. On Azure that is batches, with which Azurite takes minutes.
    deletes_trees: bool,
}

impl Opendal {
    pub(crate) fn memory() -> Result<Self> {
        Ok(Self {
            operator: Operator::new(services::Memory::default())?,
            root: None,
            is_service: false,
            deletes_trees: true,
        })
    }

    /// With a directory for temporary files, without which its writes are not atomic.
    pub(crate) fn filesystem(root: &Path, staging: &Path) -> Result<Self> {
        let text = |path: &Path| path.to_str().map(str::to_owned).ok_or("the directory's name is not UTF-8");
        let service = services::Fs::default().root(&text(root)?).atomic_write_dir(&text(staging)?);
        let operator = Operator::new(service)?;
        Ok(Self { operator, root: Some(root.to_owned()), is_service: false, deletes_trees: true })
    }

    pub(crate) fn s3(service: &S3Service, directory: &str) -> Result<Self> {
        let service = services::S3::default()
            .endpoint(&service.endpoint)
            .region(&service.region)
            .bucket(&service.bucket)
            .access_key_id(&service.access_key)
            .secret_access_key(&service.secret_key)
            .disable_config_load()
            .root(&format!("/{directory}"));
        Ok(Self::service(Operator::new(service)?))
    }

    pub(crate) fn azure(service: &AzureService, directory: &str) -> Result<Self> {
        let service = services::Azblob::default()
            .endpoint(&service.endpoint)
            .container(&service.container)
            .account_name(&service.account)
            .account_key(&service.key)
            .root(&format!("/{directory}"));
        Ok(Self { deletes_trees: false, ..Self::service(Operator::new(service)?) })
    }

    /// Repeats what fails for the moment, as the clients of services do by themselves.
    fn service(operator: Operator) -> Self {
        // The crate installs none with this choice of TLS. The first that is installed stays.
        HttpTransporter::install_default(ReqwestTransport::default());
        Self { operator: operator.layer(RetryLayer::new()), root: None, is_service: true, deletes_trees: true }
    }
}

impl Subject for Opendal {
    type Path = String;

    fn path(&self, relative: &str) -> Result<String> {
        Ok(relative.to_owned())
    }

    fn directory(&self, relative: &str) -> Result<String> {
        Ok(format!("{relative}/"))
    }

    async fn put(&self, path: &String, content: Bytes) -> Result<()> {
        self.operator.write(path, content).await?;
        Ok(())
    }

    async fn get(&self, path: &String) -> Result<u64> {
        Ok(self.operator.read(path).await?.to_bytes().len() as u64)
    }

    async fn stat(&self, path: &String) -> Result<u64> {
        Ok(self.operator.stat(path).await?.content_length())
    }

    async fn list(&self, directory: &String) -> Result<usize> {
        let entries = self.operator.list(directory).await?;
        Ok(entries.iter().filter(|entry| entry.metadata().mode().is_file()).count())
    }

    async fn write_stream(&self, path: &String, chunk: Bytes, count: usize) -> Result<()> {
        let writer = self.operator.writer_with(path);
        let mut writer =
            if self.is_service { writer.chunk(PART).concurrent(PARTS_AT_ONCE).await? } else { writer.await? };
        for _ in 0..count {
            writer.write(chunk.clone()).await?;
        }
        writer.close().await?;
        Ok(())
    }

    async fn read_stream(&self, path: &String, consume: Consume) -> Result<u64> {
        let reader = self.operator.reader_with(path);
        let reader = if self.is_service { reader.await? } else { reader.chunk(CHUNK).await? };
        let mut stream = reader.into_bytes_stream(..).await?;
        let mut length = 0;
        while let Some(chunk) = stream.try_next().await? {
            consume(&chunk);
            length += chunk.len() as u64;
        }
        Ok(length)
    }

    async fn delete_tree(&self, directory: &String) -> Result<()> {
        if self.deletes_trees {
            return Ok(self.operator.delete_with(directory).recursive(true).await?);
        }
        let entries = self.operator.list_with(directory).recursive(true).await?;
        let files = entries.iter().filter(|entry| entry.metadata().mode().is_file());
        let deletes = files.map(|entry| self.operator.delete(entry.path())).collect::<Vec<_>>();
        Ok(stream::iter(deletes).buffer_unordered(DELETES_AT_ONCE).try_collect().await?)
    }

    fn root(&self) -> Option<&PathBuf> {
        self.root.as_ref()
    }

    fn is_service(&self) -> bool {
        self.is_service
    }
}
