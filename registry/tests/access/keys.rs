//! By what keys tokens may be signed, and how they name them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p521::ecdsa::signature::Signer;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use registry::access::{AccessOptions, TokenOptions};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::issuer::{Issuer, access, bearer, claims, es256, token};
use crate::secured::Secured;

/// A key of these tests and of nothing else.
const RSA: &str = include_str!("signing-key.pem");

/// The name of that key: `openssl rsa -pubout -outform DER`, of whose SHA-256 the first 30 bytes in base32, by fours.
const RSA_LIBTRUST: &str = "XNR6:HPQM:HFX3:TPTI:SWVB:5M2C:F6RN:UWZW:3PWC:JIWU:JGYV:LWTX";

fn rsa() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(PrivatePkcs8KeyDer::from_pem_slice(RSA.as_bytes()).unwrap().secret_pkcs8_der()).unwrap()
}

fn sign_rsa(padding: &'static dyn signature::RsaEncoding, message: &[u8]) -> Vec<u8> {
    let key = rsa();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ec_jwk(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
}

fn rsa_jwk() -> Value {
    let public = signature::RsaPublicKeyComponents::<Vec<u8>>::from(rsa().public());
    json!({ "kty": "RSA", "n": encode(&public.n), "e": encode(&public.e) })
}

/// A registry that trusts a set of keys.
async fn trusting(issuer: &Issuer, keys: &Value, change: impl FnOnce(&mut TokenOptions)) -> Secured {
    let jwks = issuer.file("keys.json", &json!({ "keys": keys }).to_string());
    let mut options = TokenOptions { root_cert_bundle: None, jwks: Some(jwks), ..issuer.token_options() };
    change(&mut options);
    Secured::with(AccessOptions::Token(options)).await
}

async fn is_let_in(secured: &Secured, token: &str) -> bool {
    secured.get("/v2/", &bearer(token)).await.status == 200
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key of every kind: its algorithm, in JSON, and how it signs.
fn every_kind() -> Vec<(&'static str, Value, Sign)> {
    let rsa_with = |padding: &'static dyn signature::RsaEncoding| -> Sign {
        Box::new(move |message: &[u8]| sign_rsa(padding, message))
    };
    let p256 = KeyPair::generate().unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p521 = p521::ecdsa::SigningKey::from_slice(&[1; 66]).unwrap();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p521_jwk = ec_jwk("P-521", p521::ecdsa::VerifyingKey::from(&p521).to_sec1_point(false).as_bytes());
    let ed25519_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(ed25519.public_key_raw()) });
    let (p256_jwk, p384_jwk) = (ec_jwk("P-256", p256.public_key_raw()), ec_jwk("P-384", p384.public_key_raw()));
    vec![
        ("RS256", rsa_jwk(), rsa_with(&signature::RSA_PKCS1_SHA256)),
        ("RS384", rsa_jwk(), rsa_with(&signature::RSA_PKCS1_SHA384)),
        ("RS512", rsa_jwk(), rsa_with(&signature::RSA_PKCS1_SHA512)),
        ("PS256", rsa_jwk(), rsa_with(&signature::RSA_PSS_SHA256)),
        ("PS384", rsa_jwk(), rsa_with(&signature::RSA_PSS_SHA384)),
        ("PS512", rsa_jwk(), rsa_with(&signature::RSA_PSS_SHA512)),
        ("ES256", p256_jwk, Box::new(move |message| es256(&p256, message))),
        (
            "ES384",
            p384_jwk,
            Box::new(move |message| {
                let (form, random) = (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, SystemRandom::new());
                let key = EcdsaKeyPair::from_pkcs8(form, p384.serialized_der(), &random).unwrap();
                key.sign(&random, message).unwrap().as_ref().to_vec()
            }),
        ),
        (
            "ES512",
            p521_jwk,
            Box::new(move |message| {
                let signature: p521::ecdsa::Signature = p521.sign(message);
                signature.to_bytes().to_vec()
            }),
        ),
        (
            "EdDSA",
            ed25519_jwk,
            Box::new(move |message| {
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(ed25519.serialized_der()).unwrap();
                key.sign(message).as_ref().to_vec()
            }),
        ),
    ]
}

#[tokio::test]
async fn every_algorithm_with_a_key_of_its_kind() {
    let issuer = Issuer::new();
    let claims = claims(&access("a", &["pull"]));
    let kinds = every_kind();
    let keys: Vec<_> = kinds.iter().map(|(_, jwk, _)| jwk.clone()).collect();
    let named: Vec<_> = keys.iter().enumerate().map(|(index, jwk)| named(jwk, &index.to_string())).collect();
    let all = trusting(&issuer, &json!(named), |_| ()).await;
    for (index, (algorithm, jwk, sign)) in kinds.iter().enumerate() {
        let only =
            trusting(&issuer, &json!(named), |options| options.signing_algorithms = vec![(*algorithm).into()]).await;
        for (other, ..) in &kinds {
            let kid = index.to_string();
            let signed = token(&json!({ "alg": other, "kid": kid }), &claims, sign);
            assert_eq!(is_let_in(&all, &signed).await, other == algorithm, "{algorithm} {other}");
            assert_eq!(is_let_in(&only, &signed).await, other == algorithm, "{algorithm} {other}");
        }
        let signed = token(&json!({ "alg": algorithm, "jwk": jwk }), &claims, sign);
        assert!(is_let_in(&all, &signed).await, "{algorithm}");
    }
    let elsewhere =
        trusting(&issuer, &json!([named[0]]), |options| options.signing_algorithms = vec!["RS512".into()]).await;
    let signed = token(&json!({ "alg": "RS256", "kid": "0" }), &claims, &kinds[0].2);
    assert!(!is_let_in(&elsewhere, &signed).await);
}

fn named(jwk: &Value, kid: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk["kid"] = json!(kid);
    jwk
}

#[tokio::test]
async fn a_key_has_three_names() {
    let issuer = Issuer::new();
    let claims = claims(&access("a", &["pull"]));
    let sign = |message: &[u8]| sign_rsa(&signature::RSA_PKCS1_SHA256, message);
    let secured = trusting(&issuer, &json!([named(&rsa_jwk(), "mine")]), |_| ()).await;
    for kid in ["mine", RSA_LIBTRUST] {
        assert!(is_let_in(&secured, &token(&json!({ "alg": "RS256", "kid": kid }), &claims, sign)).await, "{kid}");
    }
    for kid in ["", "Mine", &RSA_LIBTRUST[1..]] {
        assert!(!is_let_in(&secured, &token(&json!({ "alg": "RS256", "kid": kid }), &claims, sign)).await, "{kid}");
    }
    // The key of a certificate has the names that can be told from it.
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(RSA, &rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    let bundle = issuer.file("rsa.pem", &certificate.pem());
    let options = TokenOptions { root_cert_bundle: Some(bundle), ..issuer.token_options() };
    let secured = Secured::with(AccessOptions::Token(options)).await;
    let signed = token(&json!({ "alg": "RS256", "kid": RSA_LIBTRUST }), &claims, sign);
    assert!(is_let_in(&secured, &signed).await);
}

#[tokio::test]
async fn a_key_that_a_token_brings_is_only_a_name() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let claims = claims(&access("a", &["pull"]));
    let jwk = |key: &KeyPair| ec_jwk("P-256", key.public_key_raw());
    let secured = trusting(&issuer, &json!([named(&jwk(&issuer.key), "mine")]), |_| ()).await;
    let good = token(&json!({ "alg": "ES256", "jwk": jwk(&issuer.key) }), &claims, |m| es256(&issuer.key, m));
    assert!(is_let_in(&secured, &good).await);
    // Its own key, under the name of one that is trusted.
    for jwk in [jwk(&stranger.key), named(&jwk(&stranger.key), "mine")] {
        let header = json!({ "alg": "ES256", "kid": "mine", "jwk": jwk });
        assert!(!is_let_in(&secured, &token(&header, &claims, |m| es256(&stranger.key, m))).await);
    }
    // A certificate that nobody vouches for.
    assert!(!is_let_in(&secured, &stranger.signed(&claims)).await);
}

#[tokio::test]
async fn what_a_key_is_for_is_respected() {
    let issuer = Issuer::new();
    let claims = claims(&access("a", &["pull"]));
    let with = |name: &str, value: &str| {
        let mut jwk = named(&rsa_jwk(), "mine");
        jwk[name] = json!(value);
        jwk
    };
    let other = named(&ec_jwk("P-256", issuer.key.public_key_raw()), "other");
    let sign = |message: &[u8]| sign_rsa(&signature::RSA_PKCS1_SHA256, message);
    let signed = token(&json!({ "alg": "RS256", "kid": "mine" }), &claims, sign);
    for (jwk, is_good) in [
        (with("use", "sig"), true),
        (with("use", "enc"), false),
        (with("alg", "RS256"), true),
        (with("alg", "PS256"), false),
        (with("kty", "oct"), false),
    ] {
        let secured = trusting(&issuer, &json!([jwk, other]), |_| ()).await;
        assert_eq!(is_let_in(&secured, &signed).await, is_good, "{jwk}");
    }
}

/// A certificate, and the key and the parameters that it was made by.
struct Made {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

fn make(name: &str, by: Option<&Made>, change: impl FnOnce(&mut CertificateParams)) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    let certificate = match by {
        Some(by) => params.signed_by(&key, &rcgen::Issuer::from_params(&by.params, &by.key)).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Made { params, key, certificate }
}

fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

fn chained(chain: &[&Made], key: &KeyPair) -> String {
    let chain: Vec<_> = chain.iter().map(|made| STANDARD.encode(made.certificate.der())).collect();
    token(&json!({ "alg": "ES256", "x5c": chain }), &claims(&access("a", &["pull"])), |message| es256(key, message))
}

#[tokio::test]
async fn a_chain_leads_to_what_is_trusted() {
    let issuer = Issuer::new();
    let root = make("root", None, authority);
    let middle = make("middle", Some(&root), authority);
    let leaf = make("leaf", Some(&middle), |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    });
    let direct = make("direct", Some(&root), |_| ());
    let expired = make("expired", Some(&root), |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let early = make("early", Some(&root), |params| params.not_before = rcgen::date_time_ymd(2900, 1, 1));
    let alone = make("alone", None, |_| ());
    let old = make("old", None, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    // Of the same name as the root, and signed by itself.
    let forged = make("root", None, authority);
    let by_forged = make("leaf", Some(&forged), |_| ());
    let by_leaf = make("more", Some(&direct), |_| ());
    let pem = [&root, &alone, &old].map(|made| made.certificate.pem()).concat();
    let bundle = issuer.file("roots.pem", &format!("A comment.\n{pem}"));
    let options = TokenOptions { root_cert_bundle: Some(bundle), ..issuer.token_options() };
    let secured = Secured::with(AccessOptions::Token(options)).await;
    let good = [
        chained(&[&leaf, &middle], &leaf.key),
        chained(&[&leaf, &middle, &root], &leaf.key),
        chained(&[&direct], &direct.key),
        chained(&[&alone], &alone.key),
        chained(&[&root], &root.key),
    ];
    for (index, token) in good.iter().enumerate() {
        assert!(is_let_in(&secured, token).await, "{index}");
    }
    let nine = [&leaf; 9];
    let bad = [
        chained(&[], &root.key),
        chained(&[&leaf], &leaf.key),
        chained(&[&leaf, &middle], &middle.key),
        chained(&[&leaf, &root], &leaf.key),
        chained(&[&expired], &expired.key),
        chained(&[&early], &early.key),
        chained(&[&old], &old.key),
        chained(&[&by_forged, &forged], &by_forged.key),
        chained(&[&by_forged, &root], &by_forged.key),
        chained(&[&forged], &forged.key),
        chained(&[&by_leaf, &direct], &by_leaf.key),
        chained(&nine, &leaf.key),
    ];
    for (index, token) in bad.iter().enumerate() {
        let challenge = Secured::refused(secured.get("/v2/", &bearer(token)).await);
        assert!(challenge.ends_with(r#"error="invalid_token""#), "{index}: {challenge}");
    }
}

#[tokio::test]
async fn a_key_with_a_chain_is_that_of_its_certificate() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let secured = Secured::with(issuer.options()).await;
    let claims = claims(&access("a", &["pull"]));
    let with_chain = |key: &KeyPair| {
        let mut jwk = ec_jwk("P-256", key.public_key_raw());
        jwk["x5c"] = json!([STANDARD.encode(issuer.certificate.der())]);
        token(&json!({ "alg": "ES256", "jwk": jwk }), &claims, |message| es256(key, message))
    };
    assert!(is_let_in(&secured, &with_chain(&issuer.key)).await);
    assert!(!is_let_in(&secured, &with_chain(&stranger.key)).await);
}
