//! `redis`: where the cache is that several servers share.

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
    /// `dialtimeout`.
    pub connect_timeout: Option<Duration>,
    /// `readtimeout`, or `writetimeout` if that is longer.
    pub answer_timeout: Option<Duration>,
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
    tls: Option<Tls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tls {
    enabled: bool,
    certificate: Option<IgnoredAny>,
    key: Option<IgnoredAny>,
    clientcas: Option<IgnoredAny>,
}

pub(super) fn read(sections: &mut Sections<'_>) -> Option<Redis> {
    if !sections.has("redis") {
        return None;
    }
    let keys: Keys = sections.read("redis");
    if keys.pool.is_some() {
        sections.warning("redis.pool", "ignored: one connection carries all requests");
    }
    if keys
        .tls
        .is_some_and(|tls| tls.enabled || tls.certificate.is_some() || tls.key.is_some() || tls.clientcas.is_some())
    {
        sections.mistake("redis.tls", "Redis is not spoken to over TLS here; put a tunnel before it");
    }
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
    let Some(url) = url(address, keys.username.as_deref(), keys.password, keys.db) else {
        sections.mistake("redis.addr", "expected HOST:PORT");
        return None;
    };
    let longest = keys.readtimeout.into_iter().chain(keys.writetimeout).map(|timeout| timeout.0).max();
    Some(Redis { url, connect_timeout: keys.dialtimeout.map(|timeout| timeout.0), answer_timeout: longest })
}

fn url(address: &str, user: Option<&str>, password: Option<SecretText>, database: u32) -> Option<SecretText> {
    let (_, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let mut url = Url::parse(&format!("redis://{address}/{database}")).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_username(user.unwrap_or_default()).ok()?;
    url.set_password(password.map(SecretText::reveal).as_deref()).ok()?;
    Some(url.to_string().into())
}
