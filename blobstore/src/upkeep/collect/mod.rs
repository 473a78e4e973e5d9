//! Collection of garbage: contents and links that no manifest names any more.
//!
//! First, for each repository, everything is marked that its manifests name; then its links that are not, and last the contents that
//! no repository needs. What is younger than the grace period is left alone: somebody may be about to name it. How this is safe
//! while others push is told in the module `protection`.
//!
//! In memory there is half a digest for each content that is needed, and one repository's marks at a time.

mod mark;
mod sweep;

use std::time::{Duration, SystemTime};

use driver_api::Context;

use self::mark::mark;
use self::sweep::Sweep;
use super::{Event, Listener};
use crate::error::Result;
use crate::marks::Marks;
use crate::namespace::Namespace;
use crate::protection::LONGEST_REQUEST;
use crate::walk::Walk;

/// What is collected.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CollectOptions {
    /// What is younger than this is left alone.
    pub grace: Duration,
    /// Take manifests away that no tag names, no index lists, and that do not refer to one that stays.
    pub delete_untagged: bool,
    /// Tell what would go, and leave it.
    pub dry_run: bool,
    /// How old a manifest without a tag is at least. Only drills have it shorter: a push must have come to its tags by then.
    untagged_grace: Duration,
}

impl Default for CollectOptions {
    /// A day of grace; manifests without a tag stay.
    fn default() -> Self {
        let grace = Duration::from_secs(24 * 60 * 60);
        Self { grace, delete_untagged: false, dry_run: false, untagged_grace: LONGEST_REQUEST * 2 }
    }
}

impl CollectOptions {
    /// The same with another grace period.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// For drills, which cannot wait: manifests without a tag go at once, so that a push can lose its manifest between that and
    /// its tags.
    #[doc(hidden)]
    #[must_use]
    pub fn without_grace_for_untagged(mut self) -> Self {
        self.untagged_grace = Duration::ZERO;
        self
    }
}

/// What a collection did, or would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Repositories that were looked at.
    pub repositories: u64,
    /// Manifests that stay.
    pub manifests: u64,
    /// Contents that stay because a manifest or a young link names them.
    pub needed: u64,
    /// Links to manifests that went, for want of a tag.
    pub manifests_deleted: u64,
    /// Links to blobs that went.
    pub links_deleted: u64,
    /// Contents that went.
    pub blobs_deleted: u64,
    /// Bytes that became free.
    pub bytes_freed: u64,
    /// What was to go and was spared: a push had come to rely on it.
    pub spared: u64,
    /// What could not be looked at, or deleted. Whatever it may need stays.
    pub problems: u64,
}

/// Collects garbage.
///
/// Errors: Storage, where the collection could not go on. What it has deleted until then was garbage.
pub async fn collect(
    namespace: &Namespace,
    context: &Context,
    options: &CollectOptions,
    listener: &mut Listener<'_>,
) -> Result<Collected> {
    let storage = namespace.storage();
    let mut sweep = Sweep::begin(namespace, context, options.dry_run, listener).await?;
    let mut marks = Marks::default();
    let mut walk = Walk::behind(storage.clone(), None);
    let ages = Ages { now: sweep.started(), options };
    while let Some(repository) = walk.next(context).await? {
        sweep.renew(context).await?;
        sweep.tell(Event::Repository(&repository));
        let needed = mark(namespace, context, &repository, &ages, &mut sweep).await?;
        sweep.collected.repositories += 1;
        sweep.collected.manifests += needed.manifests;
        sweep.links(context, &repository, &ages, &needed, &mut marks).await?;
    }
    sweep.collected.needed = marks.len();
    sweep.blobs(context, &ages, &marks).await?;
    sweep.end(context).await
}

/// What is too young to go.
struct Ages<'a> {
    now: SystemTime,
    options: &'a CollectOptions,
}

impl Ages<'_> {
    /// Whether something may go that was written then. What has a time to come, by whatever clock, may not.
    fn is_old(&self, modified: SystemTime) -> bool {
        self.age(modified).is_some_and(|age| age >= self.options.grace)
    }

    /// Whether a manifest without a tag may go.
    fn is_old_without_tag(&self, modified: SystemTime) -> bool {
        self.age(modified).is_some_and(|age| age >= self.options.grace.max(self.options.untagged_grace))
    }

    fn age(&self, modified: SystemTime) -> Option<Duration> {
        self.now.duration_since(modified).ok()
    }
}
