//! A server of tokens.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use registry::access::{AccessOptions, TokenOptions};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const REALM: &str = "https://tokens.test/token";
pub(crate) const SERVICE: &str = "registry.test";
pub(crate) const ISSUER: &str = "tokens.test";

/// A server of tokens with one key, which the registry trusts by its certificate.
pub(crate) struct Issuer {
    directory: TempDir,
    pub(crate) key: KeyPair,
    pub(crate) certificate: rcgen::Certificate,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // As `openssl req -x509` makes them.
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("bundle.pem"), certificate.pem()).unwrap();
        Self { directory, key, certificate }
    }

    /// A file beside the certificate.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn token_options(&self) -> TokenOptions {
        TokenOptions {
            realm: REALM.into(),
            service: SERVICE.into(),
            issuer: ISSUER.into(),
            root_cert_bundle: Some(self.directory.path().join("bundle.pem")),
            ..TokenOptions::default()
        }
    }

    pub(crate) fn options(&self) -> AccessOptions {
        AccessOptions::Token(self.token_options())
    }

    /// A token that gives access, with its certificate.
    pub(crate) fn token(&self, access: &Value) -> String {
        self.signed(&claims(access))
    }

    pub(crate) fn signed(&self, claims: &Value) -> String {
        token(&self.header(), claims, |message| es256(&self.key, message))
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(self.certificate.der())] })
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Access to one repository.
pub(crate) fn access(name: &str, actions: &[&str]) -> Value {
    json!([{ "type": "repository", "name": name, "actions": actions }])
}

pub(crate) fn claims(access: &Value) -> Value {
    json!({
        "iss": ISSUER, "sub": "ana", "aud": SERVICE, "exp": now() + 300, "nbf": now(), "iat": now(), "jti": "1",
        "access": access,
    })
}

pub(crate) fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub(crate) fn es256(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der(), &random).unwrap();
    key.sign(&random, message).unwrap().as_ref().to_vec()
}
