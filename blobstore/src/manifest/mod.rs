//! Manifests: what an image is made of, byte by byte as it was pushed.

mod parse;
mod schema1;
mod store;

use bytes::Bytes;

pub use self::store::{Manifests, Pushed, ReferrerPage};
use crate::descriptor::{Descriptor, Reference};
use crate::digest::Digest;

/// The most bytes that a manifest may have.
pub const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// The media types of manifests.
pub mod media_type {
    /// An image of OCI.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An index of OCI.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image of Docker.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A list of images of Docker, one for each platform.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// An image of Docker's first schema, with its signatures.
    pub const DOCKER_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    /// An image of Docker's first schema.
    pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
}

/// What a manifest is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An image: a configuration and layers.
    Image,
    /// Several manifests.
    Index,
    /// An image of Docker's first schema: layers, and what was run to make them. Such manifests are read and served, and no
    /// longer taken.
    Schema1,
}

/// A manifest: its bytes, and what was read from them.
#[derive(Debug, Clone)]
pub struct Manifest {
    content: Bytes,
    descriptor: Descriptor,
    kind: Kind,
    blobs: Vec<Reference>,
    manifests: Vec<Reference>,
    subject: Option<Reference>,
    about: Reference,
}

impl Manifest {
    /// Its bytes, as they came.
    pub fn content(&self) -> &Bytes {
        &self.content
    }

    /// Its canonical descriptor.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What it is about.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The blobs that it names: the configuration first, then the layers from the lowest up.
    pub fn blobs(&self) -> &[Reference] {
        &self.blobs
    }

    /// The manifests that it names.
    pub fn manifests(&self) -> &[Reference] {
        &self.manifests
    }

    /// The manifest that it refers to: one that need not exist, and is not needed to use this one.
    pub fn subject(&self) -> Option<&Reference> {
        self.subject.as_ref()
    }

    /// How it is listed among those that refer to its subject.
    pub fn about(&self) -> &Reference {
        &self.about
    }

    /// All that it needs to be of use: everything it names but its subject.
    pub fn references(&self) -> impl Iterator<Item = &Digest> {
        self.blobs.iter().chain(&self.manifests).map(|reference| &reference.digest)
    }
}
