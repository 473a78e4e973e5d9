//! `redis`: where the cache is that several servers share.

use std::path::PathBuf;
use std::time::Duration;

use driver_factory::{ReadableDuration, SecretText, Sections};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

/// `redis`.
#[derive(Debug)]
pub struct Redis {
    /// Its address as a URL, with the password.
    pub url: SecretText,
    /// `tls`: files in PEM.
    pub tls: RedisFiles,
    /// `dialtimeout`.
    pub connect_timeout: Option<Duration>,
    /// `readtimeout`, or `writetimeout` if that is longer.
    pub answer_timeout: Option<Duration>,
}

/// Files with certificates for a Redis that is spoken to over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisFiles {
    /// `rootcas`: whose signature is believed; the machine's authorities where none are named.
    pub authorities: Vec<PathBuf>,
    /// `certificate` and `key`: how the registry is known to the Redis.
    pub client: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keys {
    addr: Option<String>,
    addrs: Vec<String>,
    username: Option<String>,
    password: Option<SecretText>,
    db: u32,
    dialtimeout: Option<ReadableDuration>,
    readtimeout: Option<ReadableDuration>,
    writetimeout: Option<ReadableDuration>,
    pool: Option<IgnoredAny>,
    tls: Tls,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tls {
    enabled: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    rootcas: Vec<PathBuf>,
    /// What the Go registry has called `rootcas`.
    clientcas: Vec<PathBuf>,
}

impl Tls {
    fn is_wanted(&self) -> bool {
        self.enabled || self.certificate.is_some() || self.key.is_some() || !self.authorities().is_empty()
    }

    fn authorities(&self) -> Vec<PathBuf> {
        self.rootcas.iter().chain(&self.clientcas).cloned().collect()
    }

    fn files(self, sections: &mut Sections<'_>) -> RedisFiles {
        let authorities = self.authorities();
        let client = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                sections.mistake("redis.tls", "`certificate` and `key` belong together");
                None
            }
        };
        RedisFiles { authorities, client }
    }
}

pub(super) fn read(sections: &mut Sections<'_>) -> Option<Redis> {
    if !sections.has("redis") {
        return None;
    }
    let keys: Keys = sections.read("redis");
    if keys.pool.is_some() {
        sections.warning("redis.pool", "ignored: one connection carries all requests");
    }
    let scheme = if keys.tls.is_wanted() { "rediss" } else { "redis" };
    let tls = keys.tls.files(sections);
    let addresses: Vec<_> = keys.addr.into_iter().chain(keys.addrs).filter(|address| !address.is_empty()).collect();
    let address = match addresses.as_slice() {
        [address] => address,
        [] => {
            sections.mistake("redis", "needs the address of a Redis in `addr`, or in `addrs`");
            return None;
        }
        _ => {
            sections.mistake("redis.addrs", "one Redis is enough for a cache: clusters are not supported");
            return None;
        }
    };
    let Some(url) = url(scheme, address, keys.username.as_deref(), keys.password, keys.db) else {
        sections.mistake("redis.addr", "expected HOST:PORT");
        return None;
    };
    let longest = keys.readtimeout.into_iter().chain(keys.writetimeout).map(|timeout| timeout.0).max();
    Some(Redis { url, tls, connect_timeout: keys.dialtimeout.map(|timeout| timeout.0), answer_timeout: longest })
}

fn url(
    scheme: &str,
    address: &str,
    user: Option<&str>,
    password: Option<SecretText>,
    database: u32,
) -> Option<SecretText> {
    let (_, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let mut url = Url::parse(&format!("{scheme}://{address}/{database}")).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_username(user.unwrap_or_default()).ok()?;
    url.set_password(password.map(SecretText::reveal).as_deref()).ok()?;
    Some(url.to_string().into())
}
