//! The drivers of this build, each behind a cargo feature, and the parameters they take in a file.

use crate::factory::Factory;

/// Drivers of this project that a build can leave out, and the other names of them.
pub(crate) const KNOWN: &[&str] = &["filesystem", "inmemory", "s3", "s3aws", "azure"];

impl Factory {
    /// The drivers of this build.
    pub fn builtin() -> Self {
        let factory = Self::empty();
        #[cfg(feature = "filesystem")]
        let factory = factory.with("filesystem", filesystem::open);
        #[cfg(feature = "inmemory")]
        let factory = factory.with("inmemory", inmemory::open);
        factory
    }
}

#[cfg(feature = "filesystem")]
mod filesystem {
    use std::path::PathBuf;

    use driver_api::{Result, Storage};
    use driver_filesystem::{FilesystemDriver, FilesystemDurability, FilesystemOptions};
    use serde::Deserialize;

    /// Parameters of `filesystem`.
    #[derive(Debug, Clone, Deserialize)]
    #[serde(default)]
    pub(super) struct Parameters {
        /// The directory that holds the store.
        rootdirectory: PathBuf,
        /// The most operations that use the disk at once. As for the ancestor, less than 25 counts as 25.
        maxthreads: i64,
        durability: Durability,
    }

    #[derive(Debug, Clone, Copy, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Durability {
        #[default]
        Full,
        Process,
    }

    impl Default for Parameters {
        fn default() -> Self {
            Self { rootdirectory: "/var/lib/registry".into(), maxthreads: 100, durability: Durability::Full }
        }
    }

    pub(super) async fn open(parameters: Parameters) -> Result<Storage> {
        let mut options = FilesystemOptions::new(parameters.rootdirectory);
        options.max_threads = usize::try_from(parameters.maxthreads).unwrap_or(FilesystemOptions::MIN_THREADS);
        options.durability = match parameters.durability {
            Durability::Full => FilesystemDurability::Full,
            Durability::Process => FilesystemDurability::Process,
        };
        Ok(Storage::new(FilesystemDriver::new(options)?))
    }
}

#[cfg(feature = "inmemory")]
mod inmemory {
    use driver_api::{Result, Storage};
    use driver_inmemory::{MemoryDriver, MemoryOptions};
    use serde::Deserialize;

    use crate::values::ByteSize;

    /// Parameters of `inmemory`.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Parameters {
        /// The most bytes of content; past it a write fails as on a full disk. No limit where none is given.
        maxbytes: Option<ByteSize>,
    }

    pub(super) async fn open(parameters: Parameters) -> Result<Storage> {
        let max_bytes = parameters.maxbytes.map(|ByteSize(limit)| limit);
        Ok(Storage::new(MemoryDriver::new(MemoryOptions { max_bytes })))
    }
}
