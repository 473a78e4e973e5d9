//! `http`: where the registry listens, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use driver_factory::{ReadableDuration, SecretText, Sections};
use serde::Deserialize;

use crate::location::LocationOptions;
use crate::ticket::Secret;

/// Where a registry listens of which nothing is said: nobody else can reach it.
const ADDRESS: &str = "127.0.0.1:5000";
/// How long requests at hand may take when the registry stops.
const DRAIN: Duration = Duration::from_secs(30);

/// `http`.
#[derive(Debug)]
pub struct Http {
    /// `addr` and `net`.
    pub address: Address,
    /// `host`, `prefix` and `relativeurls`.
    pub location: LocationOptions,
    /// `secret`; none is one by chance.
    pub secret: Option<Secret>,
    /// `draintimeout`.
    pub drain: Duration,
    /// `headers`.
    pub headers: HeaderMap,
    /// `tls`; none where there is no certificate.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is spoken over TLS: not with `http2.disabled`.
    pub http2: bool,
    /// Whether HTTP/2 is spoken without TLS as well: `h2c.enabled`.
    pub h2c: bool,
    /// Whether browsers are shown what there is: not with `page.enabled: false`.
    pub page: bool,
    /// `debug`; none where there is no address.
    pub debug: Option<Debug>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// `http.tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The file with the certificate and those that it is signed by.
    pub certificate: PathBuf,
    /// The file with its key.
    pub key: PathBuf,
    /// The least version that is spoken.
    pub minimum: TlsVersion,
    /// What is asked of clients; none where nothing is.
    pub clients: Option<ClientCertificates>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum TlsVersion {
    /// 1.2
    #[default]
    #[serde(rename = "tls1.2")]
    Tls12,
    /// 1.3
    #[serde(rename = "tls1.3")]
    Tls13,
}

/// Which certificates clients show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The files of the authorities that sign them.
    pub authorities: Vec<PathBuf>,
    /// Whether every client must have one.
    pub required: bool,
}

/// `http.debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debug {
    /// Where to listen.
    pub address: String,
    /// Where the metrics are; none where there are none.
    pub metrics: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keys {
    addr: Option<String>,
    net: Net,
    host: Option<String>,
    prefix: Option<String>,
    secret: Option<SecretText>,
    relativeurls: bool,
    draintimeout: Option<ReadableDuration>,
    headers: BTreeMap<String, Vec<String>>,
    tls: TlsKeys,
    http2: Http2Keys,
    h2c: H2cKeys,
    page: PageKeys,
    debug: DebugKeys,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Net {
    #[default]
    #[serde(alias = "")]
    Tcp,
    Unix,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TlsKeys {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    clientcas: Vec<PathBuf>,
    clientauth: Option<ClientAuth>,
    minimumtls: TlsVersion,
    ciphersuites: Vec<String>,
    letsencrypt: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClientAuth {
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http2Keys {
    disabled: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct H2cKeys {
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct PageKeys {
    enabled: bool,
}

impl Default for PageKeys {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DebugKeys {
    addr: Option<String>,
    prometheus: PrometheusKeys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PrometheusKeys {
    enabled: bool,
    path: Option<String>,
}

pub(super) fn read(sections: &mut Sections<'_>) -> Http {
    let keys: Keys = sections.read("http");
    Http {
        address: address(sections, keys.net, keys.addr),
        location: location(sections, keys.host, keys.prefix, keys.relativeurls),
        secret: keys.secret.map(SecretText::reveal).filter(|secret| !secret.is_empty()).map(Secret::new),
        drain: keys.draintimeout.map_or(DRAIN, |drain| drain.0),
        headers: headers(sections, &keys.headers),
        tls: tls(sections, keys.tls),
        http2: !keys.http2.disabled,
        h2c: keys.h2c.enabled,
        page: keys.page.enabled,
        debug: debug(sections, keys.debug),
    }
}

fn address(sections: &mut Sections<'_>, net: Net, address: Option<String>) -> Address {
    let address = address.filter(|address| !address.is_empty());
    match (net, address) {
        (Net::Unix, Some(path)) => Address::Unix(path.into()),
        (Net::Unix, None) => {
            sections.mistake("http.net", "`unix` needs the path of a socket in `http.addr`");
            Address::Tcp(ADDRESS.to_owned())
        }
        (Net::Tcp, address) => Address::Tcp(tcp(sections, "http.addr", address.as_deref().unwrap_or(ADDRESS))),
    }
}

/// A host and a port; no host is every address of this machine.
fn tcp(sections: &mut Sections<'_>, key: &str, address: &str) -> String {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    match address.rsplit_once(':') {
        Some(("", port)) if is_port(port) => format!("[::]:{port}"),
        Some((_, port)) if is_port(port) => address.to_owned(),
        _ => {
            sections.mistake(key, "expected HOST:PORT, or :PORT for every address of this machine");
            ADDRESS.to_owned()
        }
    }
}

fn location(
    sections: &mut Sections<'_>,
    host: Option<String>,
    prefix: Option<String>,
    relative: bool,
) -> LocationOptions {
    let host = host.filter(|host| !host.is_empty());
    if let Some(host) = &host {
        let is_address = url::Url::parse(host).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
        });
        if !is_address {
            sections.mistake("http.host", "expected an address without a path, such as https://registry.example");
        }
    }
    let prefix = match prefix.as_deref().map(|prefix| prefix.trim_matches('/')) {
        None | Some("") => String::new(),
        Some(prefix) => format!("/{prefix}/"),
    };
    if prefix.bytes().any(|byte| !byte.is_ascii_graphic() || b"?#%".contains(&byte)) {
        sections.mistake("http.prefix", "expected a path, such as /registry/");
    }
    LocationOptions { host, prefix, relative }
}

fn headers(sections: &mut Sections<'_>, keys: &BTreeMap<String, Vec<String>>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in keys {
        let key = format!("http.headers.{name}");
        let Ok(header) = HeaderName::try_from(name.as_str()) else {
            sections.mistake(&key, "this is no name of a header");
            continue;
        };
        for value in values {
            match HeaderValue::from_str(value) {
                Ok(value) => drop(headers.append(header.clone(), value)),
                Err(_) => sections.mistake(&key, "this is no value of a header"),
            }
        }
    }
    headers
}

fn tls(sections: &mut Sections<'_>, keys: TlsKeys) -> Option<Tls> {
    if keys.letsencrypt.is_some() {
        sections.mistake(
            "http.tls.letsencrypt",
            "certificates are not fetched here; use a client of ACME and `certificate`",
        );
    }
    if !keys.ciphersuites.is_empty() {
        sections.warning("http.tls.ciphersuites", "ignored: only suites without known weaknesses are built in");
    }
    let is_path = |path: &PathBuf| !path.as_os_str().is_empty();
    match (keys.certificate.filter(is_path), keys.key.filter(is_path)) {
        (Some(certificate), Some(key)) => {
            let clients = clients(sections, keys.clientauth, keys.clientcas);
            Some(Tls { certificate, key, minimum: keys.minimumtls, clients })
        }
        (None, None) => {
            if !keys.clientcas.is_empty() || keys.clientauth.is_some() {
                sections.mistake(
                    "http.tls",
                    "certificates of clients need a `certificate` and a `key` of the registry's own",
                );
            }
            None
        }
        _ => {
            sections.mistake("http.tls", "`certificate` and `key` go together");
            None
        }
    }
}

fn clients(
    sections: &mut Sections<'_>,
    auth: Option<ClientAuth>,
    authorities: Vec<PathBuf>,
) -> Option<ClientCertificates> {
    let required = match auth {
        None if authorities.is_empty() => return None,
        None | Some(ClientAuth::RequireAndVerifyClientCert) => true,
        Some(ClientAuth::VerifyClientCertIfGiven) => false,
        Some(ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert) => {
            let message = "a certificate that nobody verifies proves nothing: use `verify-client-cert-if-given` or \
                           `require-and-verify-client-cert`";
            sections.mistake("http.tls.clientauth", message);
            return None;
        }
    };
    if authorities.is_empty() {
        sections.mistake("http.tls.clientauth", "needs the authorities of the certificates in `clientcas`");
    }
    Some(ClientCertificates { authorities, required })
}

fn debug(sections: &mut Sections<'_>, keys: DebugKeys) -> Option<Debug> {
    let Some(address) = keys.addr.filter(|address| !address.is_empty()) else {
        if keys.prometheus.enabled {
            sections.mistake("http.debug.prometheus", "metrics need an address to be asked at, in `http.debug.addr`");
        }
        return None;
    };
    let address = tcp(sections, "http.debug.addr", &address);
    let path = keys.prometheus.path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/metrics".to_owned());
    if !path.starts_with('/') {
        sections.mistake("http.debug.prometheus.path", "a path begins with a `/`");
    }
    Some(Debug { address, metrics: keys.prometheus.enabled.then_some(path) })
}
