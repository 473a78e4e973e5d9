//! Looking for damage: contents that are not what their digest says, and links and manifests that lead nowhere.

mod contents;
mod repositories;

use std::sync::Arc;

use driver_api::Context;

use super::{Event, Listener};
use crate::digest::Digest;
use crate::error::Result;
use crate::namespace::Namespace;
use crate::walk::Walk;

/// What is looked at.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Read the contents behind this one only: where an earlier run came to.
    pub after: Option<Digest>,
    /// Move damaged contents out of the way, to `/blobstore/quarantine`: they are not there any more for those who read, and a
    /// push brings them back.
    pub quarantine: bool,
    /// Note what was not noted: that a manifest refers to another. Registries that do not list what refers to a manifest leave no
    /// such notes.
    pub repair: bool,
}

/// What there was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Contents that were read.
    pub blobs: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Links that were followed, tags included.
    pub links: u64,
    /// Manifests that were read.
    pub manifests: u64,
    /// Contents that are damaged.
    pub damaged: u64,
    /// Damaged contents that were moved out of the way.
    pub quarantined: u64,
    /// Links, tags and references of manifests that lead nowhere, or are damaged themselves.
    pub broken: u64,
    /// Manifests of which it was not noted that they refer to another, so that they were not listed there.
    pub unnoted: u64,
    /// What could not be looked at.
    pub problems: u64,
}

/// Reads every content, and follows every link, tag and reference. Each content that was found to be good is told with
/// [`Event::Checked`](super::Event::Checked), in the order of digests: where this is stopped, another run can go on.
///
/// Errors: Storage, where a listing could not be had.
pub async fn verify(
    namespace: &Namespace,
    context: &Context,
    options: &VerifyOptions,
    listener: &mut Listener<'_>,
) -> Result<Verified> {
    let mut verified = Verified::default();
    let contents = contents::verify(namespace.storage(), context, options, &mut verified, listener).await?;
    let contents = Arc::new(contents);
    let mut walk = Walk::behind(namespace.storage().clone(), None);
    while let Some(repository) = walk.next(context).await? {
        listener(Event::Repository(&repository));
        let repair = options.repair;
        repositories::verify(namespace, context, &repository, &contents, repair, &mut verified, listener).await?;
    }
    Ok(verified)
}
