//! What a store must show: plain maps, and what each step does to them.

use std::collections::{BTreeMap, BTreeSet};

use blobstore::{Algorithm, Digest};

use crate::contents::{CONTENTS, Named, named};
use crate::step::Name;

/// What a repository must show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    /// The names of its blobs.
    pub(crate) layers: BTreeSet<Digest>,
    /// The names of its manifests.
    pub(crate) revisions: BTreeSet<Digest>,
    pub(crate) tags: BTreeMap<&'static str, Digest>,
    /// What each tag names or named.
    pub(crate) remembered: BTreeMap<&'static str, BTreeSet<Digest>>,
    /// Subjects, each with the name of a manifest that refers to it.
    pub(crate) referrers: BTreeSet<(Digest, Digest)>,
}

/// An upload that was kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) repository: &'static str,
    pub(crate) content: usize,
    pub(crate) size: u64,
    pub(crate) is_gone: bool,
}

/// What a storage must show.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) repositories: BTreeMap<&'static str, Repository>,
    /// The contents, whoever may read them.
    pub(crate) contents: BTreeSet<Digest>,
    /// In the order in which they began.
    pub(crate) uploads: Vec<Kept>,
}

/// What a manifest that a repository has under a name is about.
fn about(name: &Digest) -> &'static Named {
    named(name).and_then(|content| content.manifest.as_ref()).expect("revisions are manifests")
}

fn canonical(name: &Digest) -> Digest {
    named(name).expect("only known contents are pushed").digest()
}

fn all_names(name: &Digest) -> [Digest; 2] {
    named(name).expect("only known contents are pushed").names()
}

impl Repository {
    /// Whether it can be found by its name.
    pub(crate) fn exists(&self) -> bool {
        !self.revisions.is_empty()
    }

    /// Whether a manifest can be read by that name: by its own link, or by one among the blobs, where old registries had it.
    pub(crate) fn has_manifest(&self, name: &Digest) -> bool {
        let is_manifest = named(name).is_some_and(|content| content.manifest.is_some());
        is_manifest && (self.revisions.contains(name) || self.layers.contains(name))
    }

    /// What a manifest names and the repository has not.
    pub(crate) fn missing(&self, manifest: &Digest) -> BTreeSet<Digest> {
        let Named { blobs, manifests, .. } = about(manifest);
        let blobs = blobs.iter().filter(|digest| !self.layers.contains(digest));
        blobs.chain(manifests.iter().filter(|digest| !self.revisions.contains(digest))).copied().collect()
    }

    /// Whether a manifest can be pulled with all that it names.
    pub(crate) fn is_whole(&self, manifest: &Digest) -> bool {
        let children = &about(manifest).manifests;
        self.missing(manifest).is_empty() && children.iter().all(|child| self.is_whole(child))
    }

    fn link_blob(&mut self, name: &Digest) {
        self.layers.extend([*name, canonical(name)]);
    }

    fn publish(&mut self, name: &Digest, tags: &[&'static str]) {
        self.revisions.extend([*name, canonical(name)]);
        if let Some(subject) = about(name).subject {
            self.referrers.insert((subject, *name));
        }
        for tag in tags {
            self.tags.insert(tag, canonical(name));
            self.remembered.entry(tag).or_default().insert(canonical(name));
        }
    }

    fn untag(&mut self, tag: &str) -> bool {
        self.remembered.remove(tag);
        self.tags.remove(tag).is_some()
    }

    fn forget(&mut self, name: &Digest) {
        self.revisions.remove(name);
        self.referrers.retain(|(_, referrer)| referrer != name);
    }

    /// The manifests that stay where those without a tag go.
    fn staying(&self) -> BTreeSet<Digest> {
        let mut staying = BTreeSet::new();
        let mut waiting: Vec<_> = self.tags.values().copied().collect();
        while let Some(name) = waiting.pop() {
            if !self.revisions.contains(&name) || !staying.insert(name) {
                continue;
            }
            waiting.extend(all_names(&name));
            waiting.extend(&about(&name).manifests);
            let refers = |other: &&Digest| about(other).subject == Some(name);
            waiting.extend(self.revisions.iter().filter(refers));
        }
        staying
    }

    /// Lets go of what no manifest needs; answers with the contents that are needed.
    fn collect(&mut self, untagged: bool) -> BTreeSet<Digest> {
        if untagged {
            let staying = self.staying();
            for name in self.revisions.clone().difference(&staying) {
                self.forget(name);
                self.remembered.values_mut().for_each(|remembered| remembered.retain(|other| other != name));
            }
        }
        let mut named = self.revisions.clone();
        for revision in &self.revisions {
            let Named { blobs, manifests, .. } = about(revision);
            named.extend(blobs.iter().chain(manifests));
        }
        // A blob stays by all of its names or by none.
        let by_any_name: BTreeSet<_> = self.layers.iter().filter(|name| named.contains(name)).map(canonical).collect();
        let is_needed = |name: &Digest| by_any_name.contains(&canonical(name)) || named.contains(&canonical(name));
        self.layers.retain(is_needed);
        let named_contents = named.into_iter().filter(|name| name.is_canonical());
        named_contents.chain(self.layers.iter().chain(&self.revisions).map(canonical)).collect()
    }
}

impl Model {
    pub(crate) fn repository(&mut self, name: &'static str) -> &mut Repository {
        self.repositories.entry(name).or_default()
    }

    pub(crate) fn push_blob(&mut self, repository: &'static str, name: &Digest) {
        self.contents.insert(canonical(name));
        self.repository(repository).link_blob(name);
    }

    /// Answers with what is missing.
    pub(crate) fn push_manifest(
        &mut self,
        repository: &'static str,
        name: &Digest,
        tags: &[&'static str],
    ) -> BTreeSet<Digest> {
        let missing = self.repository(repository).missing(name);
        if missing.is_empty() {
            self.contents.insert(canonical(name));
            self.repository(repository).publish(name, tags);
        }
        missing
    }

    pub(crate) fn push_image(&mut self, repository: &'static str, name: &Digest, tag: &'static str) {
        for (step, is_blob) in image(name) {
            if is_blob {
                self.push_blob(repository, &step);
            } else {
                self.push_manifest(repository, &step, &[]);
            }
        }
        let missing = self.push_manifest(repository, name, &[tag]);
        assert!(missing.is_empty());
    }

    /// Answers with what is missing, where there is such a manifest.
    pub(crate) fn tag(
        &mut self,
        repository: &'static str,
        name: &Digest,
        tag: &'static str,
    ) -> Option<BTreeSet<Digest>> {
        self.repository(repository).has_manifest(name).then(|| self.push_manifest(repository, name, &[tag]))
    }

    pub(crate) fn untag(&mut self, repository: &'static str, tag: &str) -> bool {
        self.repository(repository).untag(tag)
    }

    pub(crate) fn delete_manifest(&mut self, repository: &'static str, name: &Digest) -> bool {
        let repository = self.repository(repository);
        if !repository.has_manifest(name) {
            return false;
        }
        let naming = repository.tags.iter().filter(|(_, target)| **target == canonical(name));
        for tag in naming.map(|(tag, _)| *tag).collect::<Vec<_>>() {
            repository.untag(tag);
        }
        for name in all_names(name) {
            repository.forget(&name);
            repository.layers.remove(&name);
        }
        true
    }

    pub(crate) fn delete_repository(&mut self, name: &'static str) -> bool {
        let gone = std::mem::take(self.repository(name));
        let mut was_there = gone.exists() || !gone.layers.is_empty();
        for upload in self.uploads.iter_mut().filter(|upload| upload.repository == name && !upload.is_gone) {
            upload.is_gone = true;
            was_there = true;
        }
        was_there
    }

    pub(crate) fn mount(&mut self, from: &'static str, to: &'static str, name: &Digest) -> bool {
        let can_be_read = self.repository(from).layers.contains(name);
        if can_be_read {
            self.repository(to).link_blob(name);
        }
        can_be_read
    }

    pub(crate) fn begin(&mut self, repository: &'static str, content: usize) {
        let size = CONTENTS[content].bytes.len() as u64 / 2;
        self.uploads.push(Kept { repository, content, size, is_gone: false });
    }

    pub(crate) fn finish(&mut self, upload: usize, algorithm: Algorithm) {
        let kept = &mut self.uploads[upload];
        kept.is_gone = true;
        let (repository, name) = (kept.repository, Name { content: kept.content, algorithm });
        self.push_blob(repository, &name.digest());
    }

    pub(crate) fn collect(&mut self, untagged: bool) {
        let needed: BTreeSet<_> =
            self.repositories.values_mut().flat_map(|repository| repository.collect(untagged)).collect();
        self.contents.retain(|content| needed.contains(content));
    }

    /// How many manifests name what their repository has not.
    pub(crate) fn broken(&self) -> u64 {
        let of = |repository: &Repository| {
            repository.revisions.iter().filter(|name| !repository.missing(name).is_empty()).count() as u64
        };
        self.repositories.values().map(of).sum()
    }
}

/// What has to be pushed before a manifest, and whether it is a blob.
pub(crate) fn image(name: &Digest) -> Vec<(Digest, bool)> {
    let Named { blobs, manifests, .. } = about(name);
    let mut pushed: Vec<_> = blobs.iter().map(|blob| (*blob, true)).collect();
    for child in manifests {
        pushed.extend(image(child));
        pushed.push((*child, false));
    }
    pushed
}
