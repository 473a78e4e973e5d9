//! A registry as a configuration describes it, from its storage to its socket.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use blobstore::cache::{BlobDescriptorCache, CacheError, MemoryCache};
use blobstore::{Namespace, NamespaceOptions};
use driver_api::Storage;
use driver_api::layers::Metrics;
use driver_factory::{DescriptorCache, Settings};
use tokio::sync::watch;
use uuid::Uuid;

use crate::access::{AccessControl, AccessError};
#[cfg(feature = "redis")]
use crate::configuration::RedisFiles;
use crate::configuration::{Address, Configuration, Debug, Redis};
use crate::debug::{self, MetricsError};
use crate::health::{self, Health};
use crate::notifications::{Broadcaster, NotificationError, NotificationOptions, Notifier, Source};
use crate::redirects::{RedirectError, Redirects};
use crate::registry::{Registry, RegistryOptions};
use crate::server::{Bound, Server, ServerError, ServerOptions};
use crate::ticket::Secret;
use crate::upkeep::Upkeep;

/// Why a registry does not start.
#[derive(Debug)]
pub enum ServiceError {
    /// Its storage does not open.
    Storage(driver_api::Error),
    /// Its cache cannot be used.
    Cache(blobstore::cache::CacheError),
    /// `middleware.storage` has one that cannot be used.
    Redirects(RedirectError),
    /// Who may do what cannot be decided.
    Access(AccessError),
    /// Nobody can be told what is done.
    Notifications(NotificationError),
    /// What is to be checked cannot be.
    Health(String),
    /// Nothing can be counted.
    Metrics(MetricsError),
    /// The address for operators cannot be listened on.
    Debug(String, std::io::Error),
    /// Its socket does not open.
    Server(ServerError),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Cache(error) => error.fmt(f),
            Self::Redirects(error) => error.fmt(f),
            Self::Access(error) => error.fmt(f),
            Self::Notifications(error) => error.fmt(f),
            Self::Health(error) => write!(f, "health: {error}"),
            Self::Metrics(error) => error.fmt(f),
            Self::Debug(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Server(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(error) => error.source(),
            Self::Cache(error) => error.source(),
            Self::Redirects(error) => error.source(),
            Self::Access(error) => error.source(),
            Self::Notifications(error) => error.source(),
            Self::Metrics(error) => error.source(),
            Self::Debug(_, error) => error.source(),
            Self::Health(_) => None,
            Self::Server(error) => error.source(),
        }
    }
}

impl From<driver_api::Error> for ServiceError {
    fn from(error: driver_api::Error) -> Self {
        Self::Storage(error)
    }
}

impl From<ServerError> for ServiceError {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

/// A registry that is ready to be served.
#[derive(Debug)]
pub struct Service {
    server: Server,
    upkeep: Upkeep,
    debug: Option<debug::Server>,
    broadcaster: Option<Arc<Broadcaster>>,
    drain: Duration,
    // Checked until it is dropped.
    _watch: health::Watch,
}

impl Service {
    /// Opens everything that a configuration names. It needs a runtime.
    ///
    /// Errors: what cannot be opened, and why.
    pub async fn open(configuration: Configuration) -> Result<Self, ServiceError> {
        let Configuration { storage, http, redis, access, notifications, health, catalog_page, tags_page, .. } =
            configuration;
        let (driver, settings) = (storage.backend.name(), storage.settings);
        let access = AccessControl::open(access).await.map_err(ServiceError::Access)?;
        // Before the storage opens, whose metrics begin with it.
        let metrics = metrics(http.debug.as_ref())?;
        let opened = storage.backend.open_with_hooks().await?;
        let redirects = Redirects::new(&settings.middleware, opened.key_root()).map_err(ServiceError::Redirects)?;
        let storage = opened.into_storage();
        let storage = if metrics.is_some() { storage.layered(Metrics) } else { storage };
        let wellbeing = Health::new();
        let watch = wellbeing.watch(&health, Some((driver, storage.clone()))).map_err(ServiceError::Health)?;
        let namespace = namespace(storage, &settings, redis)?;
        let upkeep = Upkeep::new(namespace.clone(), &settings.maintenance);
        let broadcaster = broadcaster(&notifications, &http.address)?;
        let debug = debug_server(http.debug, &wellbeing, metrics, broadcaster.clone()).await?;
        let options = RegistryOptions {
            location: http.location,
            secret: http.secret.unwrap_or_else(secret_of_this_process),
            read_only: settings.maintenance.readonly.enabled,
            redirects: if settings.redirect.disable { None } else { Some(redirects) },
            catalog_page,
            tags_page,
            headers: http.headers,
            access,
            notifier: broadcaster.clone().map(|broadcaster| broadcaster as Arc<dyn Notifier>),
            health: Some(wellbeing),
            page: http.page,
            ..RegistryOptions::default()
        };
        let serving = ServerOptions { tls: http.tls, http2: http.http2, h2c: http.h2c, drain: http.drain };
        let server = Server::bind(Registry::new(namespace, options), &http.address, serving).await?;
        Ok(Self { server, upkeep, debug, broadcaster, drain: http.drain, _watch: watch })
    }

    /// Where it can be reached.
    pub fn bound(&self) -> Result<Bound, ServerError> {
        self.server.bound()
    }

    /// Where operators reach it; none where nothing is told.
    pub fn debug_address(&self) -> Option<SocketAddr> {
        self.debug.as_ref()?.address().ok()
    }

    /// Serves until `stop` is ready, and then ends what is at hand.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (ended, watched) = watch::channel(());
        let upkeep = tokio::spawn(self.upkeep.run(watched.clone()));
        let debug = self.debug.map(|debug| {
            let mut watched = watched;
            tokio::spawn(debug.run(async move {
                // An error is what it waits for: the other end is dropped.
                let _ = watched.changed().await;
            }))
        });
        self.server.run(stop).await;
        if let Some(broadcaster) = &self.broadcaster {
            broadcaster.stop(self.drain).await;
        }
        drop(ended);
        for task in std::iter::once(upkeep).chain(debug) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the registry failed");
            }
        }
    }
}

fn metrics(debug: Option<&Debug>) -> Result<Option<debug::Metrics>, ServiceError> {
    let wanted = debug.is_some_and(|debug| debug.metrics.is_some());
    wanted.then(debug::Metrics::install).transpose().map_err(ServiceError::Metrics)
}

fn broadcaster(options: &NotificationOptions, address: &Address) -> Result<Option<Arc<Broadcaster>>, ServiceError> {
    if options.endpoints.iter().all(|endpoint| endpoint.disabled) {
        return Ok(None);
    }
    let address = match address {
        Address::Tcp(address) => address.clone(),
        Address::Unix(path) => path.display().to_string(),
    };
    let source = Source { address, instance: Uuid::new_v4() };
    let started = Broadcaster::start(options, source).map_err(ServiceError::Notifications)?;
    Ok(Some(Arc::new(started)))
}

async fn debug_server(
    options: Option<Debug>,
    health: &Health,
    metrics: Option<debug::Metrics>,
    broadcaster: Option<Arc<Broadcaster>>,
) -> Result<Option<debug::Server>, ServiceError> {
    let Some(Debug { address, metrics: path }) = options else { return Ok(None) };
    let bound = debug::Server::bind(&address, health.clone()).await;
    let mut server = bound.map_err(|error| ServiceError::Debug(address, error))?;
    if let (Some(metrics), Some(path)) = (metrics, path) {
        server = server.with_metrics(metrics, &path);
    }
    if let Some(broadcaster) = broadcaster {
        server = server.with_notifications(broadcaster);
    }
    Ok(Some(server))
}

fn namespace(storage: Storage, settings: &Settings, redis: Option<Redis>) -> Result<Namespace, ServiceError> {
    let mut options = NamespaceOptions::default();
    options.delete_enabled = settings.delete.enabled;
    options.cache = match settings.cache {
        None => None,
        Some(DescriptorCache::InMemory { size }) => {
            let size = size.map_or(u64::MAX, std::num::NonZeroU64::get);
            Some(Arc::new(MemoryCache::new(size)) as Arc<dyn BlobDescriptorCache>)
        }
        // That there is a section was seen to when the file was read.
        Some(DescriptorCache::Redis) => redis.map(shared_cache).transpose()?,
    };
    Ok(Namespace::new(storage, options))
}

#[cfg(feature = "redis")]
fn shared_cache(redis: Redis) -> Result<Arc<dyn BlobDescriptorCache>, ServiceError> {
    use blobstore::cache::{RedisCache, RedisOptions};
    let limit = |timeout: Option<Duration>, default| timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(default);
    let mut options = RedisOptions::at(&redis.url.reveal()).map_err(ServiceError::Cache)?;
    options.tls = certificates(redis.tls)?;
    options.connect_timeout = limit(redis.connect_timeout, options.connect_timeout);
    options.answer_timeout = limit(redis.answer_timeout, options.answer_timeout);
    Ok(Arc::new(RedisCache::new(options).map_err(ServiceError::Cache)?))
}

#[cfg(feature = "redis")]
fn certificates(files: RedisFiles) -> Result<blobstore::cache::RedisTls, ServiceError> {
    let authorities = match files.authorities.as_slice() {
        [] => None,
        authorities => Some(read_all(authorities)?),
    };
    let client = match files.client {
        None => None,
        Some((certificate, key)) => Some((read_all(&[certificate])?, read_all(&[key])?)),
    };
    Ok(blobstore::cache::RedisTls { authorities, client })
}

/// Files, one behind the other: an authority may have one of its own.
#[cfg(feature = "redis")]
fn read_all(files: &[std::path::PathBuf]) -> Result<Vec<u8>, ServiceError> {
    let mut all = Vec::new();
    for path in files {
        let unreadable = |error| ServiceError::Cache(CacheError(format!("{}: {error}", path.display()).into()));
        all.extend(std::fs::read(path).map_err(unreadable)?);
        all.push(b'\n');
    }
    Ok(all)
}

#[cfg(not(feature = "redis"))]
fn shared_cache(_: Redis) -> Result<Arc<dyn BlobDescriptorCache>, ServiceError> {
    Err(ServiceError::Cache(CacheError("this program was built without Redis".into())))
}

fn secret_of_this_process() -> Secret {
    tracing::warn!(
        "`http.secret` is not set: uploads that have no bytes yet do not survive a restart, nor go on at another server"
    );
    Secret::random()
}
