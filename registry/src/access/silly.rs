//! Access for whoever says anything. It is there to test clients with.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::challenge::{bearer, is_sayable};
use super::{AccessError, Caller, Grant, Refusal, SillyOptions};

/// Lets everybody do everything who sends `Authorization`, whatever is in it.
#[derive(Debug)]
pub struct Silly {
    realm: String,
    service: String,
}

impl Silly {
    /// One that names `realm` and `service` to those it refuses.
    pub fn new(options: SillyOptions) -> Result<Self, AccessError> {
        let SillyOptions { realm, service } = options;
        for (key, value) in [("silly.realm", &realm), ("silly.service", &service)] {
            if !is_sayable(value) {
                return Err(AccessError::option(key, "no header can have control characters"));
            }
        }
        Ok(Self { realm, service })
    }

    pub(super) fn authorize(&self, headers: &HeaderMap, wanted: &[Grant], wished: &[Grant]) -> Result<Caller, Refusal> {
        if headers.get(AUTHORIZATION).is_some_and(|value| !value.is_empty()) {
            return Ok(Caller { name: Some("silly".to_owned()) });
        }
        Err(Refusal::Challenge(self.challenge(wanted, wished)))
    }

    fn challenge(&self, wanted: &[Grant], wished: &[Grant]) -> HeaderValue {
        bearer(&self.realm, &self.service, wanted.iter().chain(wished), None)
    }
}
