//! The backends of the matrix: what each is, and how it comes up.

mod crates;
mod directory;
mod drivers;
mod moto;
mod s3;
mod s3s_fs;
mod services;

use std::any::Any;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::ValueEnum;
use conformance::{Options, Target};

use crate::versions::locked;

/// How long the random checks of a store in memory are repeated.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a backend did not come up.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A backend of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// This project's filesystem driver
    Filesystem,
    /// This project's memory driver
    Inmemory,
    /// OpenDAL's service fs as it comes
    OpendalFs,
    /// OpenDAL's service fs with a directory for temporary files
    OpendalFsAtomic,
    /// OpenDAL's service memory
    OpendalMemory,
    /// object_store's LocalFileSystem
    ObjectStoreLocal,
    /// object_store's LocalFileSystem, in which files are moved by copy and delete
    ObjectStoreLocalCopy,
    /// object_store's InMemory
    ObjectStoreMemory,
    /// object_store's InMemory, whose rename is taken for one step
    ObjectStoreMemoryAtomic,
    /// Garage, behind this project's S3 driver
    Garage,
    /// Azurite, behind this project's Azure driver
    Azurite,
    /// s3s-fs, behind this project's S3 driver
    S3sFs,
    /// moto, behind this project's S3 driver
    Moto,
}

/// A backend that is up, for as long as this value lives.
pub struct Opened {
    /// What the suite runs on.
    pub target: Target,
    _kept: Box<dyn Any + Send>,
}

impl Opened {
    fn new(target: Target) -> Self {
        Self::keeping(target, ())
    }

    fn keeping(target: Target, kept: impl Any + Send) -> Self {
        Self { target, _kept: Box::new(kept) }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Backend {
    /// The name by which the command line knows it.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it is, in a line.
    pub fn description(self) -> String {
        self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }

    /// Its name and version, as its makers write it.
    pub fn version(self) -> String {
        let of_crate = |name: &str| format!("{name} {}", locked(name).unwrap_or("of an unknown version"));
        match self {
            Self::Filesystem => of_crate("driver-filesystem"),
            Self::Inmemory => of_crate("driver-inmemory"),
            Self::OpendalFs | Self::OpendalFsAtomic | Self::OpendalMemory => of_crate("opendal"),
            Self::ObjectStoreLocal
            | Self::ObjectStoreLocalCopy
            | Self::ObjectStoreMemory
            | Self::ObjectStoreMemoryAtomic => of_crate("object_store"),
            Self::S3sFs => of_crate("s3s-fs"),
            Self::Garage => services::version("garage"),
            Self::Azurite => services::version("azurite"),
            Self::Moto => moto::version(),
        }
    }

    /// The options it is run with, where nobody chose others. The calls of a store in memory are so short that they meet only
    /// where no other check runs beside them, and even then seldom.
    pub fn adapted(self, options: &Options) -> Options {
        let mut options = options.clone();
        let in_memory = [Self::Inmemory, Self::OpendalMemory, Self::ObjectStoreMemory, Self::ObjectStoreMemoryAtomic];
        if in_memory.contains(&self) {
            options.jobs.get_or_insert(NonZeroUsize::MIN);
            options.repeat_for.get_or_insert(PATIENCE);
        }
        options
    }

    /// Brings it up.
    pub async fn open(self) -> Result<Opened, Failure> {
        let opened = match self {
            Self::Filesystem => drivers::filesystem(),
            Self::Inmemory => drivers::memory(),
            Self::OpendalFs => crates::opendal_fs(directory::Staging::None),
            Self::OpendalFsAtomic => crates::opendal_fs(directory::Staging::Aside),
            Self::OpendalMemory => crates::opendal_memory(),
            Self::ObjectStoreLocal => crates::object_store_local(crate::bridge::Moves::Rename),
            Self::ObjectStoreLocalCopy => crates::object_store_local(crate::bridge::Moves::CopyThenDelete),
            Self::ObjectStoreMemory => crates::object_store_memory(driver_api::MoveLevel::CopyThenDelete),
            Self::ObjectStoreMemoryAtomic => crates::object_store_memory(driver_api::MoveLevel::Atomic),
            Self::Garage => services::garage()?,
            Self::Azurite => services::azurite()?,
            Self::S3sFs => s3s_fs::open().await?,
            Self::Moto => moto::open().await?,
        };
        let target = opened.target.named(self.name()).selected_by(format!("--backend {}", self.name()));
        Ok(Opened { target, ..opened })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_is_told_by_name_version_and_a_line() {
        for backend in Backend::value_variants() {
            assert!(!backend.name().is_empty() && !backend.description().is_empty(), "{backend:?}");
            assert!(backend.version().contains(' '), "{}", backend.version());
        }
    }
}
