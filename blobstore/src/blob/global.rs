//! All blobs, whoever may read them.

use async_trait::async_trait;
use bytes::Bytes;
use driver_api::{Context, Entry, GetOptions, PutOptions, Storage, UrlOptions};

use super::{BlobReader, BlobStatter, Served};
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::Place;

/// The blobs of all repositories, without any check of who may read what. Content is stored once, under its canonical digest.
#[derive(Debug, Clone)]
pub struct GlobalBlobs {
    storage: Storage,
}

impl GlobalBlobs {
    /// The blobs in `storage`.
    pub const fn new(storage: Storage) -> Self {
        Self { storage }
    }

    pub(crate) const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Reads a blob of at most `max_bytes` into memory.
    pub(crate) async fn get(&self, context: &Context, digest: &Digest, max_bytes: u64) -> Result<Bytes> {
        let options = GetOptions::default().with_max_bytes(max_bytes);
        match self.storage.get(context, &Place::Blob(*digest).path(), options).await {
            Ok((_, content)) => Ok(content),
            Err(error) if error.is_not_found() => Err(Error::BlobUnknown(*digest)),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a blob. It is written even where it seems to be there: that costs as much as to look, mends what is damaged, and
    /// no cache and no collection can make it a mistake.
    pub(crate) async fn put(&self, context: &Context, content: Bytes) -> Result<Descriptor> {
        let descriptor = Descriptor::blob(Digest::of(&content), content.len() as u64);
        self.storage.put(context, &Place::Blob(descriptor.digest).path(), content, PutOptions::default()).await?;
        Ok(descriptor)
    }

    /// A reader of the blob that `descriptor` describes. Asks nobody.
    pub(crate) fn open(&self, descriptor: Descriptor) -> BlobReader {
        BlobReader::new(self.storage.clone(), descriptor)
    }

    /// A way to hand out the blob that `descriptor` describes.
    pub(crate) async fn serve(&self, context: &Context, descriptor: Descriptor, redirect: bool) -> Result<Served> {
        if redirect {
            let path = Place::Blob(descriptor.digest).path();
            if let Some(url) = self.storage.url_for(context, &path, UrlOptions::default()).await? {
                return Ok(Served::Elsewhere(descriptor, url));
            }
        }
        Ok(Served::Here(self.open(descriptor)))
    }
}

#[async_trait]
impl BlobStatter for GlobalBlobs {
    async fn stat(&self, context: &Context, digest: &Digest) -> Result<Descriptor> {
        let path = Place::Blob(*digest).path();
        match self.storage.stat(context, &path).await {
            Ok(Entry::File(info)) => Ok(Descriptor::blob(*digest, info.size)),
            Ok(Entry::Directory(_)) => {
                tracing::warn!(%path, "there is a directory where a blob should be");
                Err(Error::BlobUnknown(*digest))
            }
            Err(error) if error.is_not_found() => Err(Error::BlobUnknown(*digest)),
            Err(error) => Err(error.into()),
        }
    }
}
