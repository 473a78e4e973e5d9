//! What proxies say, in the headers of a request, of the request that reached them.
//!
//! Whoever sends a request can write these headers as well. So nothing but addresses in the answer to the same client, lines of
//! the log and notifications may depend on them, and never what somebody is allowed.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};
use http::uri::{Authority, Scheme};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

#[derive(Debug, Default)]
pub(crate) struct Forwarded {
    pub(crate) scheme: Option<Scheme>,
    pub(crate) host: Option<String>,
    /// Who sent the request to the first of them.
    pub(crate) client: Option<IpAddr>,
}

impl Forwarded {
    /// By RFC 7239; where that says nothing, by the older headers.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let first = |name: &HeaderName| {
            let text = headers.get(name)?.to_str().ok()?;
            Some(text.split(',').next()?.trim())
        };
        let mut found = Self::default();
        for pair in first(&FORWARDED).unwrap_or_default().split(';') {
            let Some((key, value)) = pair.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match key.trim().to_ascii_lowercase().as_str() {
                "proto" => found.scheme = as_scheme(value),
                "host" => found.host = as_authority(value),
                "for" => found.client = as_address(value),
                _ => {}
            }
        }
        found.scheme = found.scheme.or_else(|| first(&X_FORWARDED_PROTO).and_then(as_scheme));
        found.host = found.host.or_else(|| first(&X_FORWARDED_HOST).and_then(as_authority));
        let older = || [X_FORWARDED_FOR, X_REAL_IP].iter().find_map(|name| first(name).and_then(as_address));
        found.client = found.client.or_else(older);
        found
    }
}

fn as_scheme(text: &str) -> Option<Scheme> {
    let scheme = Scheme::try_from(text.to_ascii_lowercase().as_str()).ok()?;
    [Scheme::HTTP, Scheme::HTTPS].into_iter().find(|known| *known == scheme)
}

pub(crate) fn as_authority(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    (!authority.as_str().contains('@')).then(|| authority.to_string())
}

/// An address, with a port or without; of IPv6 in brackets or not.
fn as_address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip()).ok();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    with_port().or_else(|| bare.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(headers: &[(&'static str, &str)]) -> Option<String> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        Forwarded::read(&headers).client.map(|client| client.to_string())
    }

    #[test]
    fn the_client_is_the_first_of_the_chain() {
        let old = ("x-forwarded-for", "192.0.2.7, 198.51.100.1");
        for (headers, expected) in [
            (&[old][..], "192.0.2.7"),
            (&[old, ("x-real-ip", "192.0.2.8")], "192.0.2.7"),
            (&[("x-forwarded-for", "unknown"), ("x-real-ip", "192.0.2.8")], "192.0.2.8"),
            (&[old, ("forwarded", "for=192.0.2.9;proto=https, for=198.51.100.1")], "192.0.2.9"),
            (&[("forwarded", "For=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
            (&[("forwarded", "for=\"[2001:db8::1]\"")], "2001:db8::1"),
            (&[old, ("forwarded", "for=_hidden")], "192.0.2.7"),
        ] {
            assert_eq!(client(headers).as_deref(), Some(expected), "{headers:?}");
        }
        for value in ["", "unknown", "_x", "192.0.2.7 status=200", "192.0.2", "[::1"] {
            assert_eq!(client(&[("x-forwarded-for", value)]), None, "{value}");
        }
    }
}
