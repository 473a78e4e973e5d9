//! What is done to a store, and how sequences of that are drawn.

use blobstore::{Algorithm, Digest};
use proptest::prelude::*;

use crate::contents::{CONTENTS, PLAIN};

/// One of each is below another, so that the delete of that one could take it along.
pub(crate) const REPOSITORIES: [&str; 3] = ["a", "a/b", "c"];

pub(crate) const TAGS: [&str; 3] = ["latest", "1.0", "1.0-rc"];

/// A content, by one of its names.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub(crate) content: usize,
    pub(crate) algorithm: Algorithm,
}

impl Name {
    pub(crate) fn digest(self) -> Digest {
        CONTENTS[self.content].name(self.algorithm)
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.algorithm, self.content)
    }
}

/// By which way a blob comes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Whole,
    Upload,
    Chunks,
}

type Repository = &'static str;
type Tag = &'static str;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    PushBlob(Repository, Name, Way),
    PushManifest(Repository, Name, Vec<Tag>),
    /// A manifest with all that it names, as clients push it.
    PushImage(Repository, Name, Tag),
    Tag(Repository, Name, Tag),
    Untag(Repository, Tag),
    DeleteBlob(Repository, Name),
    DeleteManifest(Repository, Name),
    DeleteRepository(Repository),
    Mount {
        from: Repository,
        to: Repository,
        name: Name,
    },
    /// Begins an upload and keeps half of it.
    Begin(Repository, usize),
    /// Goes on with one of the uploads that were begun, and makes it a blob; not where the digest is wrong.
    Finish {
        upload: usize,
        algorithm: Algorithm,
        wrong: bool,
    },
    Cancel(usize),
    Purge,
    Collect {
        untagged: bool,
        dry_run: bool,
    },
    Verify,
    Copy,
    Reopen {
        cached: bool,
    },
}

impl Step {
    /// The repository that it is about; none where it can change all.
    pub(crate) const fn repository(&self) -> Option<Repository> {
        match self {
            Self::PushBlob(repository, ..)
            | Self::PushManifest(repository, ..)
            | Self::PushImage(repository, ..)
            | Self::Tag(repository, ..)
            | Self::Untag(repository, ..)
            | Self::DeleteBlob(repository, ..)
            | Self::DeleteManifest(repository, ..)
            | Self::Mount { to: repository, .. }
            | Self::Begin(repository, ..) => Some(repository),
            _ => None,
        }
    }
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..=most)
}

fn step() -> impl Strategy<Value = Step> {
    let repository = || prop::sample::select(&REPOSITORIES);
    let tag = || prop::sample::select(&TAGS);
    let algorithm = || prop_oneof![3 => Just(Algorithm::Sha256), 1 => Just(Algorithm::Sha512)];
    let name_of = move |contents: std::ops::Range<usize>| {
        (contents, algorithm()).prop_map(|(content, algorithm)| Name { content, algorithm })
    };
    let all = CONTENTS.len();
    // The first manifest is a blob as well.
    let blob = move || name_of(0..PLAIN + 1);
    let manifest = move || name_of(PLAIN..all);
    let way = prop::sample::select(&[Way::Whole, Way::Upload, Way::Chunks]);
    prop_oneof![
        4 => (repository(), blob(), way).prop_map(|(repository, name, way)| Step::PushBlob(repository, name, way)),
        2 => (repository(), manifest(), prop::collection::vec(tag(), 0..3))
            .prop_map(|(repository, name, tags)| Step::PushManifest(repository, name, tags)),
        5 => (repository(), manifest(), tag()).prop_map(|(repository, name, tag)| Step::PushImage(repository, name, tag)),
        2 => (repository(), name_of(0..all), tag()).prop_map(|(repository, name, tag)| Step::Tag(repository, name, tag)),
        2 => (repository(), tag()).prop_map(|(repository, tag)| Step::Untag(repository, tag)),
        2 => (repository(), name_of(0..all)).prop_map(|(repository, name)| Step::DeleteBlob(repository, name)),
        2 => (repository(), name_of(0..all)).prop_map(|(repository, name)| Step::DeleteManifest(repository, name)),
        1 => repository().prop_map(Step::DeleteRepository),
        2 => (repository(), repository(), blob()).prop_map(|(from, to, name)| Step::Mount { from, to, name }),
        1 => (repository(), 0..PLAIN + 1).prop_map(|(repository, content)| Step::Begin(repository, content)),
        2 => (0..4_usize, algorithm(), prop::bool::weighted(0.3))
            .prop_map(|(upload, algorithm, wrong)| Step::Finish { upload, algorithm, wrong }),
        1 => (0..4_usize).prop_map(Step::Cancel),
        1 => Just(Step::Purge),
        3 => (any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(untagged, dry_run)| Step::Collect { untagged, dry_run }),
        1 => Just(Step::Verify),
        2 => Just(Step::Copy),
        2 => any::<bool>().prop_map(|cached| Step::Reopen { cached }),
    ]
}
