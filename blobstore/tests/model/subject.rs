//! The stores at work: each step done to them and to the model, and both compared.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use blobstore::blob::{BlobDeleter, BlobIngester, BlobProvider, BlobStatter};
use blobstore::cache::MemoryCache;
use blobstore::upkeep::{CollectOptions, Event, PurgeOptions, VerifyOptions, collect, copy, purge_uploads, verify};
use blobstore::{
    Algorithm, Begun, Digest, Error, Namespace, NamespaceOptions, Place, Repository, Result, UploadId, UploadOptions,
};
use bytes::Bytes;
use driver_api::{Context, DeleteOptions, ListOptions, Storage, StoragePath};
use driver_inmemory::MemoryDriver;

use crate::contents::{CONTENTS, Content, named};
use crate::expected::{Model, image};
use crate::fixture::{name, pull, tag};
use crate::step::{REPOSITORIES, Step, TAGS, Way};

/// Stores, what they must show, and a second storage that is brought up to date now and then.
pub(crate) struct Subject {
    storage: Storage,
    context: Context,
    namespace: Namespace,
    mirror: Namespace,
    model: Model,
    /// The uploads of the model, by their names.
    uploads: Vec<UploadId>,
}

fn open(storage: &Storage, cached: bool) -> Namespace {
    let mut options = NamespaceOptions::default();
    options.delete_enabled = true;
    if cached {
        options.cache = Some(Arc::new(MemoryCache::default()));
    }
    Namespace::new(storage.clone(), options)
}

/// What went wrong, as text that a report can show.
type Outcome = std::result::Result<(), String>;

fn check(is_right: bool, explanation: impl FnOnce() -> String) -> Outcome {
    if is_right { Ok(()) } else { Err(explanation()) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: impl std::fmt::Display, found: &T, expected: &T) -> Outcome {
    check(found == expected, || format!("{what}: found {found:?}, expected {expected:?}"))
}

/// Whether something is there.
fn is_there<T>(answer: Result<T>) -> std::result::Result<bool, String> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.is_unknown() => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// What is missing for a manifest.
fn missing(answer: Result<()>) -> std::result::Result<BTreeSet<Digest>, String> {
    match answer {
        Ok(()) => Ok(BTreeSet::new()),
        Err(Error::ReferencesUnknown(missing)) => Ok(missing.into_iter().collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn fine<T, E: std::fmt::Display>(answer: std::result::Result<T, E>) -> std::result::Result<T, String> {
    answer.map_err(|error| error.to_string())
}

impl Subject {
    pub(crate) fn new(storage: Storage) -> Self {
        let namespace = open(&storage, false);
        let mirror = open(&Storage::new(MemoryDriver::default()), false);
        let context = Context::background();
        Self { storage, context, namespace, mirror, model: Model::default(), uploads: Vec::new() }
    }

    fn repository(&self, text: &str) -> Repository {
        self.namespace.repository(name(text))
    }

    pub(crate) async fn perform(&mut self, step: &Step) -> Outcome {
        let context = self.context.clone();
        match step {
            Step::PushBlob(repository, blob, way) => {
                self.push_blob(repository, &blob.digest(), *way).await?;
            }
            Step::PushManifest(repository, manifest, tags) => {
                let found = self.push_manifest(repository, &manifest.digest(), tags).await?;
                let expected = self.model.push_manifest(repository, &manifest.digest(), tags);
                same("missing", &found, &expected)?;
            }
            Step::PushImage(repository, manifest, tag) => {
                let digest = manifest.digest();
                for (part, is_blob) in image(&digest) {
                    if is_blob {
                        self.upload(repository, &part, Way::Upload).await?;
                    } else {
                        same("missing", &self.push_manifest(repository, &part, &[]).await?, &BTreeSet::new())?;
                    }
                }
                same("missing", &self.push_manifest(repository, &digest, &[tag]).await?, &BTreeSet::new())?;
                self.model.push_image(repository, &digest, tag);
            }
            Step::Tag(repository, manifest, text) => {
                let manifests = self.repository(repository).manifests();
                let found = match manifests.tag(&context, &manifest.digest(), &[tag(text)]).await {
                    Err(error) if error.is_unknown() => None,
                    answer => Some(missing(answer)?),
                };
                same("missing", &found, &self.model.tag(repository, &manifest.digest(), text))?;
            }
            Step::Untag(repository, text) => {
                let found = is_there(self.repository(repository).tags().delete(&context, &tag(text)).await)?;
                same("untag", &found, &self.model.untag(repository, text))?;
            }
            Step::DeleteBlob(repository, blob) => {
                let found = is_there(self.repository(repository).blobs().delete(&context, &blob.digest()).await)?;
                let expected = self.model.repository(repository).layers.remove(&blob.digest());
                same("delete", &found, &expected)?;
            }
            Step::DeleteManifest(repository, manifest) => {
                let manifests = self.repository(repository).manifests();
                let found = is_there(manifests.delete(&context, &manifest.digest()).await)?;
                same("delete", &found, &self.model.delete_manifest(repository, &manifest.digest()))?;
            }
            Step::DeleteRepository(repository) => {
                let found = is_there(self.repository(repository).delete(&context).await)?;
                same("delete", &found, &self.model.delete_repository(repository))?;
            }
            Step::Mount { from, to, name: blob } => {
                let blobs = self.repository(to).blobs();
                let begun = blobs.mount(&context, &blob.digest(), &name(from), UploadOptions::default()).await;
                let found = matches!(fine(begun)?, Begun::Mounted(_));
                same("mounted", &found, &self.model.mount(from, to, &blob.digest()))?;
            }
            Step::Begin(repository, content) => self.begin(repository, *content).await?,
            Step::Finish { upload, algorithm, wrong } => self.finish(*upload, *algorithm, *wrong).await?,
            Step::Cancel(upload) => self.cancel(*upload).await?,
            Step::Purge => self.purge().await?,
            Step::Collect { untagged, dry_run } => self.collect(*untagged, *dry_run).await?,
            Step::Verify => self.verify().await?,
            Step::Copy => self.copy().await?,
            Step::Reopen { cached } => self.namespace = open(&self.storage, *cached),
        }
        match step.repository() {
            Some(repository) => self.compare_repository(repository).await,
            None => self.compare().await,
        }
    }

    async fn push_blob(&mut self, repository: &'static str, digest: &Digest, way: Way) -> Outcome {
        let pushed = self.upload(repository, digest, way).await?;
        self.model.push_blob(repository, &pushed);
        Ok(())
    }

    /// Pushes a blob; answers with the name that it was pushed by.
    async fn upload(&self, repository: &str, digest: &Digest, way: Way) -> std::result::Result<Digest, String> {
        let (context, blobs) = (&self.context, self.repository(repository).blobs());
        let content = named(digest).unwrap();
        let pushed = match way {
            Way::Whole => {
                fine(blobs.put(context, content.bytes.clone()).await)?;
                return Ok(content.digest());
            }
            Way::Upload => {
                let mut options = UploadOptions::default();
                options.algorithm = Some(digest.algorithm());
                let mut upload = fine(blobs.create(context, options).await)?;
                fine(upload.write(context, content.bytes.clone()).await)?;
                upload.commit(context, digest, Some(content.bytes.len() as u64)).await
            }
            Way::Chunks => {
                let upload = fine(blobs.create(context, UploadOptions::default()).await)?;
                let id = upload.id();
                fine(upload.close(context).await)?;
                for chunk in content.bytes.chunks(2) {
                    let mut upload = fine(blobs.resume(context, id, UploadOptions::default()).await)?;
                    fine(upload.write(context, Bytes::copy_from_slice(chunk)).await)?;
                    fine(upload.close(context).await)?;
                }
                let upload = fine(blobs.resume(context, id, UploadOptions::default()).await)?;
                upload.commit(context, digest, None).await
            }
        };
        same("canonical digest", &fine(pushed)?.digest, &content.digest())?;
        Ok(*digest)
    }

    async fn push_manifest(
        &self,
        repository: &str,
        digest: &Digest,
        tags: &[&str],
    ) -> std::result::Result<BTreeSet<Digest>, String> {
        let content = named(digest).unwrap().bytes.clone();
        let tags: Vec<_> = tags.iter().map(|text| tag(text)).collect();
        let manifests = self.repository(repository).manifests();
        missing(manifests.put(&self.context, None, content, Some(digest), &tags).await.map(drop))
    }

    async fn begin(&mut self, repository: &'static str, content: usize) -> Outcome {
        let (context, blobs) = (&self.context, self.repository(repository).blobs());
        let mut upload = fine(blobs.create(context, UploadOptions::default()).await)?;
        let bytes = &CONTENTS[content].bytes;
        fine(upload.write(context, bytes.slice(..bytes.len() / 2)).await)?;
        self.uploads.push(upload.id());
        fine(upload.close(context).await)?;
        self.model.begin(repository, content);
        Ok(())
    }

    async fn finish(&mut self, which: usize, algorithm: Algorithm, wrong: bool) -> Outcome {
        let Some(kept) = self.model.uploads.get(which).copied() else { return Ok(()) };
        let context = &self.context;
        let mut options = UploadOptions::default();
        options.kept = Some(kept.size);
        let resumed = self.repository(kept.repository).blobs().resume(context, self.uploads[which], options).await;
        if kept.is_gone {
            return same("resumed", &is_there(resumed)?, &false);
        }
        let (mut upload, content) = (fine(resumed)?, &CONTENTS[kept.content]);
        fine(upload.write(context, content.bytes.slice(kept.size as usize..)).await)?;
        let whole = content.bytes.len() as u64;
        if wrong {
            let refused = upload.commit(context, &Digest::with(algorithm, b"?"), None).await;
            let failure = refused.err().ok_or("a wrong digest was taken")?;
            check(matches!(failure.error, Error::DigestMismatch { .. }), || failure.error.to_string())?;
            let upload = failure.upload.ok_or("the upload is gone with a wrong digest")?;
            same("kept", &fine(upload.close(context).await)?, &whole)?;
            self.model.uploads[which].size = whole;
        } else {
            fine(upload.commit(context, &content.name(algorithm), Some(whole)).await)?;
            self.model.finish(which, algorithm);
        }
        Ok(())
    }

    async fn cancel(&mut self, which: usize) -> Outcome {
        let Some(kept) = self.model.uploads.get_mut(which) else { return Ok(()) };
        let blobs = self.namespace.repository(name(kept.repository)).blobs();
        let resumed = blobs.resume(&self.context, self.uploads[which], UploadOptions::default()).await;
        if kept.is_gone {
            return same("resumed", &is_there(resumed)?, &false);
        }
        kept.is_gone = true;
        fine(fine(resumed)?.cancel(&self.context).await)
    }

    async fn purge(&mut self) -> Outcome {
        let mut options = PurgeOptions::default();
        options.older_than = Duration::ZERO;
        let purged = fine(purge_uploads(&self.namespace, &self.context, &options, &mut |_| {}).await)?;
        let left = self.model.uploads.iter_mut().filter(|upload| !upload.is_gone);
        let expected = left.map(|upload| upload.is_gone = true).count() as u64;
        same("purged, problems", &(purged.purged, purged.problems), &(expected, 0))
    }

    async fn collect(&mut self, untagged: bool, dry_run: bool) -> Outcome {
        self.let_an_hour_pass().await?;
        let mut options = CollectOptions::default().with_grace(Duration::ZERO).without_grace_for_untagged();
        (options.delete_untagged, options.dry_run) = (untagged, dry_run);
        let mut unexpected = Vec::new();
        let mut listener = |event: Event<'_>| {
            if !matches!(event, Event::Victim { .. } | Event::Repository(_) | Event::Kept(_)) {
                unexpected.push(format!("{event:?}"));
            }
        };
        fine(collect(&self.namespace, &self.context, &options, &mut listener).await)?;
        same("told", &unexpected, &Vec::new())?;
        if !dry_run {
            self.model.collect(untagged);
        }
        let blobs = StoragePath::parse("/docker/registry/v2/blobs").unwrap();
        let found = match self.storage.list(&self.context, &blobs, ListOptions::recursive()).await {
            Ok(listing) => fine(listing.collect().await)?.len(),
            Err(error) if error.is_not_found() => 0,
            Err(error) => return Err(error.to_string()),
        };
        same("contents", &found, &self.model.contents.len())
    }

    /// What pushes rely on is spared for an hour by a collection that they have met.
    async fn let_an_hour_pass(&self) -> Outcome {
        let notes = StoragePath::parse("/blobstore/reliances").unwrap();
        match self.storage.delete(&self.context, &notes, DeleteOptions::tree()).await {
            Err(error) if !error.is_not_found() => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    async fn verify(&mut self) -> Outcome {
        let options = VerifyOptions::default();
        let verified = fine(verify(&self.namespace, &self.context, &options, &mut |_| {}).await)?;
        let found = (verified.blobs, verified.damaged, verified.broken, verified.problems);
        same("verified", &found, &(self.model.contents.len() as u64, 0, self.model.broken(), 0))
    }

    /// What is whole here is whole there afterwards, by the same names.
    async fn copy(&mut self) -> Outcome {
        let context = &self.context;
        fine(copy(&self.namespace, &self.mirror, context, &|_| true, &mut |_| {}).await)?;
        for (text, expected) in &self.model.repositories {
            let there = self.mirror.repository(name(text));
            for revision in expected.revisions.iter().filter(|revision| expected.is_whole(revision)) {
                let canonical = named(revision).unwrap().digest();
                fine(pull(context, &there, &canonical).await).map_err(|error| format!("copied: {error}"))?;
                let link = Place::Revision(name(text), *revision).path();
                fine(self.mirror.storage().stat(context, &link).await).map_err(|error| format!("copied: {error}"))?;
            }
            for (text, target) in expected.tags.iter().filter(|(_, target)| expected.is_whole(target)) {
                same("copied tag", &fine(there.tags().get(context, &tag(text)).await)?, target)?;
            }
        }
        let verified = fine(verify(&self.mirror, context, &VerifyOptions::default(), &mut |_| {}).await)?;
        same("damaged, broken, problems", &(verified.damaged, verified.broken, verified.problems), &(0, 0, 0))
    }

    /// Compares everything.
    pub(crate) async fn compare(&mut self) -> Outcome {
        for text in REPOSITORIES {
            self.compare_repository(text).await.map_err(|difference| format!("{text}: {difference}"))?;
        }
        let expected: Vec<_> = REPOSITORIES.into_iter().filter(|name| self.model.repository(name).exists()).collect();
        for from in 0..=expected.len() {
            let last = from.checked_sub(1).map(|last| name(expected[last]));
            let (mut listing, mut found) = (self.namespace.repositories(last.as_ref()), Vec::new());
            while let Some(listed) = fine(listing.next(&self.context).await)? {
                found.push(listed.to_string());
            }
            same("repositories", &found, &expected[from..].iter().map(|name| (*name).to_owned()).collect())?;
        }
        Ok(())
    }

    async fn compare_repository(&mut self, text: &'static str) -> Outcome {
        let (context, repository) = (self.context.clone(), self.repository(text));
        let expected = self.model.repository(text);
        let (blobs, manifests, tags) = (repository.blobs(), repository.manifests(), repository.tags());
        for (number, content) in CONTENTS.iter().enumerate() {
            for digest in content.names() {
                let what = |of: &str| format!("{of} {}#{number}", digest.algorithm());
                let has_blob = expected.layers.contains(&digest);
                same(what("stat"), &is_there(blobs.stat(&context, &digest).await)?, &has_blob)?;
                let got = same_bytes(blobs.get(&context, &digest, 1 << 20).await, content);
                same(what("blob"), &got?, &has_blob)?;
                let has_manifest = expected.has_manifest(&digest);
                same(what("stat of manifest"), &is_there(manifests.stat(&context, &digest).await)?, &has_manifest)?;
                let got = manifests.get(&context, &digest).await.map(|manifest| manifest.content().clone());
                same(what("manifest"), &same_bytes(got, content)?, &has_manifest)?;
                let referrers = fine(manifests.referrers_page(&context, &digest, None, 100).await)?.references;
                let found: Vec<_> = referrers.iter().map(|referrer| referrer.digest).collect();
                let referring = expected.referrers.iter().filter(|(subject, _)| *subject == digest);
                same(what("referrers"), &found, &referring.map(|(_, referrer)| *referrer).collect())?;
            }
        }
        let found = match tags.all(&context).await {
            Ok(tags) => Some(tags.iter().map(ToString::to_string).collect::<Vec<_>>()),
            Err(Error::RepositoryUnknown(_)) => None,
            Err(error) => return Err(error.to_string()),
        };
        let named = expected.tags.keys().map(|tag| (*tag).to_owned()).collect();
        same("tags", &found, &expected.exists().then_some(named))?;
        for text in TAGS {
            let found = match tags.get(&context, &tag(text)).await {
                Err(error) if error.is_unknown() => None,
                target => Some(fine(target)?),
            };
            same(text, &found.as_ref(), &expected.tags.get(text))?;
            let found = match tags.index(&context, &tag(text)).await {
                Err(error) if error.is_unknown() => BTreeSet::new(),
                digests => fine(digests)?.into_iter().collect(),
            };
            same(format!("index of {text}"), &found, &expected.remembered.get(text).cloned().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Whether a content can be read; if so it must be the right one.
fn same_bytes(answer: Result<Bytes>, content: &Content) -> std::result::Result<bool, String> {
    match answer {
        Ok(bytes) if bytes == content.bytes => Ok(true),
        Ok(bytes) => Err(format!("found {bytes:?}, expected {:?}", content.bytes)),
        Err(error) if error.is_unknown() => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}
