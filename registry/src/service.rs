//! A registry as a configuration describes it, from its storage to its socket.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use blobstore::cache::{BlobDescriptorCache, MemoryCache};
use blobstore::{Namespace, NamespaceOptions};
use driver_api::Storage;
use driver_factory::{DescriptorCache, Settings};
use tokio::sync::watch;

use crate::configuration::{Configuration, Redis};
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
    /// Its socket does not open.
    Server(ServerError),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Cache(error) => error.fmt(f),
            Self::Server(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(error) => error.source(),
            Self::Cache(error) => error.source(),
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
}

impl Service {
    /// Opens everything that a configuration names.
    ///
    /// Errors: what cannot be opened, and why.
    pub async fn open(configuration: Configuration) -> Result<Self, ServiceError> {
        let Configuration { storage, http, redis, catalog_page, tags_page, .. } = configuration;
        let settings = storage.settings;
        let storage = storage.backend.open().await?;
        let namespace = namespace(storage, &settings, redis)?;
        let upkeep = Upkeep::new(namespace.clone(), &settings.maintenance);
        let options = RegistryOptions {
            location: http.location,
            secret: http.secret.unwrap_or_else(secret_of_this_process),
            read_only: settings.maintenance.readonly.enabled,
            redirect: !settings.redirect.disable,
            catalog_page,
            tags_page,
            headers: http.headers,
            ..RegistryOptions::default()
        };
        let serving = ServerOptions { tls: http.tls, http2: http.http2, h2c: http.h2c, drain: http.drain };
        let server = Server::bind(Registry::new(namespace, options), &http.address, serving).await?;
        Ok(Self { server, upkeep })
    }

    /// Where it can be reached.
    pub fn bound(&self) -> Result<Bound, ServerError> {
        self.server.bound()
    }

    /// Serves until `stop` is ready, and then ends what is at hand.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (ended, watched) = watch::channel(());
        let upkeep = tokio::spawn(self.upkeep.run(watched));
        self.server.run(stop).await;
        drop(ended);
        if let Err(error) = upkeep.await {
            tracing::error!(%error, "upkeep failed");
        }
    }
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
    options.connect_timeout = limit(redis.connect_timeout, options.connect_timeout);
    options.answer_timeout = limit(redis.answer_timeout, options.answer_timeout);
    Ok(Arc::new(RedisCache::new(options).map_err(ServiceError::Cache)?))
}

#[cfg(not(feature = "redis"))]
fn shared_cache(_: Redis) -> Result<Arc<dyn BlobDescriptorCache>, ServiceError> {
    Err(ServiceError::Cache(blobstore::cache::CacheError("this program was built without Redis".into())))
}

fn secret_of_this_process() -> Secret {
    tracing::warn!(
        "`http.secret` is not set: uploads that have no bytes yet do not survive a restart, nor go on at another server"
    );
    Secret::random()
}
