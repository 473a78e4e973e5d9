//! A cache of descriptors that several servers share: Redis, with the keys and fields of the Go registry.
//!
//! | key | type | what |
//! | --- | --- | --- |
//! | `blobs::DIGEST` | hash | `digest`, `size` (`length` in 2015), `mediatype` |
//! | `repository::NAME::blobs` | set | the digests that the repository has |
//! | `repository::NAME::blobs::DIGEST` | hash | `mediatype` in that repository |
//!
//! All three must be there for a repository to know a blob. The hashes expire; the Go registry keeps them for ever and takes
//! that as it comes.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use driver_api::Context;
use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ClientTlsConfig, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisError, TlsCertificates};

use super::{BlobDescriptorCache, CacheError};
use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::names::RepositoryName;

/// How long an entry is believed, in seconds: a server that died between deleting a link and telling the cache is found out
/// by then.
const LIFETIME: i64 = 5 * 60;

/// How long nobody asks a Redis that did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the Redis is, and how long it is waited for.
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// Its address.
    pub address: ConnectionInfo,
    /// Whom to trust, and how to be known, where the address is one of TLS.
    pub tls: RedisTls,
    /// How long it may take to connect.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub answer_timeout: Duration,
}

impl RedisOptions {
    /// The Redis at a URL: `redis://user:password@host:port/database`, or `rediss://…` over TLS.
    ///
    /// Errors: CacheError where the text is no such URL; the text is not repeated, for it can have a password in it.
    pub fn at(url: &str) -> Result<Self, CacheError> {
        let address = url.into_connection_info().map_err(failed)?;
        let [connect_timeout, answer_timeout] = [500, 250].map(Duration::from_millis);
        Ok(Self { address, tls: RedisTls::default(), connect_timeout, answer_timeout })
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions").field("address", &self.address.addr()).finish_non_exhaustive()
    }
}

/// Certificates for TLS, all in PEM.
#[derive(Clone, Default)]
pub struct RedisTls {
    /// The authorities that may have signed the certificate of the Redis; those of the machine where none are given.
    pub authorities: Option<Vec<u8>>,
    /// The certificate and the key to be known by.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisTls {
    fn client(self, address: ConnectionInfo) -> Result<Client, RedisError> {
        if self.authorities.is_none() && self.client.is_none() {
            return Client::open(address);
        }
        let client_tls = self.client.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        Client::build_with_tls(address, TlsCertificates { client_tls, root_cert: self.authorities })
    }
}

/// A cache in Redis. One that cannot be reached costs its time-out once a second; nothing else.
pub struct RedisCache {
    connection: ConnectionManager,
    address: String,
    /// When it may be asked again.
    asked_again: Mutex<Option<Instant>>,
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").field("address", &self.address).finish_non_exhaustive()
    }
}

fn failed(error: RedisError) -> CacheError {
    CacheError(Box::new(error))
}

impl RedisCache {
    /// A cache that connects when it is first asked. Must be called within a runtime.
    ///
    /// Errors: CacheError where a certificate cannot be read, or is given for an address that is not one of TLS.
    pub fn new(options: RedisOptions) -> Result<Self, CacheError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.answer_timeout))
            .set_number_of_retries(0);
        let address = options.address.addr().to_string();
        let client = options.tls.client(options.address).map_err(failed)?;
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(failed)?;
        Ok(Self { connection, address, asked_again: Mutex::new(None) })
    }

    /// Asks, unless it has just not answered.
    async fn ask<T: redis::FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, CacheError> {
        if self.asked_again.lock().is_some_and(|time| Instant::now() < time) {
            return Err(CacheError("it did not answer a moment ago".into()));
        }
        self.insist(pipeline).await
    }

    async fn insist<T: redis::FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, CacheError> {
        let answer = pipeline.query_async(&mut self.connection.clone()).await;
        *self.asked_again.lock() = answer.is_err().then(|| Instant::now() + PAUSE);
        answer.map_err(failed)
    }
}

fn global(digest: &Digest) -> String {
    format!("blobs::{digest}")
}

fn members(repository: &RepositoryName) -> String {
    format!("repository::{repository}::blobs")
}

fn scoped(repository: &RepositoryName, digest: &Digest) -> String {
    format!("repository::{repository}::blobs::{digest}")
}

/// `digest`, `size`, `length` and `mediatype` of a global entry.
type Fields = (Option<String>, Option<u64>, Option<u64>, Option<String>);
const FIELDS: [&str; 4] = ["digest", "size", "length", "mediatype"];

/// The descriptor that fields make; none where one that is needed is missing, or makes no sense.
fn descriptor((digest, size, length, media_type): Fields) -> Option<Descriptor> {
    let media_type = media_type.filter(|media_type| !media_type.is_empty())?;
    Some(Descriptor { media_type: media_type.into(), digest: digest?.parse().ok()?, size: size.or(length)? })
}

#[async_trait]
impl BlobDescriptorCache for RedisCache {
    async fn get(
        &self,
        _: &Context,
        repository: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Descriptor>, CacheError> {
        let mut pipeline = redis::pipe();
        pipeline.hmget(global(digest), &FIELDS);
        let Some(repository) = repository else {
            let (fields,): (Fields,) = self.ask(&pipeline).await?;
            return Ok(descriptor(fields));
        };
        pipeline.sismember(members(repository), digest.to_string());
        pipeline.hget(scoped(repository, digest), "mediatype");
        let (fields, is_member, media_type): (Fields, bool, Option<String>) = self.ask(&pipeline).await?;
        let known = descriptor(fields).filter(|_| is_member);
        Ok(known
            .zip(media_type.filter(|media_type| !media_type.is_empty()))
            .map(|(known, media_type)| Descriptor { media_type: media_type.into(), ..known }))
    }

    async fn set(
        &self,
        _: &Context,
        repository: Option<&RepositoryName>,
        digest: &Digest,
        descriptor: &Descriptor,
    ) -> Result<(), CacheError> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        let mut names = vec![*digest, descriptor.digest];
        names.dedup();
        for name in names {
            let key = global(&name);
            let fields = [("digest", descriptor.digest.to_string()), ("size", descriptor.size.to_string())];
            pipeline.hset_multiple(&key, &fields).ignore();
            pipeline.hset_nx(&key, "mediatype", &*descriptor.media_type).ignore();
            pipeline.expire(&key, LIFETIME).ignore();
        }
        if let Some(repository) = repository {
            let key = scoped(repository, digest);
            pipeline.sadd(members(repository), digest.to_string()).ignore();
            pipeline.hset(&key, "mediatype", &*descriptor.media_type).ignore();
            pipeline.expire(&key, LIFETIME).ignore();
        }
        self.ask(&pipeline).await
    }

    async fn clear(&self, _: &Context, repository: Option<&RepositoryName>, digest: &Digest) -> Result<(), CacheError> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        match repository {
            // The membership goes with the rest or not at all: what another repository learns must not bring it back.
            Some(repository) => {
                pipeline.srem(members(repository), digest.to_string()).ignore();
                pipeline.del(scoped(repository, digest)).ignore();
            }
            None => drop(pipeline.del(global(digest)).ignore()),
        }
        self.insist(&pipeline).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_size_are_read_and_nothing_half_is_believed() {
        let digest = Digest::of(b"x");
        let text = || Some(digest.to_string());
        let kind = || Some("a/b".to_owned());
        for fields in [(text(), Some(7), None, kind()), (text(), None, Some(7), kind())] {
            assert_eq!(descriptor(fields), Some(Descriptor { media_type: "a/b".into(), digest, size: 7 }));
        }
        for fields in [
            (None, Some(7), None, kind()),
            (text(), None, None, kind()),
            (text(), Some(7), None, None),
            (text(), Some(7), None, Some(String::new())),
            (Some("sha256:x".to_owned()), Some(7), None, kind()),
        ] {
            assert_eq!(descriptor(fields), None);
        }
    }

    #[test]
    fn a_password_is_in_no_output() {
        let options = RedisOptions::at("redis://user:sesame@127.0.0.1:1/3").unwrap();
        assert!(!format!("{options:?}").contains("sesame"));
        let error = RedisOptions::at("radish://user:sesame@127.0.0.1").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("sesame"));
    }
}
