//! Where clients find what they are told of: the address that they reached the registry by.

use http::header::{HOST, HeaderMap, HeaderValue};
use http::uri::Scheme;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::forwarded::{Forwarded, as_authority};

/// What may not stand in a path as it is. Names, tags, digests and the ids of uploads have nothing of it.
const NOT_IN_PATHS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'%');

/// How addresses are written.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LocationOptions {
    /// The address of the registry from outside, without a path: `https://registry.example`. None is what a request came by.
    pub host: Option<String>,
    /// What comes before `v2/`; it begins and ends with `/`.
    pub prefix: String,
    /// Whether addresses have no host: clients put in the one that they know.
    pub relative: bool,
}

/// The beginning of all addresses in the answer to one request.
#[derive(Debug, Clone)]
pub(crate) struct Base(String);

impl Base {
    /// The address by which a request came. What its headers say of proxies is believed: nothing but addresses in the answer to
    /// the same client depends on it.
    pub(crate) fn of(options: &LocationOptions, headers: &HeaderMap, is_tls: bool) -> Self {
        let prefix = if options.prefix.is_empty() { "/" } else { &options.prefix };
        if let Some(host) = &options.host {
            return Self(format!("{}{prefix}", host.trim_end_matches('/')));
        }
        let by_request = || headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(as_authority);
        let forwarded = Forwarded::read(headers);
        match forwarded.host.or_else(by_request) {
            Some(host) if !options.relative => {
                let scheme = forwarded.scheme.unwrap_or(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
                Self(format!("{scheme}://{host}{prefix}"))
            }
            _ => Self(prefix.to_owned()),
        }
    }

    /// The address of `path`, which begins behind the prefix.
    pub(crate) fn of_path(&self, path: std::fmt::Arguments<'_>) -> String {
        format!("{}v2/{}", self.0, utf8_percent_encode(&path.to_string(), NOT_IN_PATHS))
    }

    /// The address as a header.
    pub(crate) fn header(&self, path: std::fmt::Arguments<'_>) -> HeaderValue {
        // Neither the host, which was parsed, nor the path has anything that a header may not have.
        HeaderValue::try_from(self.of_path(path)).unwrap_or(HeaderValue::from_static("/"))
    }
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    fn address(options: &LocationOptions, headers: &[(&'static str, &str)]) -> String {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        Base::of(options, &headers, false).of_path(format_args!("a/blobs/sha256:00"))
    }

    #[test]
    fn an_address_is_that_of_the_request() {
        let default = LocationOptions::default();
        assert_eq!(address(&default, &[("host", "here:5000")]), "http://here:5000/v2/a/blobs/sha256:00");
        assert_eq!(address(&default, &[]), "/v2/a/blobs/sha256:00");
        let host = [("host", "inner"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "outer, inner")];
        assert_eq!(address(&default, &host), "https://outer/v2/a/blobs/sha256:00");
        let rfc = [("host", "inner"), ("forwarded", "for=192.0.2.1;proto=https;host=\"outer:1\", proto=http"), host[1]];
        assert_eq!(address(&default, &rfc), "https://outer:1/v2/a/blobs/sha256:00");
        let tls = Base::of(&default, &HeaderMap::from_iter([(HOST, "x".parse().unwrap())]), true);
        assert_eq!(tls.of_path(format_args!("")), "https://x/v2/");
    }

    #[test]
    fn an_operator_has_the_last_word() {
        let mut options =
            LocationOptions { host: Some("https://outside/".to_owned()), prefix: "/x/".to_owned(), relative: false };
        assert_eq!(address(&options, &[("host", "inner")]), "https://outside/x/v2/a/blobs/sha256:00");
        options = LocationOptions { host: None, prefix: "/x/".to_owned(), relative: true };
        assert_eq!(address(&options, &[("host", "inner")]), "/x/v2/a/blobs/sha256:00");
    }

    #[test]
    fn headers_that_are_no_hosts_are_passed_over() {
        let default = LocationOptions::default();
        for value in ["a b", "a/b", "user@host", "", "ä"] {
            let headers = [("host", "inner"), ("x-forwarded-host", value), ("x-forwarded-proto", "javascript")];
            assert_eq!(address(&default, &headers), "http://inner/v2/a/blobs/sha256:00", "{value}");
        }
    }
}
