//! Whatever clients send, they are answered, and not let in.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use registry::access::{AccessControl, Refusal};
use serde_json::json;

use crate::htpasswd::{line, options};
use crate::issuer::{Issuer, access};

fn is_challenged(access: &AccessControl, values: &[Vec<u8>]) -> bool {
    let values = values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok());
    let headers: HeaderMap = values.map(|value| (header::AUTHORIZATION, value)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    matches!(runtime.block_on(access.authorize(&headers, &[])), Err(Refusal::Challenge(_)))
}

fn open(options: registry::access::AccessOptions) -> AccessControl {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(AccessControl::open(options)).unwrap()
}

/// Values of a header, of which most are nearly right.
fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    let value = prop_oneof![
        bytes(),
        "(Basic|Bearer|basic|BEARER|Digest)[ \t]{0,3}[ -~]{0,60}".prop_map(String::into_bytes),
        bytes().prop_map(|plain| format!("Basic {}", STANDARD.encode(plain)).into_bytes()),
        "[a-z:]{0,3}:[ -~]{0,20}".prop_map(|plain| format!("Basic {}", STANDARD.encode(plain)).into_bytes()),
        (bytes(), bytes(), bytes()).prop_map(|parts| jwt(&parts.0, &parts.1, &parts.2)),
        (header_text(), bytes(), bytes()).prop_map(|parts| jwt(parts.0.as_bytes(), &parts.1, &parts.2)),
    ];
    prop::collection::vec(value, 0..3)
}

/// The header of a token.
fn header_text() -> impl Strategy<Value = String> {
    let algorithm = prop::sample::select(vec!["ES256", "RS256", "ES512", "EdDSA", "none", "HS256", "x"]);
    let chain = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3);
    let member = prop::collection::vec(any::<u8>(), 0..70);
    (algorithm, chain, member, 0..5).prop_map(|(algorithm, chain, member, kind)| {
        let member = URL_SAFE_NO_PAD.encode(member);
        let chain: Vec<_> = chain.iter().map(|certificate| STANDARD.encode(certificate)).collect();
        let header = match kind {
            0 => json!({ "alg": algorithm, "x5c": chain }),
            1 => json!({ "alg": algorithm, "jwk": { "kty": "EC", "crv": "P-256", "x": member, "y": member } }),
            2 => json!({ "alg": algorithm, "jwk": { "kty": "RSA", "n": member, "e": member, "x5c": chain } }),
            3 => json!({ "alg": algorithm, "kid": member }),
            _ => json!({ "alg": algorithm, "jwk": { "kty": "OKP", "crv": "Ed25519", "x": member } }),
        };
        header.to_string()
    })
}

fn jwt(header: &[u8], claims: &[u8], signature: &[u8]) -> Vec<u8> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("Bearer {}.{}.{}", encode(header), encode(claims), encode(signature)).into_bytes()
}

#[test]
fn no_header_panics_or_is_let_in() {
    let issuer = Issuer::new();
    let token = open(issuer.options());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    std::fs::write(&path, line("hostile-but-known", "secret")).unwrap();
    let htpasswd = open(options(&path));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    proptest!(config, |(values in values())| {
        prop_assert!(is_challenged(&token, &values));
        prop_assert!(is_challenged(&htpasswd, &values));
    });
}

#[test]
fn no_change_of_a_token_is_one() {
    let issuer = Issuer::new();
    let access_control = open(issuer.options());
    let good = issuer.token(&access("a", &["*"]));
    let value = |token: &str| format!("Bearer {token}").into_bytes();
    assert!(!is_challenged(&access_control, &[value(&good)]));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    proptest!(config, |(place in 0..good.len(), letter in "[A-Za-z0-9_.=-]")| {
        let mut changed = good.clone();
        changed.replace_range(place..=place, &letter);
        prop_assume!(changed != good);
        prop_assert!(is_challenged(&access_control, &[value(&changed)]), "{}", place);
    });
}
