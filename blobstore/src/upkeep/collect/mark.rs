//! What is needed.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use driver_api::{Context, ListOptions};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::Ages;
use super::sweep::{Sweep, Victim};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::linked::LinkSet;
use crate::listed::list_if_any;
use crate::manifest::Manifest;
use crate::marks::{Half, Marks, half};
use crate::names::RepositoryName;
use crate::namespace::Namespace;

/// How many manifests are read at once.
const AT_ONCE: usize = 16;

/// What the manifests of one repository need.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// The canonical digests of its manifests and their signatures: contents that it has links of their own to.
    pub(super) contents: Marks,
    /// What its manifests name, by the names that they use.
    pub(super) named: Marks,
    pub(super) manifests: u64,
    /// Whether some manifest could not be made out, so that all links of the repository are as good as named.
    pub(super) is_incomplete: bool,
}

impl Needed {
    /// A manifest stays: so does what it names.
    fn keep(&mut self, revision: &mut Revision) {
        let Some(canonical) = revision.canonical else { return };
        self.manifests += 1;
        self.contents.insert(&canonical);
        // An old link to it is among those to layers.
        self.named.insert(&revision.name);
        self.named.insert_halves(&std::mem::take(&mut revision.named));
        revision.is_kept = true;
    }
}

/// A link to a manifest, and what has to be known of the manifest until it is known which of them stay: of all of a repository at
/// once, so that it is little.
struct Revision {
    name: Digest,
    modified: SystemTime,
    /// None where it can't be made out.
    canonical: Option<Digest>,
    subject: Option<Digest>,
    manifests: Box<[Half]>,
    /// All that it names; nothing any more once that is marked.
    named: Box<[Half]>,
    is_kept: bool,
}

impl Revision {
    fn new(name: Digest, modified: SystemTime, manifest: Option<&Manifest>) -> Self {
        Self {
            name,
            modified,
            canonical: manifest.map(|manifest| manifest.descriptor().digest),
            subject: manifest.and_then(Manifest::subject).map(|subject| subject.digest),
            manifests: manifest.iter().flat_map(|manifest| manifest.manifests()).map(|one| half(&one.digest)).collect(),
            named: manifest.iter().flat_map(|manifest| manifest.references()).map(half).collect(),
            is_kept: false,
        }
    }

    fn names(&self) -> impl Iterator<Item = &Digest> {
        std::iter::once(&self.name).chain(&self.canonical)
    }
}

/// The manifests that stay whatever the others are about.
struct AskedFor<'a> {
    tagged: HashSet<Digest>,
    ages: &'a Ages<'a>,
}

impl AskedFor<'_> {
    fn include(&self, revision: &Revision) -> bool {
        let is_tagged = revision.names().any(|name| self.tagged.contains(name));
        let may_go = self.ages.options.delete_untagged && self.ages.is_old_without_tag(revision.modified);
        is_tagged || revision.canonical.is_none() || !may_go
    }
}

/// Finds what the manifests of a repository need, and lets go of those that nobody asks for any more.
///
/// Errors: Storage where nobody knows what is needed, so that nothing must be deleted.
pub(super) async fn mark(
    namespace: &Namespace,
    context: &Context,
    repository: &RepositoryName,
    ages: &Ages<'_>,
    sweep: &mut Sweep<'_, '_>,
) -> Result<Needed> {
    let mut needed = Needed::default();
    let (mut links, signatures) = links(namespace, context, repository).await?;
    let tagged = tagged(namespace, context, repository, sweep, &mut needed).await?;
    // Registries up to 2.1.0 had their links to manifests among those to layers: what a tag names can have such a one.
    for digest in &tagged {
        if !links.contains_key(digest) && is_linked(namespace, context, LinkSet::Layers, repository, digest).await? {
            links.insert(*digest, SystemTime::UNIX_EPOCH);
        }
    }
    signatures.iter().for_each(|signature| needed.contents.insert(signature));
    let asked_for = AskedFor { tagged, ages };
    let mut revisions = read(namespace, context, repository, links, sweep, &mut needed, &asked_for).await?;
    if ages.options.delete_untagged {
        let stays = staying(&revisions, &asked_for);
        for (revision, _) in revisions.iter_mut().zip(&stays).filter(|(revision, stays)| **stays && !revision.is_kept) {
            needed.keep(revision);
        }
        let leaving: Vec<_> =
            revisions.iter().zip(&stays).filter_map(|(revision, stays)| (!stays).then_some(revision)).collect();
        if !leaving.is_empty() {
            let names = leaving.iter().map(|revision| &revision.name).collect();
            let mut victims: Vec<_> = leaving.iter().flat_map(|revision| untagged(repository, revision)).collect();
            victims.extend(sweep.remembered(context, repository, &names).await?);
            sweep.delete(context, victims).await?;
        }
    }
    Ok(needed)
}

/// The links to manifests with the time at which they were written, and the signatures.
async fn links(
    namespace: &Namespace,
    context: &Context,
    repository: &RepositoryName,
) -> Result<(HashMap<Digest, SystemTime>, Vec<Digest>)> {
    let (mut links, mut signatures) = (HashMap::new(), Vec::new());
    let directory = Directory::Revisions(repository).path();
    let Some(mut listing) = list_if_any(namespace.storage(), context, &directory, ListOptions::recursive()).await?
    else {
        return Ok((links, signatures));
    };
    while let Some(entry) = listing.try_next().await? {
        let Some(info) = entry.as_file() else { continue };
        match Place::parse(&info.path) {
            Some(Place::Revision(_, digest)) => drop(links.insert(digest, info.modified)),
            Some(Place::Signature { signature, .. }) => signatures.push(signature),
            _ => {}
        }
    }
    Ok((links, signatures))
}

/// What the tags name.
async fn tagged(
    namespace: &Namespace,
    context: &Context,
    repository: &RepositoryName,
    sweep: &mut Sweep<'_, '_>,
    needed: &mut Needed,
) -> Result<HashSet<Digest>> {
    let tags = namespace.repository(repository.clone()).tags();
    let names = match tags.all(context).await {
        Ok(names) => names,
        Err(error) if error.is_unknown() => return Ok(HashSet::new()),
        Err(error) => return Err(error),
    };
    // What is asked side by side owns what it needs: else the whole would not be known to be Send.
    let read = stream::iter(names).map(|tag| {
        let (tags, context) = (tags.clone(), context.clone());
        async move { (tags.get(&context, &tag).await, tag) }
    });
    let mut read = read.buffered(AT_ONCE);
    let mut tagged = HashSet::new();
    while let Some((target, tag)) = read.next().await {
        match target {
            Ok(digest) => drop(tagged.insert(digest)),
            Err(error) if error.is_unknown() => {}
            Err(error @ Error::Damaged { .. }) => {
                // Nobody knows which manifest it names.
                needed.is_incomplete = true;
                sweep.problem(&Directory::Tag(repository, &tag).path(), &error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(tagged)
}

/// Reads the manifests. What a root names is marked at once.
async fn read(
    namespace: &Namespace,
    context: &Context,
    repository: &RepositoryName,
    links: HashMap<Digest, SystemTime>,
    sweep: &mut Sweep<'_, '_>,
    needed: &mut Needed,
    asked_for: &AskedFor<'_>,
) -> Result<Vec<Revision>> {
    let manifests = namespace.repository(repository.clone()).manifests();
    let read = stream::iter(links).map(|(name, modified)| {
        let (manifests, context) = (manifests.clone(), context.clone());
        async move { (name, modified, manifests.content(&context, &name).await) }
    });
    let mut read = read.buffer_unordered(AT_ONCE);
    let mut revisions = Vec::new();
    while let Some((name, modified, manifest)) = read.next().await {
        sweep.renew(context).await?;
        match manifest {
            Ok(manifest) => {
                let mut revision = Revision::new(name, modified, Some(&manifest));
                if asked_for.include(&revision) {
                    needed.keep(&mut revision);
                }
                if asked_for.ages.options.delete_untagged {
                    revisions.push(revision);
                }
            }
            // It was taken away meanwhile, with what it needs.
            Err(Error::BlobUnknown(_))
                if !is_linked(namespace, context, LinkSet::Revisions, repository, &name).await? => {}
            Err(
                error @ (Error::BlobUnknown(_)
                | Error::ManifestUnknown(..)
                | Error::ManifestInvalid(_)
                | Error::Damaged { .. }),
            ) => {
                needed.is_incomplete = true;
                sweep.problem(&LinkSet::Revisions.place(repository, &name).path(), &error);
                revisions.push(Revision::new(name, modified, None));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(revisions)
}

async fn is_linked(
    namespace: &Namespace,
    context: &Context,
    links: LinkSet,
    repository: &RepositoryName,
    name: &Digest,
) -> Result<bool> {
    let path = links.place(repository, name).path();
    match namespace.storage().stat(context, &path).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Which of the manifests stay: those with a tag, those too young to have one, those that cannot be made out; and with one that
/// stays those that it lists, and those that refer to it.
fn staying(revisions: &[Revision], asked_for: &AskedFor<'_>) -> Vec<bool> {
    let mut by_name: HashMap<Half, Vec<usize>> = HashMap::new();
    let mut referring: HashMap<Half, Vec<usize>> = HashMap::new();
    for (at, revision) in revisions.iter().enumerate() {
        for name in revision.names() {
            by_name.entry(half(name)).or_default().push(at);
        }
        if let Some(subject) = &revision.subject {
            referring.entry(half(subject)).or_default().push(at);
        }
    }
    let mut waiting: Vec<_> = (0..revisions.len()).filter(|at| asked_for.include(&revisions[*at])).collect();
    let mut stays = vec![false; revisions.len()];
    while let Some(at) = waiting.pop() {
        if std::mem::replace(&mut stays[at], true) {
            continue;
        }
        let revision = &revisions[at];
        let listed = revision.manifests.iter().filter_map(|name| by_name.get(name));
        // Another name of the same manifest stays with it.
        let own = revision.names().filter_map(|name| by_name.get(&half(name)));
        let referrers = revision.names().filter_map(|name| referring.get(&half(name)));
        waiting.extend(listed.chain(own).chain(referrers).flatten().copied());
    }
    stays
}

/// What goes with a manifest that nobody asks for.
fn untagged(repository: &RepositoryName, revision: &Revision) -> Vec<Victim> {
    let victim = |place: Place| Victim::new(place, "no tag names this manifest", 0);
    let mut victims = vec![victim(Place::Revision(repository.clone(), revision.name))];
    victims.extend(
        revision.subject.map(|subject| {
            victim(Place::Referrer { repository: repository.clone(), subject, referrer: revision.name })
        }),
    );
    victims
}
