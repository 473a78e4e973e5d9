//! Where a store is, for another process to open it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use driver_api::{Error, Storage};
use futures_util::future::BoxFuture;

type Make = Arc<dyn Fn() -> Result<Location, Error> + Send + Sync>;
type Open = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Storage, Error>> + Send + Sync>;

/// Where a store is: what another process needs to open it, such as a directory.
pub struct Location {
    name: String,
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

impl Location {
    /// The location with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), kept: Vec::new() }
    }

    /// Keeps `guard` until the location is dropped: a temporary directory, a server.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.kept.push(Box::new(guard));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.name).finish()
    }
}

/// How a target makes locations, and opens the stores that are there.
#[derive(Clone)]
pub(crate) struct Locations {
    pub(crate) make: Make,
    pub(crate) open: Open,
}
