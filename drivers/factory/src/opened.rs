//! What a constructor makes: the storage, and what can be done beside it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use driver_api::{Context, ListOptions, Result, Storage, StoragePath};

use crate::layers::LayerSettings;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;
type Check = Box<dyn Fn(Context) -> Answer<()> + Send + Sync>;
type Sweep = Box<dyn Fn(Context, Duration) -> Answer<Vec<Leftover>> + Send + Sync>;

/// An opened storage with what its driver can do that is no part of
/// [`StorageDriver`](driver_api::StorageDriver): say why a backend can't be used, and find what dead writers left.
///
/// A driver that has neither is a [`Storage`] alone, which a constructor returns as it is. One that has both:
///
/// ```
/// # use driver_api::{Context, Result, Storage};
/// # use driver_factory::{Leftover, Opened};
/// # #[derive(Clone)] struct Driver;
/// # impl Driver {
/// #     async fn ping(&self) -> Result<()> { Ok(()) }
/// #     async fn orphans(&self) -> Result<Vec<String>> { Ok(vec![]) }
/// #     async fn remove(&self, _: &str) -> Result<()> { Ok(()) }
/// # }
/// fn opened(driver: Driver, storage: Storage) -> Opened {
///     let sweeping = driver.clone();
///     Opened::new(storage)
///         .with_check(move |context| {
///             let driver = driver.clone();
///             async move { context.run(driver.ping()).await }
///         })
///         .with_sweep(move |_context, _age| {
///             let driver = sweeping.clone();
///             async move {
///                 let orphans = driver.orphans().await?.into_iter();
///                 Ok(orphans
///                     .map(|orphan| {
///                         let driver = driver.clone();
///                         Leftover::new(orphan.clone(), move || async move { driver.remove(&orphan).await })
///                     })
///                     .collect())
///             }
///         })
/// }
/// ```
pub struct Opened {
    storage: Storage,
    check: Option<Check>,
    sweep: Option<Sweep>,
    key_root: Option<String>,
}

impl Opened {
    /// A storage alone.
    pub fn new(storage: Storage) -> Self {
        Self { storage, check: None, sweep: None, key_root: None }
    }

    /// The same with a check: whether the backend can be used, in an error that says what to change. It is not repeated, and
    /// changes nothing.
    #[must_use]
    pub fn with_check<R>(mut self, check: impl Fn(Context) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Result<()>> + Send + 'static,
    {
        self.check = Some(Box::new(move |context| Box::pin(check(context))));
        self
    }

    /// The same with a sweep, which finds what writers that are gone left, and removes none of it. What a writer that may
    /// still live has begun counts once it is older than the given age; a driver that knows who lives passes the age over.
    #[must_use]
    pub fn with_sweep<R>(mut self, sweep: impl Fn(Context, Duration) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Result<Vec<Leftover>>> + Send + 'static,
    {
        self.sweep = Some(Box::new(move |context, age| Box::pin(sweep(context, age))));
        self
    }

    /// The same with what comes before a path in the keys of its bucket: who else reads the bucket has to know it. Neither begins
    /// nor ends with `/`.
    #[must_use]
    pub fn with_key_root(mut self, root: impl Into<String>) -> Self {
        self.key_root = Some(root.into());
        self
    }

    /// What comes before a path in the keys of the bucket, the prefixes of the layers included; none where there is no bucket.
    pub fn key_root(&self) -> Option<&str> {
        self.key_root.as_deref()
    }

    /// The storage with its layers.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The storage with its layers, and nothing beside it.
    pub fn into_storage(self) -> Storage {
        self.storage
    }

    /// Looks whether the backend can be used. A driver without a check of its own is asked for a page of `/`.
    ///
    /// Errors: what is wrong and what to change.
    pub async fn check(&self, context: &Context) -> Result<()> {
        if let Some(check) = &self.check {
            return check(context.clone()).await;
        }
        let mut listing = self.storage.list(context, &StoragePath::root(), ListOptions::default()).await?;
        listing.next_page().await.transpose().map(drop)
    }

    /// What writers that are gone left, as far as it is older than `age`; none where the driver has no sweep.
    pub async fn leftovers(&self, context: &Context, age: Duration) -> Option<Result<Vec<Leftover>>> {
        let sweep = self.sweep.as_ref()?;
        Some(sweep(context.clone(), age).await)
    }

    pub(crate) fn layered(mut self, layers: &[LayerSettings]) -> Self {
        for layer in layers {
            self.storage = layer.apply(&self.storage);
            if let (LayerSettings::Prefix(prefix), Some(root)) = (layer, &mut self.key_root) {
                let separator = if root.is_empty() { "" } else { "/" };
                *root = format!("{root}{separator}{}", prefix.0.relative()).trim_end_matches('/').to_owned();
            }
        }
        self
    }
}

impl From<Storage> for Opened {
    fn from(storage: Storage) -> Self {
        Self::new(storage)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (has_check, has_sweep) = (self.check.is_some(), self.sweep.is_some());
        f.debug_struct("Opened")
            .field("storage", &self.storage.name())
            .field("has_check", &has_check)
            .field("has_sweep", &has_sweep)
            .finish()
    }
}

/// Something that a writer left which is gone: nobody will publish it, and it takes up room.
pub struct Leftover {
    description: String,
    since: Option<SystemTime>,
    remove: Box<dyn FnOnce() -> Answer<()> + Send>,
}

impl Leftover {
    /// What is told of it in one line, and how it is removed.
    pub fn new<R>(description: impl Into<String>, remove: impl FnOnce() -> R + Send + 'static) -> Self
    where
        R: Future<Output = Result<()>> + Send + 'static,
    {
        Self { description: description.into(), since: None, remove: Box::new(move || Box::pin(remove())) }
    }

    /// The same, begun at this time.
    #[must_use]
    pub fn begun(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// What it is, in one line.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// When it was begun, where that is known.
    pub fn since(&self) -> Option<SystemTime> {
        self.since
    }

    /// Removes it.
    pub async fn remove(self) -> Result<()> {
        (self.remove)().await
    }
}

impl fmt::Debug for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leftover")
            .field("description", &self.description)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
