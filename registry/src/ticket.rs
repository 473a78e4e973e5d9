//! Tickets of uploads: what a client carries from one request of an upload to the next.
//!
//! An upload that has no bytes yet is nowhere but in its ticket, so that beginning one costs the storage nothing, and any server
//! with the same secret can go on with it. Its form is that of the Go registry: `_state` in the query, base64 of an
//! HMAC-SHA256 and of JSON.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use blobstore::{Algorithm, RepositoryName, UploadId};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

/// Much more than a ticket has.
const MAX_BYTES: usize = 4096;
const TAG_BYTES: usize = 32;

/// How long an upload that has no bytes may be begun.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What all servers of one registry share, and nobody else has.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// The secret of a configuration.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(text.into())
    }

    /// One that only this process has: an upload that was begun here and has no bytes can't go on elsewhere.
    pub fn random() -> Self {
        Self([uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].iter().flat_map(|uuid| uuid.into_bytes()).collect())
    }

    fn mac(&self, content: &[u8]) -> Option<Hmac<Sha256>> {
        // A key of any length is taken.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(content);
        Some(mac)
    }
}

/// What is known of an upload without asking for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) repository: RepositoryName,
    pub(crate) id: UploadId,
    pub(crate) offset: u64,
    pub(crate) began: UtcDateTime,
    /// By what the content will be named, where that was said at the beginning.
    pub(crate) algorithm: Option<Algorithm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire<'a> {
    name: &'a str,
    #[serde(rename = "UUID")]
    uuid: String,
    offset: u64,
    started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'a str>,
}

impl Ticket {
    /// The text that a client carries.
    pub(crate) fn sign(&self, secret: &Secret) -> String {
        let wire = Wire {
            name: self.repository.as_str(),
            uuid: self.id.to_string(),
            offset: self.offset,
            started_at: self.began.format(&Rfc3339).unwrap_or_default(),
            algorithm: self.algorithm.map(Algorithm::as_str),
        };
        // Neither can fail: these are texts and a number, and a key of any length is taken.
        let content = serde_json::to_vec(&wire).unwrap_or_default();
        let mut signed = secret.mac(&content).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default();
        signed.extend_from_slice(&content);
        URL_SAFE.encode(signed)
    }

    /// The ticket that a text is, if it was signed with `secret` for this upload, and not too long ago.
    pub(crate) fn verify(text: &str, secret: &Secret, repository: &RepositoryName, id: UploadId) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let signed = URL_SAFE.decode(text).ok()?;
        let (tag, content) = signed.split_at_checked(TAG_BYTES)?;
        secret.mac(content)?.verify_slice(tag).ok()?;
        let wire: Wire<'_> = serde_json::from_slice(content).ok()?;
        let began = UtcDateTime::parse(&wire.started_at, &Rfc3339).ok()?;
        let age = UtcDateTime::now() - began;
        let is_this = wire.name == repository.as_str() && wire.uuid == id.to_string() && age < LIFETIME;
        is_this.then(|| Self {
            repository: repository.clone(),
            id,
            offset: wire.offset,
            began,
            algorithm: wire.algorithm.and_then(Algorithm::from_name),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        let began = UtcDateTime::now().replace_nanosecond(0).unwrap();
        Ticket {
            repository: "a/b".parse().unwrap(),
            id: UploadId::random(),
            offset: 7,
            began,
            algorithm: Some(Algorithm::Sha512),
        }
    }

    #[test]
    fn a_ticket_is_good_for_its_upload_alone() {
        let (ticket, secret) = (ticket(), Secret::new("s"));
        let text = ticket.sign(&secret);
        let verify =
            |secret: &Secret, repository: &str, id| Ticket::verify(&text, secret, &repository.parse().unwrap(), id);
        assert_eq!(verify(&secret, "a/b", ticket.id), Some(ticket.clone()));
        assert_eq!(verify(&Secret::random(), "a/b", ticket.id), None);
        assert_eq!(verify(&secret, "a/c", ticket.id), None);
        assert_eq!(verify(&secret, "a/b", UploadId::random()), None);
    }

    #[test]
    fn an_old_ticket_is_none() {
        let old = Ticket { began: UtcDateTime::now() - LIFETIME * 2, ..ticket() };
        let secret = Secret::random();
        assert_eq!(Ticket::verify(&old.sign(&secret), &secret, &old.repository, old.id), None);
    }

    #[test]
    fn a_secret_is_not_told() {
        assert_eq!(format!("{:?}", Secret::new("hidden")), "Secret(..)");
    }

    /// What the Go registry signs is an HMAC over JSON with these names and no others.
    #[test]
    fn a_ticket_without_an_algorithm_is_the_ancestors() {
        let ticket = Ticket { algorithm: None, ..ticket() };
        let secret = Secret::new("supersecret");
        let signed = URL_SAFE.decode(ticket.sign(&secret)).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&signed[TAG_BYTES..]).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["Name", "Offset", "StartedAt", "UUID"]);
    }

    proptest! {
        #[test]
        fn no_change_of_a_ticket_is_a_ticket(place in 0usize..200, bit in 0u8..8, any in "[A-Za-z0-9_=-]{0,120}") {
            let (ticket, secret) = (ticket(), Secret::random());
            let mut signed = URL_SAFE.decode(ticket.sign(&secret)).unwrap();
            let place = place % signed.len();
            signed[place] ^= 1 << bit;
            prop_assert_eq!(Ticket::verify(&URL_SAFE.encode(signed), &secret, &ticket.repository, ticket.id), None);
            prop_assert_eq!(Ticket::verify(&any, &secret, &ticket.repository, ticket.id), None);
        }
    }
}
