//! A token before it is known to be one: three texts with dots in between.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::key::Jwk;

/// Much more than a token has with a chain of certificates and access to a hundred repositories.
const MAX_BYTES: usize = 32 * 1024;

/// What was signed, how, and the signature.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    pub(super) header: Header,
    pub(super) message: &'a [u8],
    payload: &'a str,
    pub(super) signature: Vec<u8>,
}

/// By what a token says that it is signed.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) jwk: Option<Jwk>,
    pub(super) x5c: Option<Vec<String>>,
    /// What has to be understood beyond that.
    pub(super) crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, &'static str> {
        if token.len() > MAX_BYTES {
            return Err("it is too long");
        }
        let (message, signature) = token.rsplit_once('.').ok_or("it is no JSON Web Token")?;
        let (header, payload) = message.split_once('.').ok_or("it is no JSON Web Token")?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| "its header is not base64")?;
        let header = serde_json::from_slice(&header).map_err(|_| "its header is not what it should be")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature is not base64")?;
        Ok(Self { header, message: message.as_bytes(), payload, signature })
    }

    /// What was signed, to be read when the signature is known to be right.
    pub(super) fn payload(&self) -> Result<Vec<u8>, &'static str> {
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| "its claims are not base64")
    }
}
