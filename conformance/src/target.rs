//! A backend under test: where instances with an empty store come from, and what else its author can show of it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use driver_api::layers::Prefix;
use driver_api::{Context, DeleteOptions, Error, ErrorKind, Storage, StorageDriver, StoragePath};
use futures_util::future::{BoxFuture, FutureExt};

use crate::location::{Location, Locations};

type Make = Arc<dyn Fn() -> BoxFuture<'static, Result<Instance, Error>> + Send + Sync>;
type Leftovers = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<String>, Error>> + Send + Sync>;
type Reopen = Arc<dyn Fn() -> BoxFuture<'static, Result<Storage, Error>> + Send + Sync>;
type Plant = Arc<dyn Fn(StoragePath) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// A backend under test.
#[derive(Clone)]
pub struct Target {
    name: String,
    selection: Option<String>,
    source: Source,
    locations: Option<Locations>,
}

/// Where instances come from.
#[derive(Clone)]
enum Source {
    /// Each has a backend of its own.
    Made(Make),
    /// All share one, each within a directory of its own.
    Shared(Shared),
}

#[derive(Clone)]
struct Shared {
    storage: Storage,
    reopen: Option<Reopen>,
    /// The directory of this run.
    directory: StoragePath,
    instances: Arc<AtomicU64>,
}

impl Shared {
    /// A directory that nothing is in.
    fn prefix(&self) -> Result<StoragePath, Error> {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        Ok(self.directory.child(&number.to_string())?)
    }

    /// The store in the directory `location`, by another driver value where there is a way to have one.
    async fn open(&self, location: &str) -> Result<Storage, Error> {
        let prefix = Prefix::new(StoragePath::parse(location)?);
        let storage = match &self.reopen {
            Some(reopen) => reopen().await?,
            None => self.storage.clone(),
        };
        Ok(storage.layered(prefix))
    }

    fn instance(&self) -> Result<Instance, Error> {
        let prefix = self.prefix()?;
        let within = Prefix::new(prefix.clone());
        let reopen = self.reopen.clone().map(|reopen| -> Reopen {
            let within = within.clone();
            Arc::new(move || {
                let (storage, within) = (reopen(), within.clone());
                async move { Ok(storage.await?.layered(within)) }.boxed()
            })
        });
        Ok(Instance { prefix, reopen, ..Instance::over(self.storage.layered(within)) })
    }
}

impl Target {
    /// A backend of which `make` gives a driver, or an [`Instance`], with an empty store of its own at every call.
    ///
    /// ```
    /// # use driver_inmemory::MemoryDriver;
    /// let target = conformance::Target::new("memory", || async { MemoryDriver::default() });
    /// assert_eq!(target.name(), "memory");
    /// ```
    pub fn new<M, F, I>(name: impl Into<String>, make: M) -> Self
    where
        M: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = I> + Send + 'static,
        I: Into<Instance>,
    {
        Self::fallible(name, move || {
            let instance = make();
            async move { Ok::<_, Error>(instance.await) }
        })
    }

    /// The same, where making an instance can fail.
    pub fn fallible<M, F, I, E>(name: impl Into<String>, make: M) -> Self
    where
        M: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<I, E>> + Send + 'static,
        I: Into<Instance>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let make = move || {
            let instance = make();
            async move { instance.await.map(Into::into).map_err(not_made) }.boxed()
        };
        Self { name: name.into(), selection: None, source: Source::Made(Arc::new(make)), locations: None }
    }

    /// A backend that all instances share, each within a directory of its own below `/conformance-RUN`. Nothing else in
    /// the backend is touched, and [`clean_up`](Self::clean_up) removes what a run left.
    pub fn shared(storage: Storage) -> Result<Self, Error> {
        let run = fastrand::u64(..) & 0xffff_ffff_ffff;
        let directory = StoragePath::parse(&format!("/conformance-{run:012x}"))?;
        let name = storage.name().to_owned();
        let shared = Shared { storage, reopen: None, directory, instances: Arc::default() };
        Ok(Self { name, selection: None, source: Source::Shared(shared), locations: None })
    }

    /// The same target, with a way to open a shared backend again: another driver value, as another process would have it.
    /// For other targets, [`Instance::with_reopen`] is the way.
    #[must_use]
    pub fn with_reopen<F>(mut self, reopen: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Storage, Error>> + Send + 'static,
    {
        if let Source::Shared(shared) = &mut self.source {
            shared.reopen = Some(Arc::new(move || reopen().boxed()));
        }
        self
    }

    /// The same target with stores that several processes can open, for the drills [`Crash`](crate::Drill::Crash) and
    /// [`Cluster`](crate::Drill::Cluster): `make` gives the location of an empty one, and `open` opens the one at a location.
    /// A shared backend has this by itself.
    ///
    /// ```no_run
    /// # use conformance::{Location, Target};
    /// # use driver_api::{Error, Storage};
    /// # use driver_inmemory::MemoryDriver as Driver;
    /// # fn open(_: &str) -> Driver { Driver::default() }
    /// # let target = Target::new("mine", || async { Driver::default() });
    /// let target = target.with_locations(
    ///     || {
    ///         let directory = tempfile::tempdir()?;
    ///         Ok(Location::new(directory.path().to_string_lossy()).keeping(directory))
    ///     },
    ///     |location| async move { Ok(Storage::new(open(&location))) },
    /// );
    /// ```
    #[must_use]
    pub fn with_locations<F>(
        self,
        make: impl Fn() -> std::io::Result<Location> + Send + Sync + 'static,
        open: impl Fn(String) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Storage, Error>> + Send + 'static,
    {
        let make = Arc::new(move || make().map_err(not_made));
        Self { locations: Some(Locations { make, open: Arc::new(move |location| open(location).boxed()) }), ..self }
    }

    /// The same target under another name, which reports use.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The same target with the arguments that select it, such as `--driver memory`, for the commands that repeat failures.
    #[must_use]
    pub fn selected_by(self, arguments: impl Into<String>) -> Self {
        Self { selection: Some(arguments.into()), ..self }
    }

    pub(crate) fn selection(&self) -> Option<&str> {
        self.selection.as_deref()
    }

    /// The name that reports use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An instance with an empty store of its own.
    pub async fn fresh(&self) -> Result<Instance, Error> {
        match &self.source {
            Source::Made(make) => make().await,
            Source::Shared(shared) => shared.instance(),
        }
    }

    /// Where an empty store is that other processes can open; none where the target has no hook for it.
    pub(crate) fn location(&self) -> Option<Result<Location, Error>> {
        match (&self.source, &self.locations) {
            (_, Some(locations)) => Some((locations.make)()),
            (Source::Shared(shared), None) => Some(shared.prefix().map(|prefix| Location::new(prefix.as_str()))),
            (Source::Made(_), None) => None,
        }
    }

    /// The store at a location, as another driver value.
    pub(crate) async fn open(&self, location: &str) -> Result<Storage, Error> {
        match (&self.source, &self.locations) {
            (_, Some(locations)) => (locations.open)(location.to_owned()).await,
            (Source::Shared(shared), None) => shared.open(location).await,
            (Source::Made(_), None) => Err(Error::unsupported("shared")),
        }
    }

    /// Removes all that this run left in a shared backend.
    pub async fn clean_up(&self) -> Result<(), Error> {
        let Source::Shared(shared) = &self.source else { return Ok(()) };
        match shared.storage.delete(&Context::background(), &shared.directory, DeleteOptions::tree()).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn not_made(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    match cause.downcast::<Error>() {
        Ok(error) => *error,
        Err(cause) => {
            Error::new(ErrorKind::Misconfigured, format!("no instance could be made: {cause}")).with_source(cause)
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A driver over an empty store of its own, with what its author can show of it. Any driver is one; hooks make more of the
/// contract visible.
///
/// ```no_run
/// # use conformance::Instance;
/// # fn open(_: &std::path::Path) -> driver_inmemory::MemoryDriver { driver_inmemory::MemoryDriver::default() }
/// # let root = std::env::temp_dir();
/// let instance = Instance::new(open(&root))
///     .with_reopen({ let root = root.clone(); move || open(&root) })
///     .keeping(root);
/// ```
pub struct Instance {
    storage: Storage,
    /// Where in the backend the store is; `/` where it is all of it.
    prefix: StoragePath,
    reopen: Option<Reopen>,
    leftovers: Option<Leftovers>,
    plant: Option<Plant>,
    secrets: Vec<String>,
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

impl Instance {
    /// An instance of `driver`.
    pub fn new(driver: impl StorageDriver) -> Self {
        Self::over(Storage::new(driver))
    }

    /// An instance that is reached by this handle.
    pub fn over(storage: Storage) -> Self {
        Self {
            storage,
            prefix: StoragePath::root(),
            reopen: None,
            leftovers: None,
            plant: None,
            secrets: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// With a way to open the same store again: another driver value, as another process would have it.
    #[must_use]
    pub fn with_reopen<D: StorageDriver>(self, reopen: impl Fn() -> D + Send + Sync + 'static) -> Self {
        let reopen = move || {
            let storage = Storage::new(reopen());
            async move { Ok(storage) }.boxed()
        };
        Self { reopen: Some(Arc::new(reopen)), ..self }
    }

    /// With a look behind the driver: whatever is in the backend and should not be when the store is empty, one line each.
    /// Partial files, open uploads, staged blocks; not what the driver keeps for good, such as its root.
    #[must_use]
    pub fn with_leftovers<F>(self, leftovers: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<String>, Error>> + Send + 'static,
    {
        Self { leftovers: Some(Arc::new(move || leftovers().boxed())), ..self }
    }

    /// With a way to put foreign entries into a directory, past the driver: names that are no valid component, markers of
    /// directories, links that dangle or loop. `plant` is given a directory that exists.
    #[must_use]
    pub fn with_foreign_entries<F>(self, plant: impl Fn(StoragePath) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self { plant: Some(Arc::new(move |directory| plant(directory).boxed())), ..self }
    }

    /// With what no output may hold: passwords, keys, tokens of the configuration.
    #[must_use]
    pub fn with_secrets(mut self, secrets: impl IntoIterator<Item = String>) -> Self {
        self.secrets.extend(secrets);
        self
    }

    /// Keeps `guard` until the instance is dropped: a temporary directory, a server.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.kept.push(Box::new(guard));
        self
    }

    /// The handle over the driver.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Where in the backend the store is; `/` where it is all of it. Paths can be so much shorter.
    pub fn prefix(&self) -> &StoragePath {
        &self.prefix
    }

    /// Another driver value on the same store; none where the target has no hook for it.
    pub async fn reopen(&self) -> Option<Result<Storage, Error>> {
        match &self.reopen {
            Some(reopen) => Some(reopen().await),
            None => None,
        }
    }

    /// What is in the backend and should not be; none where the target has no hook for it.
    pub async fn leftovers(&self) -> Option<Result<Vec<String>, Error>> {
        match &self.leftovers {
            Some(leftovers) => Some(leftovers().await),
            None => None,
        }
    }

    /// What no output may hold.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Puts foreign entries into `directory`; none where the target has no hook for it.
    pub async fn plant(&self, directory: &StoragePath) -> Option<Result<(), Error>> {
        match &self.plant {
            Some(plant) => Some(plant(directory.clone()).await),
            None => None,
        }
    }
}

impl<D: StorageDriver> From<D> for Instance {
    fn from(driver: D) -> Self {
        Self::new(driver)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("storage", &self.storage).finish_non_exhaustive()
    }
}
