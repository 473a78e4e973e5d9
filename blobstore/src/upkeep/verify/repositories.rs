//! The links, manifests and tags of a repository.

use driver_api::{Context, ListOptions};

use super::Verified;
use super::contents::Contents;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::layout::{Directory, Place};
use crate::link;
use crate::listed::list_if_any;
use crate::names::RepositoryName;
use crate::namespace::Namespace;
use crate::upkeep::{Event, Listener};

/// Follows all that leads from a repository to contents.
pub(super) async fn verify(
    namespace: &Namespace,
    context: &Context,
    repository: &RepositoryName,
    contents: &Contents,
    verified: &mut Verified,
    listener: &mut Listener<'_>,
) -> Result<()> {
    for directory in [Directory::Layers(repository), Directory::Manifests(repository)] {
        let Some(mut listing) =
            list_if_any(namespace.storage(), context, &directory.path(), ListOptions::recursive()).await?
        else {
            continue;
        };
        while let Some(page) = listing.next_page().await {
            for place in page?.iter().filter_map(|entry| Place::parse(entry.path())) {
                match follow(namespace, context, &place, contents, verified).await {
                    Ok(None) => {}
                    Ok(Some(reason)) => {
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
    }
    Ok(())
}

/// What is wrong with a link, if anything.
async fn follow(
    namespace: &Namespace,
    context: &Context,
    place: &Place,
    contents: &Contents,
    verified: &mut Verified,
) -> Result<Option<String>> {
    // What a tag named once may be gone, and so may what refers to a manifest.
    if let Place::TagIndexEntry(..) | Place::Referrer { .. } = place {
        return Ok(None);
    }
    let target = match link::read(namespace.storage(), context, place).await {
        Ok(Some(target)) => target,
        // It was taken away meanwhile.
        Ok(None) => return Ok(None),
        Err(Error::Damaged { reason, .. }) => return Ok(Some(reason)),
        Err(error) => return Err(error),
    };
    verified.links += 1;
    match place {
        Place::Tagged(repository, _) => {
            let manifests = namespace.repository(repository.clone()).manifests();
            match manifests.stat(context, &target).await {
                Err(error) if error.is_unknown() => Ok(Some(format!("it names {target}, which is no manifest here"))),
                found => found.map(|_| None),
            }
        }
        Place::Revision(repository, name) => manifest(namespace, context, repository, name, verified).await,
        _ if contents.good.contain(&target) => Ok(None),
        _ if contents.damaged.contain(&target) => Ok(Some(format!("it leads to {target}, which is damaged"))),
        // What has come since is not known yet.
        _ => match namespace.storage().stat(context, &Place::Blob(target).path()).await {
            Err(error) if error.is_not_found() => Ok(Some(format!("it leads to {target}, which is missing"))),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(None),
        },
    }
}

/// What is wrong with a manifest, if anything.
async fn manifest(
    namespace: &Namespace,
    context: &Context,
    repository: &RepositoryName,
    name: &Digest,
    verified: &mut Verified,
) -> Result<Option<String>> {
    let manifests = namespace.repository(repository.clone()).manifests();
    match manifests.check(context, name).await {
        Ok(()) => {
            verified.manifests += 1;
            Ok(None)
        }
        Err(Error::ReferencesUnknown(missing)) => {
            verified.manifests += 1;
            Ok(Some(format!("it names what is not in its repository: {missing:?}")))
        }
        Err(error @ (Error::BlobUnknown(_) | Error::ManifestInvalid(_) | Error::Damaged { .. })) => {
            Ok(Some(error.to_string()))
        }
        Err(error) => Err(error),
    }
}
