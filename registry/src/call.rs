//! One request, while it is answered.

use std::net::{IpAddr, SocketAddr};

use driver_api::Context;
use http::{HeaderMap, Method};
use uuid::Uuid;

use crate::access::Caller;
use crate::forwarded::Forwarded;
use crate::location::Base;
use crate::page::Query;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    /// Their address; none over a Unix socket.
    pub address: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// A proxy says so.
    Told(IpAddr),
    /// The other end of the connection.
    Connected(SocketAddr),
}

impl Client {
    pub(crate) fn of(headers: &HeaderMap, peer: Peer) -> Option<Self> {
        Forwarded::read(headers).client.map(Self::Told).or(peer.address.map(Self::Connected))
    }

    pub(crate) fn address(self) -> IpAddr {
        match self {
            Self::Told(address) => address,
            Self::Connected(address) => address.ip(),
        }
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Told(address) => address.fmt(f),
            Self::Connected(address) => address.fmt(f),
        }
    }
}

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) context: Context,
    pub(crate) id: Uuid,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Query,
    pub(crate) base: Base,
    /// Where it came from, as proxies say, if there are any.
    pub(crate) client: Option<Client>,
    pub(crate) caller: Caller,
}

impl Call {
    /// Whether the answer has no body, whatever its headers say.
    pub(crate) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// A header as text; none where it is not there, or is no text.
    pub(crate) fn header(&self, name: &http::header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
