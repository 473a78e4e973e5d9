//! From one storage to another.

use std::collections::HashSet;

use driver_api::{Context, ListOptions};

use super::{Event, Listener};
use crate::blob::{BlobIngester, BlobProvider, BlobStatter};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::linked::LinkedBlobs;
use crate::listed::list_if_any;
use crate::manifest::{Kind, Manifest};
use crate::names::{RepositoryName, Tag};
use crate::namespace::Namespace;
use crate::repository::Repository;
use crate::upload::UploadOptions;

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Repositories that were looked at.
    pub repositories: u64,
    /// Manifests that were copied, by each of their names.
    pub manifests: u64,
    /// Contents that were copied.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Tags that were set.
    pub tags: u64,
    /// Manifests and tags that could not be copied.
    pub problems: u64,
}

/// Copies the manifests and tags of the repositories that `select` takes, with all that they name. What is there already is
/// left, so that a copy that was stopped goes on where it was, and a later one brings what has come since.
///
/// Every byte is verified on its way, and nothing is named before it is there: at any time the copy is a registry.
///
/// Errors: Storage, where a listing could not be had.
pub async fn copy(
    from: &Namespace,
    to: &Namespace,
    context: &Context,
    select: &(dyn Fn(&RepositoryName) -> bool + Sync),
    listener: &mut Listener<'_>,
) -> Result<Copied> {
    let mut copied = Copied::default();
    let mut repositories = from.repositories(None);
    while let Some(name) = repositories.next(context).await? {
        if select(&name) {
            copied.repositories += 1;
            listener(Event::Repository(&name));
            let mut repository = CopyOf::new(from.repository(name.clone()), to.repository(name), &mut copied);
            repository.copy(context, listener).await?;
        }
    }
    Ok(copied)
}

/// The copy of one repository in progress.
struct CopyOf<'a> {
    from: Repository,
    to: Repository,
    copied: &'a mut Copied,
    /// The manifests that are there, or could not be brought.
    done: HashSet<Digest>,
}

impl<'a> CopyOf<'a> {
    fn new(from: Repository, to: Repository, copied: &'a mut Copied) -> Self {
        Self { from, to, copied, done: HashSet::new() }
    }

    async fn copy(&mut self, context: &Context, listener: &mut Listener<'_>) -> Result<()> {
        for digest in self.manifests(context).await? {
            if let Err(error) = self.manifest_with_children(context, digest, listener).await {
                self.copied.problems += 1;
                let path = Place::Revision(self.from.name().clone(), digest).path();
                listener(Event::Problem { path: &path, error: &error });
            }
        }
        for tag in self.from.tags().all(context).await? {
            if let Err(error) = self.tag(context, &tag).await {
                self.copied.problems += 1;
                let path = Directory::Tag(self.from.name(), &tag).path();
                listener(Event::Problem { path: &path, error: &error });
            }
        }
        Ok(())
    }

    /// The names of all manifests.
    async fn manifests(&self, context: &Context) -> Result<Vec<Digest>> {
        let storage = self.from.storage();
        let directory = Directory::Revisions(self.from.name()).path();
        let Some(mut listing) = list_if_any(storage, context, &directory, ListOptions::recursive()).await? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        while let Some(page) = listing.next_page().await {
            names.extend(page?.iter().filter_map(|entry| match Place::parse(entry.path()) {
                Some(Place::Revision(_, digest)) => Some(digest),
                _ => None,
            }));
        }
        Ok(names)
    }

    /// Copies a manifest behind those that it names.
    async fn manifest_with_children(
        &mut self,
        context: &Context,
        digest: Digest,
        listener: &mut Listener<'_>,
    ) -> Result<()> {
        // Each is read once to see what it names, and a second time when those are there.
        let mut waiting = vec![(digest, false)];
        while let Some((digest, has_children)) = waiting.pop() {
            if self.done.contains(&digest) {
                continue;
            }
            if self.to.manifests().has(context, &digest).await? {
                self.done.insert(digest);
                continue;
            }
            let manifest = self.from.manifests().get(context, &digest).await?;
            if !has_children && !manifest.manifests().is_empty() {
                waiting.push((digest, true));
                waiting.extend(manifest.manifests().iter().map(|child| (child.digest, false)));
                continue;
            }
            self.manifest(context, &manifest, &digest, listener).await?;
            self.done.insert(digest);
        }
        Ok(())
    }

    async fn manifest(
        &mut self,
        context: &Context,
        manifest: &Manifest,
        name: &Digest,
        listener: &mut Listener<'_>,
    ) -> Result<()> {
        if manifest.kind() == Kind::Schema1 {
            let reason = "manifests of schema 1 are not taken any more, and so not copied";
            return Err(Error::ManifestInvalid(reason.to_owned()));
        }
        for blob in manifest.blobs() {
            match self.blob(context, &blob.digest, listener).await {
                // What may only be had elsewhere.
                Err(error) if error.is_unknown() && blob.is_foreign() => {}
                copied => copied?,
            }
        }
        let media_type = Some(&*manifest.descriptor().media_type);
        self.to.manifests().put(context, media_type, manifest.content().clone(), Some(name), &[]).await?;
        self.copied.manifests += 1;
        Ok(())
    }

    async fn blob(&mut self, context: &Context, digest: &Digest, listener: &mut Listener<'_>) -> Result<()> {
        let (from, to): (LinkedBlobs, LinkedBlobs) = (self.from.blobs(), self.to.blobs());
        if is_there(to.stat(context, digest).await.map(drop))? {
            return Ok(());
        }
        let mut reader = from.open(context, digest).await?;
        let size_hint = Some(reader.descriptor().size);
        let options = UploadOptions { algorithm: Some(digest.algorithm()), size_hint, ..UploadOptions::default() };
        let mut upload = to.create(context, options).await?;
        while let Some(chunk) = reader.next_chunk(context).await? {
            upload.write(context, chunk).await?;
        }
        let size = upload.size();
        if let Err(failure) = upload.commit(context, digest, None).await {
            if let Some(upload) = failure.upload {
                upload.cancel(context).await?;
            }
            return Err(failure.error);
        }
        self.copied.blobs += 1;
        self.copied.bytes += size;
        listener(Event::Copied { digest, bytes: size });
        Ok(())
    }

    async fn tag(&mut self, context: &Context, tag: &Tag) -> Result<()> {
        let wanted = match self.from.tags().get(context, tag).await {
            Ok(wanted) => wanted,
            // It went meanwhile.
            Err(error) if error.is_unknown() => return Ok(()),
            Err(error) => return Err(error),
        };
        match self.to.tags().get(context, tag).await {
            Ok(there) if there == wanted => return Ok(()),
            Err(error) if !error.is_unknown() => return Err(error),
            _ => {}
        }
        self.to.manifests().tag(context, &wanted, std::slice::from_ref(tag)).await?;
        self.copied.tags += 1;
        Ok(())
    }
}

/// Whether something is there, by an answer that is about nothing else.
fn is_there(answer: Result<()>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.is_unknown() => Ok(false),
        Err(error) => Err(error),
    }
}
