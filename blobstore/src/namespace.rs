//! All repositories of a storage.

use std::sync::Arc;

use driver_api::{Context, Storage};

use crate::blob::GlobalBlobs;
use crate::cache::BlobDescriptorCache;
use crate::error::Result;
use crate::layout::Directory;
use crate::linked::Shared;
use crate::names::RepositoryName;
use crate::protection::Protection;
use crate::repository::Repository;
use crate::walk::Walk;

/// How a namespace behaves.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NamespaceOptions {
    /// What remembers the descriptors of blobs.
    pub cache: Option<Arc<dyn BlobDescriptorCache>>,
    /// Whether anything may be deleted.
    pub delete_enabled: bool,
}

/// The repositories of a storage. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use blobstore::blob::{BlobIngester, BlobProvider};
/// use blobstore::{Namespace, NamespaceOptions};
/// use driver_api::{Context, Storage};
/// let storage = Storage::new(driver_inmemory::MemoryDriver::default());
/// let (namespace, context) = (Namespace::new(storage, NamespaceOptions::default()), Context::background());
/// let blobs = namespace.repository("library/hello".parse()?).blobs();
/// let descriptor = blobs.put(&context, "hello".into()).await?;
/// assert_eq!(blobs.get(&context, &descriptor.digest, 100).await?, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Namespace {
    shared: Arc<Shared>,
}

impl Namespace {
    /// The repositories in `storage`.
    pub fn new(storage: Storage, options: NamespaceOptions) -> Self {
        let shared = Shared {
            protection: Protection::new(storage.clone()),
            blobs: GlobalBlobs::new(storage),
            uploads: Default::default(),
            cache: options.cache,
            delete_enabled: options.delete_enabled,
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The storage below.
    pub fn storage(&self) -> &Storage {
        self.shared.blobs.storage()
    }

    /// The repository of that name, whether or not it exists.
    pub fn repository(&self, name: RepositoryName) -> Repository {
        Repository::new(self.shared.clone(), name)
    }

    /// Begins to list the repositories that have manifests, behind `last` if one is given. They come in the order of their names
    /// with a `/` behind each: `a-b`, `a-b/c`, `a`, `a/b`.
    pub fn repositories(&self, last: Option<&RepositoryName>) -> Repositories {
        Repositories { walk: Walk::behind(self.storage().clone(), last) }
    }
}

/// Repositories, one after the other: one listing for each, and none for what is not taken.
#[derive(Debug)]
pub struct Repositories {
    walk: Walk,
}

impl Repositories {
    /// The next repository; none at the end.
    pub async fn next(&mut self, context: &Context) -> Result<Option<RepositoryName>> {
        while let Some(name) = self.walk.next(context).await? {
            if self.walk.has(context, &Directory::Manifests(&name)).await? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
