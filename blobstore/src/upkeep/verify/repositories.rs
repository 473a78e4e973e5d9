//! The links, manifests and tags of a repository.

use std::sync::Arc;

use driver_api::{Context, ListOptions};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;

use super::Verified;
use super::contents::Contents;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::link;
use crate::listed::list_if_any;
use crate::marks::Marks;
use crate::names::RepositoryName;
use crate::namespace::Namespace;
use crate::upkeep::{Event, Listener};

/// How many links are followed at once.
const AT_ONCE: usize = 16;

/// What is known by now of one repository, so that nothing is asked for twice: the names of its blobs and of its manifests against
/// which nothing is known.
#[derive(Default)]
struct Good {
    blobs: Mutex<Marks>,
    manifests: Mutex<Marks>,
}

/// Follows links, each in a task that owns what it needs.
#[derive(Clone)]
struct Follower {
    namespace: Namespace,
    context: Context,
    contents: Arc<Contents>,
    good: Arc<Good>,
    repair: bool,
}

/// What became of a link.
#[derive(Default)]
struct Followed {
    /// Whether there was one.
    is_link: bool,
    is_manifest: bool,
    /// Whether it was not noted that it refers to another.
    is_unnoted: bool,
    /// What is wrong with it.
    broken: Option<String>,
}

impl Followed {
    fn to_nowhere(reason: String) -> Self {
        Self { is_link: true, broken: Some(reason), ..Self::default() }
    }
}

/// Follows all that leads from a repository to contents.
pub(super) async fn verify(
    namespace: &Namespace,
    context: &Context,
    repository: &RepositoryName,
    contents: &Arc<Contents>,
    repair: bool,
    verified: &mut Verified,
    listener: &mut Listener<'_>,
) -> Result<()> {
    let (namespace, context) = (namespace.clone(), context.clone());
    let follower = Follower { namespace, context, contents: contents.clone(), good: Arc::default(), repair };
    // The blobs first: manifests name them.
    for directory in [Directory::Layers(repository), Directory::Manifests(repository)] {
        follower.directory(&directory, verified, listener).await?;
    }
    Ok(())
}

impl Follower {
    async fn directory(
        &self,
        directory: &Directory<'_>,
        verified: &mut Verified,
        listener: &mut Listener<'_>,
    ) -> Result<()> {
        let storage = self.namespace.storage();
        let Some(mut listing) =
            list_if_any(storage, &self.context, &directory.path(), ListOptions::recursive()).await?
        else {
            return Ok(());
        };
        while let Some(page) = listing.next_page().await {
            let places: Vec<_> = page?.iter().filter_map(|entry| Place::parse(entry.path())).collect();
            let followed = stream::iter(places).map(|place| {
                let follower = self.clone();
                async move { (follower.follow(&place).await, place) }
            });
            let mut followed = followed.buffered(AT_ONCE);
            while let Some((followed, place)) = followed.next().await {
                match followed {
                    Ok(Followed { is_link, is_manifest, is_unnoted, broken }) => {
                        verified.links += u64::from(is_link);
                        verified.manifests += u64::from(is_manifest);
                        verified.unnoted += u64::from(is_unnoted);
                        let Some(reason) = broken else { continue };
                        verified.broken += 1;
                        let path = place.path();
                        listener(Event::Problem { path: &path, error: &Error::Damaged { path: path.clone(), reason } });
                    }
                    Err(error) => {
                        verified.problems += 1;
                        listener(Event::Problem { path: &place.path(), error: &error });
                    }
                }
            }
        }
        Ok(())
    }

    async fn follow(&self, place: &Place) -> Result<Followed> {
        // What a tag named once may be gone, and so may what refers to a manifest.
        if let Place::TagIndexEntry(..) | Place::Referrer { .. } = place {
            return Ok(Followed::default());
        }
        let target = match link::read(self.namespace.storage(), &self.context, place).await {
            Ok(Some(target)) => target,
            // It was taken away meanwhile.
            Ok(None) => return Ok(Followed::default()),
            Err(Error::Damaged { reason, .. }) => {
                return Ok(Followed { broken: Some(reason), ..Followed::default() });
            }
            Err(error) => return Err(error),
        };
        let broken = match place {
            Place::Tagged(repository, _) => self.tag(repository, &target).await?,
            Place::Revision(repository, name) => return self.manifest(repository, name).await,
            _ => self.content(&target).await?,
        };
        if let (Place::Layer(_, name), None) = (place, &broken) {
            self.good.blobs.lock().insert(name);
        }
        Ok(Followed { is_link: true, broken, ..Followed::default() })
    }

    /// What is wrong with a tag that names this.
    async fn tag(&self, repository: &RepositoryName, target: &Digest) -> Result<Option<String>> {
        if self.good.manifests.lock().contain(target) {
            return Ok(None);
        }
        let manifests = self.namespace.repository(repository.clone()).manifests();
        match manifests.stat(&self.context, target).await {
            Err(error) if error.is_unknown() => Ok(Some(format!("it names {target}, which is no manifest here"))),
            found => found.map(|_| None),
        }
    }

    /// What is wrong with a link that leads to this.
    async fn content(&self, target: &Digest) -> Result<Option<String>> {
        if self.contents.good.contain(target) {
            return Ok(None);
        }
        if self.contents.damaged.contain(target) {
            return Ok(Some(format!("it leads to {target}, which is damaged")));
        }
        // What has come since is not known yet.
        match self.namespace.storage().stat(&self.context, &Place::Blob(*target).path()).await {
            Err(error) if error.is_not_found() => Ok(Some(format!("it leads to {target}, which is missing"))),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(None),
        }
    }

    /// Whether a note of a manifest is missing; where it is to be repaired it is there afterwards.
    async fn is_unnoted(&self, note: Option<Place>, name: &Digest) -> Result<bool> {
        let Some(note) = note else { return Ok(false) };
        let storage = self.namespace.storage();
        match storage.stat(&self.context, &note.path()).await {
            Ok(_) => return Ok(false),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        if self.repair {
            link::write(storage, &self.context, &note, name).await?;
        }
        Ok(true)
    }

    async fn manifest(&self, repository: &RepositoryName, name: &Digest) -> Result<Followed> {
        let manifests = self.namespace.repository(repository.clone()).manifests();
        let is_known = |digest: &Digest, is_manifest: bool| {
            let good = if is_manifest { &self.good.manifests } else { &self.good.blobs };
            good.lock().contain(digest)
        };
        match manifests.check(&self.context, name, is_known).await {
            Ok(note) => {
                self.good.manifests.lock().insert(name);
                let is_unnoted = self.is_unnoted(note, name).await?;
                Ok(Followed { is_link: true, is_manifest: true, is_unnoted, broken: None })
            }
            Err(Error::ReferencesUnknown(missing)) => {
                let broken = Some(format!("it names what is not in its repository: {missing:?}"));
                Ok(Followed { is_link: true, is_manifest: true, broken, ..Followed::default() })
            }
            Err(error @ (Error::BlobUnknown(_) | Error::ManifestInvalid(_) | Error::Damaged { .. })) => {
                Ok(Followed::to_nowhere(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}
