//! A repository's blobs as a store.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use driver_api::{Context, ListOptions, Storage};
use futures_util::future::try_join_all;

use super::{LinkSet, LinkedStatter};
use crate::blob::{
    BlobDeleter, BlobDescriptorService, BlobIngester, BlobProvider, BlobReader, BlobServer, BlobStatter, GlobalBlobs,
    Served,
};
use crate::cache::{BlobDescriptorCache, CachedStatter};
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::link;
use crate::listed::list_if_any;
use crate::names::{RepositoryName, UploadId};
use crate::protection::{Protection, Push};
use crate::upload::{Begun, BlobWriter, Ingest, LiveUploads, States, UploadOptions};

/// What all repositories of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) blobs: GlobalBlobs,
    pub(crate) protection: Protection,
    pub(crate) uploads: LiveUploads,
    pub(crate) cache: Option<Arc<dyn BlobDescriptorCache>>,
    pub(crate) delete_enabled: bool,
}

/// The blobs of one repository.
#[derive(Debug, Clone)]
pub struct LinkedBlobs {
    shared: Arc<Shared>,
    repository: RepositoryName,
    links: LinkSet,
}

impl LinkedBlobs {
    pub(crate) const fn new(shared: Arc<Shared>, repository: RepositoryName, links: LinkSet) -> Self {
        Self { shared, repository, links }
    }

    /// Which repository they are of.
    pub const fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    pub(crate) fn storage(&self) -> &Storage {
        self.shared.blobs.storage()
    }

    pub(crate) fn protection(&self) -> &Protection {
        &self.shared.protection
    }

    pub(crate) fn states(&self, id: UploadId) -> States {
        States::new(self.storage().clone(), self.repository.clone(), id)
    }

    /// Knows what the storage has at this moment: what decides whether something is written.
    fn uncached(&self) -> LinkedStatter {
        let blobs = Arc::new(self.shared.blobs.clone());
        LinkedStatter::new(self.storage().clone(), self.repository.clone(), self.links, blobs)
    }

    /// Knows what was asked for before, too: what decides whether something is read. Manifests and signatures are not looked up
    /// in the cache, whose entries do not tell in which role a repository has a content.
    fn cached(&self) -> CachedStatter {
        let cache = self.shared.cache.clone().filter(|_| self.links == LinkSet::Layers);
        CachedStatter::new(cache, Some(self.repository.clone()), Arc::new(self.uncached()))
    }

    /// The same repository by another set of links.
    pub(crate) fn with_links(&self, links: LinkSet) -> Self {
        Self::new(self.shared.clone(), self.repository.clone(), links)
    }

    /// Where the link to a content is.
    pub(crate) fn place(&self, digest: &Digest) -> Place {
        self.links.place(&self.repository, digest)
    }

    /// Errors: DeleteDisabled.
    pub(crate) fn check_delete(&self) -> Result<()> {
        if self.shared.delete_enabled { Ok(()) } else { Err(Error::DeleteDisabled) }
    }

    /// The canonical digest of what the repository has under `digest`, by its link.
    pub(crate) async fn resolve(&self, context: &Context, digest: &Digest) -> Result<Digest> {
        self.uncached().resolve(context, digest).await
    }

    /// The canonical descriptor of what the repository has under `digest`. Only a link of today counts, and not one whose meaning
    /// has to be guessed.
    pub(crate) async fn find(&self, context: &Context, digest: &Digest) -> Result<Descriptor> {
        let target = link::read(self.storage(), context, &self.place(digest)).await?;
        let target = target.ok_or(Error::BlobUnknown(*digest))?;
        self.shared.blobs.stat(context, &target).await
    }

    /// Stores a content that nothing refers to yet.
    pub(crate) async fn put_content(&self, context: &Context, content: Bytes) -> Result<()> {
        self.shared.blobs.put(context, content).await.map(drop)
    }

    /// Reads the content of that canonical digest, whoever may.
    pub(crate) async fn get_content(&self, context: &Context, digest: &Digest, max_bytes: u64) -> Result<Bytes> {
        if digest.is_canonical() {
            self.shared.blobs.get(context, digest, max_bytes).await
        } else {
            Err(Error::BlobUnknown(*digest))
        }
    }

    /// The names under which there are links in the set, in the order of their paths.
    pub(crate) async fn linked(&self, context: &Context) -> Result<Vec<Digest>> {
        let directory = match self.links {
            LinkSet::Layers => Directory::Layers(&self.repository),
            LinkSet::Revisions => Directory::Revisions(&self.repository),
            LinkSet::Signatures(manifest) => Directory::Signatures(&self.repository, manifest),
        };
        self.places_below(context, &directory, |place| match place {
            Place::Layer(_, digest) | Place::Revision(_, digest) | Place::Signature { signature: digest, .. } => {
                Some(digest)
            }
            _ => None,
        })
        .await
    }

    /// The manifests that refer to `subject`, as far as it is noted.
    pub(crate) async fn referrers_of(&self, context: &Context, subject: &Digest) -> Result<Vec<Digest>> {
        let directory = Directory::Referrers(&self.repository, *subject);
        self.places_below(context, &directory, |place| match place {
            Place::Referrer { referrer, .. } => Some(referrer),
            _ => None,
        })
        .await
    }

    async fn places_below(
        &self,
        context: &Context,
        directory: &Directory<'_>,
        wanted: impl Fn(Place) -> Option<Digest>,
    ) -> Result<Vec<Digest>> {
        let Some(mut listing) =
            list_if_any(self.storage(), context, &directory.path(), ListOptions::recursive()).await?
        else {
            return Ok(Vec::new());
        };
        let mut digests = Vec::new();
        while let Some(page) = listing.next_page().await {
            digests.extend(page?.iter().filter_map(|entry| Place::parse(entry.path()).and_then(&wanted)));
        }
        Ok(digests)
    }

    /// Whether the storage has content of this digest and size, whoever may read it.
    pub(crate) async fn is_stored(&self, context: &Context, descriptor: &Descriptor) -> Result<bool> {
        match self.shared.blobs.stat(context, &descriptor.digest).await {
            Ok(stored) => Ok(stored.size == descriptor.size),
            Err(error) if error.is_unknown() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The names under which the repository has a content that it was given as `digest`.
    fn names(digest: &Digest, canonical: &Digest) -> impl Iterator<Item = Digest> {
        std::iter::once(*canonical).chain(Some(*digest).filter(|digest| digest != canonical))
    }

    /// Gives the repository the content `canonical`, under that name and under `digest`. The content must be durable.
    pub(crate) async fn link(&self, context: &Context, digest: &Digest, canonical: &Digest) -> Result<()> {
        try_join_all(
            Self::names(digest, canonical)
                .map(|name| async move { link::write(self.storage(), context, &self.place(&name), canonical).await }),
        )
        .await?;
        Ok(())
    }

    /// Confirms that the content and its links stay; answers with those that are gone, and is to be pushed again.
    pub(crate) async fn confirm(
        &self,
        context: &Context,
        push: Push,
        digest: &Digest,
        canonical: &Digest,
    ) -> Result<Vec<driver_api::StoragePath>> {
        let links = || Self::names(digest, canonical).map(|name| self.place(&name).path());
        let content = Place::Blob(*canonical).path();
        self.protection().confirm(context, push, || links().chain([content]).collect()).await
    }

    /// Tells the cache of a content that has come.
    pub(crate) async fn learn(&self, context: &Context, digest: &Digest, descriptor: &Descriptor) {
        for name in Self::names(digest, &descriptor.digest) {
            self.cached().learn(context, &name, descriptor).await;
        }
    }

    /// Takes the link under a name away; whether there was one.
    pub(crate) async fn unlink(&self, context: &Context, name: &Digest) -> Result<bool> {
        // Twice: first, so that what can't be forgotten is not deleted; then, because a reader may have asked meanwhile.
        self.cached().clear(context, name).await?;
        let was_there = link::remove(self.storage(), context, &self.place(name)).await?;
        self.cached().clear(context, name).await?;
        Ok(was_there)
    }

    /// Makes the cache forget what the repository has by these names.
    pub(crate) async fn forget_all(&self, context: &Context, names: &[Digest]) -> Result<()> {
        for name in names {
            self.cached().clear(context, name).await?;
        }
        Ok(())
    }

    /// Whether anything is remembered of these blobs but by the storage.
    pub(crate) fn is_cached(&self) -> bool {
        self.shared.cache.is_some() && self.links == LinkSet::Layers
    }
}

#[async_trait]
impl BlobStatter for LinkedBlobs {
    async fn stat(&self, context: &Context, digest: &Digest) -> Result<Descriptor> {
        self.cached().stat(context, digest).await
    }
}

#[async_trait]
impl BlobProvider for LinkedBlobs {
    async fn get(&self, context: &Context, digest: &Digest, max_bytes: u64) -> Result<Bytes> {
        // The link says whether it may be read; the read itself, whether it is there.
        let canonical = match self.cached().known(context, digest).await {
            Some(descriptor) => descriptor.digest,
            None => self.uncached().resolve(context, digest).await?,
        };
        self.shared.blobs.get(context, &canonical, max_bytes).await
    }

    async fn open(&self, context: &Context, digest: &Digest) -> Result<BlobReader> {
        Ok(self.shared.blobs.open(self.stat(context, digest).await?))
    }
}

#[async_trait]
impl BlobServer for LinkedBlobs {
    async fn serve(&self, context: &Context, digest: &Digest, redirect: bool) -> Result<Served> {
        let descriptor = self.stat(context, digest).await?;
        self.shared.blobs.serve(context, descriptor, redirect).await
    }
}

#[async_trait]
impl BlobIngester for LinkedBlobs {
    async fn put(&self, context: &Context, content: Bytes) -> Result<Descriptor> {
        loop {
            let push = self.protection().begin(context).await?;
            let descriptor = self.shared.blobs.put(context, content.clone()).await?;
            let digest = descriptor.digest;
            self.link(context, &digest, &digest).await?;
            if self.confirm(context, push, &digest, &digest).await?.is_empty() {
                self.learn(context, &digest, &descriptor).await;
                return Ok(descriptor);
            }
        }
    }

    async fn create(&self, _: &Context, options: UploadOptions) -> Result<BlobWriter> {
        let id = options.announced.map_or_else(UploadId::random, |(id, _)| id);
        let turn = self.shared.uploads.take(id)?;
        Ok(BlobWriter::begin(Ingest { target: self.clone(), id, turn, options }))
    }

    async fn resume(&self, context: &Context, id: UploadId, options: UploadOptions) -> Result<BlobWriter> {
        let turn = self.shared.uploads.take(id)?;
        BlobWriter::resume(context, Ingest { target: self.clone(), id, turn, options }).await
    }

    async fn mount(
        &self,
        context: &Context,
        digest: &Digest,
        from: &RepositoryName,
        options: UploadOptions,
    ) -> Result<Begun> {
        match self.try_mount(context, digest, from).await {
            Ok(descriptor) => Ok(Begun::Mounted(descriptor)),
            Err(error) if error.is_unknown() => Ok(Begun::Upload(Box::new(self.create(context, options).await?))),
            Err(error) => Err(error),
        }
    }
}

impl LinkedBlobs {
    async fn try_mount(&self, context: &Context, digest: &Digest, from: &RepositoryName) -> Result<Descriptor> {
        let source = Self::new(self.shared.clone(), from.clone(), self.links);
        let mut linked = None;
        loop {
            let push = self.protection().begin(context).await?;
            let descriptor = match source.uncached().stat(context, digest).await {
                Err(error) if error.is_unknown() => {
                    for name in linked.iter().flat_map(|canonical| Self::names(digest, canonical)) {
                        link::remove(self.storage(), context, &self.place(&name)).await?;
                    }
                    return Err(error);
                }
                found => found?,
            };
            self.link(context, digest, &descriptor.digest).await?;
            if self.confirm(context, push, digest, &descriptor.digest).await?.is_empty() {
                self.learn(context, digest, &descriptor).await;
                return Ok(descriptor);
            }
            linked = Some(descriptor.digest);
        }
    }
}

#[async_trait]
impl BlobDeleter for LinkedBlobs {
    async fn delete(&self, context: &Context, digest: &Digest) -> Result<()> {
        self.check_delete()?;
        if self.unlink(context, digest).await? { Ok(()) } else { Err(Error::BlobUnknown(*digest)) }
    }
}
