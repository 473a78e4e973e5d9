//! What the registry trusts: certificates and keys of its configuration, and what they vouch for.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use serde::Deserialize;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};

use super::algorithm::Algorithm;
use super::certificate::validity;
use super::key::{Jwk, PublicKey};
use crate::access::AccessError;

/// The most certificates in a chain. Anybody can send one, and with each more the ways through it multiply.
const CHAIN: usize = 5;

const NOT_TRUSTED: &str = "its chain of certificates is not trusted";

/// Trusted keys, by their names, and certificates that vouch for others.
#[derive(Debug, Default)]
pub(super) struct Trust {
    roots: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
    /// Names of a key set need not be unique.
    keys: HashMap<String, Vec<TrustedKey>>,
}

/// A key that may sign tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrustedKey {
    pub(super) key: PublicKey,
    /// With what alone, where that is said.
    pub(super) only: Option<String>,
}

impl TrustedKey {
    fn new(key: PublicKey) -> Self {
        Self { key, only: None }
    }

    pub(super) fn may(&self, algorithm: Algorithm) -> bool {
        self.only.as_deref().is_none_or(|only| only == algorithm.as_str())
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

impl Trust {
    /// Trusts the certificates in a file, and their keys.
    pub(super) fn add_bundle(&mut self, path: &Path, content: &[u8]) -> Result<(), AccessError> {
        let wrong = |problem: &str| AccessError::content(path, None, problem);
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
        let certificates = certificates.map_err(|_| wrong("the file is damaged: no PEM is"))?;
        if certificates.is_empty() {
            return Err(wrong("the file has no certificate in PEM"));
        }
        for (index, certificate) in certificates.into_iter().enumerate() {
            let damaged = |()| wrong(&format!("its certificate {} is damaged", index + 1));
            let anchor = anchor_from_trusted_cert(&certificate).map_err(|_| damaged(()))?.to_owned();
            validity(&certificate).ok_or_else(|| damaged(()))?;
            // One whose key signs no tokens may still vouch for others.
            if let Some(key) = PublicKey::from_spki(&webpki::spki_for_anchor(&anchor)) {
                self.add_key(TrustedKey::new(key), None);
            }
            self.anchors.push(anchor);
            self.roots.push(certificate);
        }
        Ok(())
    }

    /// Trusts the keys of a set.
    pub(super) fn add_key_set(&mut self, path: &Path, content: &[u8]) -> Result<(), AccessError> {
        let set: KeySet = serde_json::from_slice(content).map_err(|error| {
            // Its own words may have the content in them.
            AccessError::content(path, error.line(), "the file is no JSON Web Key Set")
        })?;
        let mut usable = 0;
        for (index, jwk) in set.keys.into_iter().enumerate() {
            // The set may be that of a server that does more than to sign.
            if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
                continue;
            }
            let Some(key) = PublicKey::from_jwk(&jwk) else {
                tracing::warn!(path = %path.display(), index, "a key of the set is none that tokens are signed with here");
                continue;
            };
            usable += 1;
            self.add_key(TrustedKey { key, only: jwk.alg }, jwk.kid);
        }
        if usable == 0 {
            return Err(AccessError::content(path, None, "the file has no key that tokens can be signed with"));
        }
        Ok(())
    }

    fn add_key(&mut self, key: TrustedKey, name: Option<String>) {
        let names = [Some(key.key.thumbprint()), Some(key.key.libtrust_id()), name];
        for name in names.into_iter().flatten() {
            let known = self.keys.entry(name).or_default();
            if !known.contains(&key) {
                known.push(key.clone());
            }
        }
    }

    /// The keys of a name.
    pub(super) fn named(&self, name: &str) -> &[TrustedKey] {
        self.keys.get(name).map_or(&[], Vec::as_slice)
    }

    /// The keys that a key in the header of a token stands for: those that are trusted already, or have a chain.
    pub(super) fn of_jwk(&self, jwk: &Jwk, now: Duration) -> Result<Vec<TrustedKey>, &'static str> {
        let key = PublicKey::from_jwk(jwk).ok_or("its key is none that is known here")?;
        if jwk.x5c.is_empty() {
            // What is trusted counts, not what the token brought.
            return Ok(self.named(&key.thumbprint()).to_vec());
        }
        let chained = self.of_chain(&jwk.x5c, now)?;
        if chained.key == key { Ok(vec![chained]) } else { Err("its key is not that of its certificate") }
    }

    /// The key of the first certificate of a chain, if the others lead from it to one that is trusted.
    pub(super) fn of_chain(&self, chain: &[String], now: Duration) -> Result<TrustedKey, &'static str> {
        if chain.len() > CHAIN {
            return Err("its chain of certificates is too long");
        }
        let chain: Result<Vec<_>, _> = chain.iter().map(|text| STANDARD.decode(text)).collect();
        let chain: Vec<_> =
            chain.map_err(|_| "its chain is not base64")?.into_iter().map(CertificateDer::from).collect();
        let (leaf, others) = chain.split_first().ok_or("its chain is empty")?;
        let spki = if self.roots.contains(leaf) { self.own(leaf, now)? } else { self.chained(leaf, others, now)? };
        PublicKey::from_spki(&spki).map(TrustedKey::new).ok_or("the key of its certificate is none that is known here")
    }

    /// The key of a certificate of the configuration. Most of them sign themselves and could be an authority: no chain.
    fn own(&self, certificate: &CertificateDer<'_>, now: Duration) -> Result<Vec<u8>, &'static str> {
        let (from, until) = validity(certificate).ok_or(NOT_TRUSTED)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now < from || now > until {
            return Err("its certificate has expired, or is not valid yet");
        }
        let anchor = anchor_from_trusted_cert(certificate).map_err(|_| NOT_TRUSTED)?;
        Ok(webpki::spki_for_anchor(&anchor).to_vec())
    }

    fn chained(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: Duration,
    ) -> Result<Vec<u8>, &'static str> {
        let certificate = EndEntityCert::try_from(leaf).map_err(|_| "its certificate is damaged")?;
        let (algorithms, now) = (webpki::ALL_VERIFICATION_ALGS, UnixTime::since_unix_epoch(now));
        let verified = certificate.verify_for_usage(algorithms, &self.anchors, others, now, AnyUsage, None, None);
        verified.map_err(|_| NOT_TRUSTED)?;
        Ok(certificate.subject_public_key_info().to_vec())
    }
}

/// There is no usage for the signing of tokens: as for the Go registry, any will do.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        usages.into_iter().try_for_each(|usage| usage.map(drop))
    }
}
