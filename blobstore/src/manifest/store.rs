//! The manifests of a repository.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use bytes::Bytes;
use driver_api::{Context, ErrorKind, StoragePath};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::{Kind, MAX_MANIFEST_BYTES, Manifest, schema1};
use crate::blob::BlobProvider;
use crate::descriptor::{Descriptor, Reference};
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Result};
use crate::layout::Place;
use crate::link;
use crate::linked::{LinkSet, LinkedBlobs};
use crate::names::Tag;
use crate::protection::{LONGEST_REQUEST, Push};
use crate::tags::Tags;

/// How many of a manifest's references are looked for at once.
const AT_ONCE: usize = 16;

/// What became of a manifest that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed {
    /// Its canonical descriptor.
    pub descriptor: Descriptor,
    /// The manifest that it refers to.
    pub subject: Option<Digest>,
}

/// Some of the manifests that refer to another, in the order of their digests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReferrerPage {
    /// The manifests, as an index lists them.
    pub references: Vec<Reference>,
    /// Behind which digest the next page begins; none at the end.
    pub behind: Option<Digest>,
}

/// The manifests of one repository.
#[derive(Debug, Clone)]
pub struct Manifests {
    revisions: LinkedBlobs,
    layers: LinkedBlobs,
    tags: Tags,
}

impl Manifests {
    pub(crate) const fn new(revisions: LinkedBlobs, layers: LinkedBlobs, tags: Tags) -> Self {
        Self { revisions, layers, tags }
    }

    /// Whether there is a manifest, and how large it is. Its media type is in its content.
    ///
    /// Errors: ManifestUnknown.
    pub async fn stat(&self, context: &Context, digest: &Digest) -> Result<Descriptor> {
        match self.revisions.find(context, digest).await {
            // By an old link, which a blob can have as well.
            Err(error) if error.is_unknown() => Ok(self.get(context, digest).await?.descriptor().clone()),
            found => found,
        }
    }

    /// Reads a manifest.
    ///
    /// Errors: ManifestUnknown; Damaged where what is stored is no manifest or another one.
    pub async fn get(&self, context: &Context, digest: &Digest) -> Result<Manifest> {
        let content = match self.revisions.get(context, digest, MAX_MANIFEST_BYTES).await {
            Err(Error::Storage(error)) if error.kind() == ErrorKind::TooLarge => {
                return Err(self.no_manifest(context, digest, error.to_string()).await);
            }
            content => content.map_err(|error| self.unknown(digest, error))?,
        };
        let manifest = match Manifest::parse(None, content) {
            Ok(manifest) => manifest,
            Err(error) => return Err(self.no_manifest(context, digest, error.to_string()).await),
        };
        if manifest.kind() != Kind::Schema1 {
            return Ok(manifest);
        }
        let signatures = self.signatures(context, &manifest.descriptor().digest).await?;
        schema1::signed(manifest, &signatures)
    }

    /// Reads what a link to a manifest leads to, without its signatures; who asks has seen the link.
    ///
    /// Errors: BlobUnknown; ManifestInvalid.
    pub(crate) async fn content(&self, context: &Context, digest: &Digest) -> Result<Manifest> {
        let content = match self.revisions.get_content(context, digest, MAX_MANIFEST_BYTES).await {
            // A link may lead elsewhere than it is called.
            Err(Error::BlobUnknown(_)) => self.revisions.get(context, digest, MAX_MANIFEST_BYTES).await,
            content => content,
        };
        match content {
            Err(Error::Storage(error)) if error.kind() == ErrorKind::TooLarge => {
                Err(Error::ManifestInvalid(error.to_string()))
            }
            content => Manifest::parse(None, content?),
        }
    }

    /// Takes a manifest in, byte by byte, and makes `tags` name it. `digest` is what its client calls it, if anything.
    ///
    /// What it names must be in the repository, and is when this succeeds.
    ///
    /// Errors: ManifestInvalid; DigestMismatch; ReferencesUnknown.
    pub async fn put(
        &self,
        context: &Context,
        media_type: Option<&str>,
        content: Bytes,
        digest: Option<&Digest>,
        tags: &[Tag],
    ) -> Result<Pushed> {
        let manifest = Manifest::parse(media_type, content)?;
        if manifest.kind() == Kind::Schema1 {
            let reason = "manifests of schema 1 are read and no longer taken; push the image with a client of today";
            return Err(Error::ManifestInvalid(reason.to_owned()));
        }
        let canonical = manifest.descriptor().digest;
        let name = *digest.unwrap_or(&canonical);
        let found = Digest::with(name.algorithm(), manifest.content());
        if found != name {
            return Err(Error::DigestMismatch { expected: name, found: found.into() });
        }
        self.publish(context, &manifest, &name).await?;
        self.set_tags(context, tags, &canonical).await?;
        let subject = manifest.subject().map(|subject| subject.digest);
        Ok(Pushed { descriptor: manifest.descriptor().clone(), subject })
    }

    /// Makes `tags` name a manifest that is there.
    ///
    /// Errors: ManifestUnknown; ReferencesUnknown.
    pub async fn tag(&self, context: &Context, digest: &Digest, tags: &[Tag]) -> Result<()> {
        let manifest = self.get(context, digest).await?;
        let canonical = manifest.descriptor().digest;
        // An old manifest without a tag can be garbage that is being collected. Published again it is new.
        self.publish(context, &manifest, digest).await?;
        self.set_tags(context, tags, &canonical).await
    }

    async fn set_tags(&self, context: &Context, tags: &[Tag], digest: &Digest) -> Result<()> {
        // Each owns its tag: else the whole would not be known to be Send.
        let set = tags.iter().cloned().map(|tag| async move { self.tags.set(context, &tag, digest).await });
        stream::iter(set).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Makes a manifest readable as `name`. When this returns, all that it names is there to stay: a collection that begins now
    /// finds the manifest, which is too young to be taken for want of a tag within [`LONGEST_REQUEST`].
    async fn publish(&self, context: &Context, manifest: &Manifest, name: &Digest) -> Result<()> {
        let mut is_written = false;
        loop {
            let begun = Instant::now();
            let push = self.revisions.protection().begin(context).await?;
            let relied_on = match self.find_references(context, manifest, |_, _| false).await {
                Err(Error::ReferencesUnknown(missing)) => {
                    if is_written {
                        self.unlink(context, manifest, name).await?;
                    }
                    self.forget(context, &missing).await;
                    return Err(Error::ReferencesUnknown(missing));
                }
                found => found?,
            };
            self.write(context, manifest, name).await?;
            if self.confirm(context, push, manifest, name, relied_on).await?.is_empty()
                && begun.elapsed() < LONGEST_REQUEST / 2
            {
                return Ok(());
            }
            is_written = true;
        }
    }

    /// Who pushes asks first what is there, and leaves that out. Where the cache has told it of blobs that are gone, it would be told
    /// so again, and never get its manifest in.
    async fn forget(&self, context: &Context, missing: &[Digest]) {
        if let Err(error) = self.layers.forget_all(context, missing).await {
            tracing::warn!(%error, "the cache may know blobs that are gone, until they expire there");
        }
    }

    /// Takes back what [`Self::write`] makes it readable by.
    async fn unlink(&self, context: &Context, manifest: &Manifest, name: &Digest) -> Result<()> {
        for digest in [manifest.descriptor().digest, *name] {
            link::remove(self.revisions.storage(), context, &self.revisions.place(&digest)).await?;
        }
        Ok(())
    }

    async fn write(&self, context: &Context, manifest: &Manifest, name: &Digest) -> Result<()> {
        if manifest.kind() != Kind::Schema1 {
            self.revisions.put_content(context, manifest.content().clone()).await?;
        }
        // Who lists referrers passes over one that is not there yet, and one that is there must be listed.
        if let Some(place) = self.referrer(manifest, name) {
            link::write(self.revisions.storage(), context, &place, &manifest.descriptor().digest).await?;
        }
        self.revisions.link(context, name, &manifest.descriptor().digest).await
    }

    /// Confirms that the manifest stays, and all that it names; answers with what is gone of them, and is to be published again.
    async fn confirm(
        &self,
        context: &Context,
        push: Push,
        manifest: &Manifest,
        name: &Digest,
        references: Vec<(Digest, [StoragePath; 2])>,
    ) -> Result<Vec<StoragePath>> {
        let canonical = manifest.descriptor().digest;
        let own = || {
            let links = [canonical, *name].map(|digest| self.revisions.place(&digest));
            let places = links.into_iter().chain([Place::Blob(canonical)]).chain(self.referrer(manifest, name));
            places.map(|place| place.path()).collect::<Vec<_>>()
        };
        let relied_on = || own().into_iter().chain(references.iter().flat_map(|(_, paths)| paths.clone())).collect();
        self.revisions.protection().confirm(context, push, relied_on).await
    }

    /// The files by which the repository has what a manifest names, but for what is known to be there.
    ///
    /// Errors: ReferencesUnknown.
    async fn find_references(
        &self,
        context: &Context,
        manifest: &Manifest,
        is_known: impl Fn(&Digest, bool) -> bool,
    ) -> Result<Vec<(Digest, [StoragePath; 2])>> {
        let blobs = manifest.blobs().iter().filter(|blob| !is_known(&blob.digest, false));
        let blobs = blobs.map(|reference| (&self.layers, reference));
        let manifests = manifest.manifests().iter().filter(|child| !is_known(&child.digest, true));
        let manifests = manifests.map(|reference| (&self.revisions, reference));
        let mut seen = HashSet::new();
        let named = blobs.chain(manifests).filter(|(_, reference)| seen.insert(reference.digest));
        let named: Vec<_> = named
            .map(|(links, reference)| find(context.clone(), links.clone(), reference.digest, reference.is_foreign()))
            .collect();
        let looked = stream::iter(named);
        let looked: Vec<_> = looked.buffer_unordered(AT_ONCE).try_collect().await?;
        let mut found = Vec::with_capacity(looked.len());
        let mut missing = Vec::new();
        for looked in looked {
            match looked {
                Found::Here(digest, paths) => found.push((digest, paths)),
                Found::Elsewhere => {}
                Found::Nowhere(digest) => missing.push(digest),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(Error::ReferencesUnknown(missing)) }
    }

    /// Whether there is a manifest by a link of its own. What can be read by one among the blobs no index can name.
    pub(crate) async fn has(&self, context: &Context, digest: &Digest) -> Result<bool> {
        match self.revisions.find(context, digest).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_unknown() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a manifest to which there is a link is one, has its content, and has all that it names. What is known to be there
    /// as a blob, or as a manifest, is not looked for. Answers where it is to be noted that it refers to another.
    ///
    /// Errors: BlobUnknown; ManifestInvalid; ReferencesUnknown; DigestMismatch.
    pub(crate) async fn check(
        &self,
        context: &Context,
        name: &Digest,
        is_known: impl Fn(&Digest, bool) -> bool,
    ) -> Result<Option<Place>> {
        let manifest = self.content(context, name).await?;
        self.find_references(context, &manifest, is_known).await?;
        Ok(self.referrer(&manifest, name))
    }

    /// Takes a manifest away, and the tags that name it.
    ///
    /// Errors: ManifestUnknown; DeleteDisabled.
    pub async fn delete(&self, context: &Context, digest: &Digest) -> Result<()> {
        self.revisions.check_delete()?;
        let canonical = self.revisions.resolve(context, digest).await.map_err(|error| self.unknown(digest, error))?;
        let manifest = match self.get(context, digest).await {
            Ok(manifest) => Some(manifest),
            // An old link leads to a blob as well, which is not deleted by this name.
            Err(error) if error.is_unknown() => {
                link::read(self.revisions.storage(), context, &self.revisions.place(digest)).await?.ok_or(error)?;
                None
            }
            // That it can't be read is no reason to keep it.
            Err(Error::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        // Nobody finds a manifest by a tag that is gone; a tag without its manifest would be found and broken.
        for tag in self.tags.naming(context, &canonical).await? {
            self.tags.remove(context, &tag).await?;
        }
        let mut names = vec![*digest, canonical];
        if let Some(manifest) = &manifest {
            // It may have been pushed by any name.
            names.extend(Algorithm::ALL.map(|algorithm| Digest::with(algorithm, manifest.content())));
        }
        names.sort();
        names.dedup();
        let storage = self.revisions.storage();
        for name in &names {
            if let Some(place) = manifest.as_ref().and_then(|manifest| self.referrer(manifest, name)) {
                link::remove(storage, context, &place).await?;
            }
            link::remove(storage, context, &self.revisions.place(name)).await?;
            // Where registries up to 2.1.0 had it, and where it would be found again.
            self.layers.unlink(context, name).await?;
        }
        Ok(())
    }

    /// The manifests that refer to `subject`, as an index lists them, behind `last` in the order of digests. They are read as they
    /// are asked for, some ahead.
    pub async fn referrers(
        &self,
        context: &Context,
        subject: &Digest,
        last: Option<&Digest>,
    ) -> Result<impl Stream<Item = Result<Reference>> + Send + use<>> {
        Ok(self.referring(context, subject, self.referrer_names(context, subject, last).await?))
    }

    /// The first `count` of the manifests that refer to `subject`, behind `last` in the order of digests. Only these are read; one that
    /// turns out not to refer to it is left out.
    pub async fn referrers_page(
        &self,
        context: &Context,
        subject: &Digest,
        last: Option<&Digest>,
        count: usize,
    ) -> Result<ReferrerPage> {
        let mut names = self.referrer_names(context, subject, last).await?;
        let has_more = names.len() > count;
        names.truncate(count);
        let behind = names.last().copied().filter(|_| has_more);
        Ok(ReferrerPage { references: self.referring(context, subject, names).try_collect().await?, behind })
    }

    /// What may refer to `subject`, in the order of digests: what is noted, and what a client has noted itself, under a tag, at a
    /// registry that did not. Those behind `last`.
    async fn referrer_names(&self, context: &Context, subject: &Digest, last: Option<&Digest>) -> Result<Vec<Digest>> {
        let noted = self.revisions.referrers_of(context, subject);
        let (noted, tagged) = futures_util::future::try_join(noted, self.tagged_referrers(context, subject)).await?;
        let names: BTreeSet<_> =
            noted.into_iter().chain(tagged).filter(|name| last.is_none_or(|last| name > last)).collect();
        Ok(names.into_iter().collect())
    }

    /// The manifests of the index that clients keep under a tag for a subject, where a registry does not list what refers to it.
    async fn tagged_referrers(&self, context: &Context, subject: &Digest) -> Result<Vec<Digest>> {
        let index = match Tag::of_referrers(subject) {
            Some(tag) => self.tags.get(context, &tag).await,
            None => return Ok(Vec::new()),
        };
        let index = match index {
            Ok(index) => self.get(context, &index).await,
            Err(error) => Err(error),
        };
        match index {
            Ok(index) => Ok(index.manifests().iter().map(|child| child.digest).collect()),
            Err(error) if error.is_unknown() => Ok(Vec::new()),
            // It is a client's, and says nothing of what was noted.
            Err(Error::Damaged { path, reason }) => {
                tracing::warn!(%path, reason, "a damaged list of referrers was passed over");
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// What an index says of those of `names` that refer to `subject`.
    fn referring(
        &self,
        context: &Context,
        subject: &Digest,
        names: Vec<Digest>,
    ) -> impl Stream<Item = Result<Reference>> + Send + use<> {
        let (manifests, context, subject) = (self.clone(), context.clone(), *subject);
        let read = stream::iter(names).map(move |name| {
            let (manifests, context) = (manifests.clone(), context.clone());
            async move {
                match manifests.get(&context, &name).await {
                    Ok(manifest) => {
                        let refers = manifest.subject().is_some_and(|named| named.digest == subject);
                        Ok(refers.then(|| Reference { digest: name, ..manifest.about().clone() }))
                    }
                    // It is being pushed or taken away.
                    Err(error) if error.is_unknown() => Ok(None),
                    Err(error) => Err(error),
                }
            }
        });
        read.buffered(AT_ONCE).try_filter_map(|reference| std::future::ready(Ok(reference)))
    }

    /// Where it is noted that a manifest refers to another.
    fn referrer(&self, manifest: &Manifest, name: &Digest) -> Option<Place> {
        let subject = manifest.subject()?.digest;
        Some(Place::Referrer { repository: self.revisions.repository().clone(), subject, referrer: *name })
    }

    /// The signatures of a manifest of schema 1, in the order of their digests.
    async fn signatures(&self, context: &Context, manifest: &Digest) -> Result<Vec<Bytes>> {
        let set = self.revisions.with_links(LinkSet::Signatures(*manifest));
        let mut signatures = Vec::new();
        for digest in set.linked(context).await? {
            signatures.push(set.get(context, &digest, MAX_MANIFEST_BYTES).await?);
        }
        Ok(signatures)
    }

    /// What it means that a link leads to what is no manifest: by a link of today that it is damaged; by an old one, that it is a
    /// blob.
    async fn no_manifest(&self, context: &Context, digest: &Digest, reason: String) -> Error {
        match self.revisions.find(context, digest).await {
            Ok(found) => Error::Damaged { path: Place::Blob(found.digest).path(), reason },
            Err(error) if error.is_unknown() => self.unknown(digest, Error::BlobUnknown(*digest)),
            Err(error) => error,
        }
    }

    fn unknown(&self, digest: &Digest, error: Error) -> Error {
        match error {
            Error::BlobUnknown(_) => Error::ManifestUnknown(self.revisions.repository().clone(), digest.to_string()),
            error => error,
        }
    }
}

/// Whether something that a manifest names is there.
enum Found {
    /// By these files: the link and the content.
    Here(Digest, [StoragePath; 2]),
    /// It need not be.
    Elsewhere,
    Nowhere(Digest),
}

async fn find(context: Context, links: LinkedBlobs, digest: Digest, is_foreign: bool) -> Result<Found> {
    match links.find(&context, &digest).await {
        Ok(found) => Ok(Found::Here(digest, [links.place(&digest).path(), Place::Blob(found.digest).path()])),
        Err(error) if error.is_unknown() && is_foreign => Ok(Found::Elsewhere),
        Err(error) if error.is_unknown() => Ok(Found::Nowhere(digest)),
        Err(error) => Err(error),
    }
}
