//! What tokens say.

use blobstore::Digest;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use http::{Method, header};
use registry::access::{AccessControl, AccessOptions, Action, Grant, Refusal, TokenOptions};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::issuer::{ISSUER, Issuer, REALM, SERVICE, access, bearer, claims, es256, now, token};
use crate::secured::{Secured, requests};

fn challenge(scope: &str, error: &str) -> String {
    let scope = if scope.is_empty() { String::new() } else { format!(r#",scope="{scope}""#) };
    let error = if error.is_empty() { String::new() } else { format!(r#",error="{error}""#) };
    format!(r#"Bearer realm="{REALM}",service="{SERVICE}"{scope}{error}"#)
}

#[tokio::test]
async fn who_has_no_token_is_told_what_to_get_whether_or_not_it_is_there() {
    let issuer = Issuer::new();
    let secured = Secured::with(issuer.options()).await;
    secured.open.push_image("there", "latest", "").await;
    for ((method, there, actions), (_, nowhere, _)) in requests("there").into_iter().zip(requests("nowhere")) {
        let there = secured.send(method.clone(), &there, "").await;
        let nowhere = secured.send(method, &nowhere, "").await;
        assert_eq!(there.body, nowhere.body);
        assert_eq!(Secured::refused(there), challenge(&format!("repository:there:{actions}"), ""));
        assert_eq!(Secured::refused(nowhere), challenge(&format!("repository:nowhere:{actions}"), ""));
    }
    for authorization in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearerx"] {
        assert_eq!(Secured::refused(secured.get("/v2/", authorization).await), challenge("", ""));
        assert_eq!(Secured::refused(secured.get("/v2/BAD/tags/list", authorization).await), challenge("", ""));
        let catalog = Secured::refused(secured.get("/v2/_catalog", authorization).await);
        assert_eq!(catalog, challenge("registry:catalog:*", ""));
    }
}

#[tokio::test]
async fn a_token_is_good_for_what_it_says() {
    let issuer = Issuer::new();
    let secured = Secured::with(issuer.options()).await;
    secured.open.push_image("a", "latest", "").await;
    let status = async |actions: &[&str], method: &Method, path: &str| {
        let token = bearer(&issuer.token(&access("a", actions)));
        secured.send(method.clone(), path, &token).await
    };
    for (method, path, actions) in requests("a") {
        let scope = format!("repository:a:{actions}");
        let needed: Vec<_> = actions.split(',').collect();
        for missing in &needed {
            let others: Vec<_> = ["pull", "push", "delete"].into_iter().filter(|action| action != missing).collect();
            let refused = Secured::refused(status(&others, &method, &path).await);
            assert_eq!(refused, challenge(&scope, "insufficient_scope"), "{method} {path}");
        }
        let reply = status(&needed, &method, &path).await;
        assert_ne!(reply.status, 401, "{method} {path}");
    }
    secured.open.push_image("a", "latest", "").await;
    assert_eq!(status(&["*"], &Method::DELETE, "/v2/a/manifests/latest").await.status, 202);
    let token = bearer(&issuer.token(&json!([])));
    secured.get("/v2/", &token).await.expect(200);
    let refused = Secured::refused(secured.get("/v2/_catalog", &token).await);
    assert_eq!(refused, challenge("registry:catalog:*", "insufficient_scope"));
    let catalog = json!([{ "type": "registry", "name": "catalog", "actions": ["*"] }]);
    secured.get("/v2/_catalog", &bearer(&issuer.token(&catalog))).await.expect(200);
}

#[tokio::test]
async fn a_blob_is_mounted_from_where_it_may_be_pulled() {
    let issuer = Issuer::new();
    let secured = Secured::with(issuer.options()).await;
    secured.open.push_image("hidden", "latest", "").await;
    let layer = Digest::of(b"layer");
    let own = json!({ "type": "repository", "name": "mine", "actions": ["pull", "push"] });
    let other = json!({ "type": "repository", "name": "hidden", "actions": ["pull"] });
    let may_not = bearer(&issuer.token(&json!([own])));
    let may = bearer(&issuer.token(&json!([own, other])));
    for from in ["&from=hidden", ""] {
        let path = format!("/v2/mine/blobs/uploads/?mount={layer}{from}");
        let reply = secured.send(Method::POST, &path, &may_not).await.expect(202);
        assert!(!reply.headers.contains_key("docker-content-digest"));
        secured.get(&format!("/v2/mine/blobs/{layer}"), &may_not).await.expect_error(404, "BLOB_UNKNOWN");
    }
    // What is nowhere is answered in the same way.
    let path = format!("/v2/mine/blobs/uploads/?mount={layer}&from=nowhere");
    secured.send(Method::POST, &path, &may_not).await.expect(202);
    let path = format!("/v2/mine/blobs/uploads/?mount={layer}&from=hidden");
    secured.send(Method::POST, &path, &may).await.expect(201);
    secured.get(&format!("/v2/mine/blobs/{layer}"), &may_not).await.expect(200);
}

#[tokio::test]
async fn a_challenge_names_what_is_wished_and_does_not_insist() {
    let issuer = Issuer::new();
    let access_control = AccessControl::open(issuer.options()).await.unwrap();
    let grant = |name: &str, action| Grant::repository(name.parse().unwrap(), action);
    let wanted = [grant("mine", Action::Pull), grant("mine", Action::Push)];
    let wished = [grant("other", Action::Pull)];
    let asked = async |token: Option<String>| {
        let header = token.map(|token| (header::AUTHORIZATION, bearer(&token).parse().unwrap()));
        match access_control.authorize_wishing(&header.into_iter().collect(), &wanted, &wished).await {
            Ok(caller) => Ok(caller.name),
            Err(Refusal::Challenge(challenge)) => Err(challenge.to_str().unwrap().to_owned()),
            Err(other) => panic!("{other:?}"),
        }
    };
    let scope = "repository:mine:pull,push repository:other:pull";
    assert_eq!(asked(None).await, Err(challenge(scope, "")));
    let too_little = issuer.token(&access("mine", &["pull"]));
    assert_eq!(asked(Some(too_little)).await, Err(challenge(scope, "insufficient_scope")));
    let enough = issuer.token(&access("mine", &["pull", "push"]));
    assert_eq!(asked(Some(enough)).await, Ok(Some("ana".to_owned())));
}

#[tokio::test]
async fn a_token_that_is_not_for_here_and_now_is_none() {
    let issuer = Issuer::new();
    let secured = Secured::with(issuer.options()).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims(&access("a", &["*"]));
        claims[name] = value;
        bearer(&issuer.signed(&claims))
    };
    for token in [
        with("exp", json!(now() - 30)),
        with("nbf", json!(now() + 30)),
        with("aud", json!(["other", SERVICE])),
        with("sub", json!(null)),
    ] {
        secured.get("/v2/", &token).await.expect(200);
    }
    for (name, value) in [
        ("exp", json!(now() - 90)),
        ("exp", json!(null)),
        ("exp", json!((now() + 300).to_string())),
        ("nbf", json!(now() + 90)),
        ("iss", json!("other.test")),
        ("iss", json!(format!("{ISSUER}/"))),
        ("aud", json!("other.test")),
        ("aud", json!([])),
        ("access", json!("*")),
    ] {
        let refused = Secured::refused(secured.get("/v2/", &with(name, value.clone())).await);
        assert_eq!(refused, challenge("", "invalid_token"), "{name} {value}");
    }
}

#[tokio::test]
async fn a_remembered_token_expires() {
    let issuer = Issuer::new();
    let secured = Secured::with(issuer.options()).await;
    let mut claims = claims(&json!([]));
    claims["exp"] = json!(now() - 59);
    let token = bearer(&issuer.signed(&claims));
    secured.get("/v2/", &token).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    Secured::refused(secured.get("/v2/", &token).await);
}

#[tokio::test]
async fn a_signature_is_that_of_the_token() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let secured = Secured::with(issuer.options()).await;
    let claims = claims(&access("a", &["*"]));
    let good = issuer.signed(&claims);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let header = |alg: &str| {
        let mut header = issuer.header();
        header["alg"] = json!(alg);
        header
    };
    // The public key, which everybody has, as if it were a secret.
    let hmac = |secret: &[u8], message: &[u8]| {
        let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(message);
        mac.finalize().into_bytes().to_vec()
    };
    let (der, pem) = (issuer.key.public_key_raw().to_vec(), issuer.key.public_key_pem());
    let mut critical = issuer.header();
    critical["crit"] = json!(["b64"]);
    let other = issuer.token(&access("b", &["*"]));
    let bad = [
        token(&issuer.header(), &claims, |message| es256(&stranger.key, message)),
        token(&header("none"), &claims, |_| Vec::new()),
        token(&header("NONE"), &claims, |_| Vec::new()),
        token(&header(""), &claims, |_| Vec::new()),
        token(&header("HS256"), &claims, |message| hmac(&der, message)),
        token(&header("HS256"), &claims, |message| hmac(pem.as_bytes(), message)),
        token(&header("ES384"), &claims, |message| es256(&issuer.key, message)),
        token(&header("RS256"), &claims, |message| es256(&issuer.key, message)),
        token(&issuer.header(), &claims, |_| vec![0; 64]),
        token(&issuer.header(), &claims, |_| Vec::new()),
        token(&critical, &claims, |message| es256(&issuer.key, message)),
        token(&json!({ "alg": "ES256" }), &claims, |message| es256(&issuer.key, message)),
        token(&json!({ "alg": "ES256", "kid": "unknown" }), &claims, |message| es256(&issuer.key, message)),
        format!("{message}."),
        message.to_owned(),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{}.{signature}", other.rsplit_once('.').unwrap().0),
        good.replace('.', ".."),
        format!("{}{good}", "A".repeat(40_000)),
    ];
    secured.get("/v2/", &bearer(&good)).await.expect(200);
    for (index, token) in bad.iter().enumerate() {
        let refused = Secured::refused(secured.get("/v2/", &bearer(token)).await);
        assert_eq!(refused, challenge("", "invalid_token"), "{index}");
    }
}

#[tokio::test]
async fn clients_are_sent_to_the_host_that_they_call() {
    let issuer = Issuer::new();
    let mut options = TokenOptions { auto_redirect: true, ..issuer.token_options() };
    let secured = Secured::with(AccessOptions::Token(options.clone())).await;
    let asked = async |secured: &Secured, headers: &[(&str, &str)]| {
        let challenge = Secured::refused(secured.send_with(Method::GET, "/v2/", headers).await);
        challenge.split('"').nth(1).unwrap().to_owned()
    };
    assert_eq!(asked(&secured, &[]).await, "https://registry.test/auth/token");
    assert_eq!(asked(&secured, &[("x-forwarded-proto", "http")]).await, "http://registry.test/auth/token");
    assert_eq!(asked(&secured, &[("x-forwarded-proto", "javascript")]).await, "https://registry.test/auth/token");
    let access_control = AccessControl::open(AccessOptions::Token(options.clone())).await.unwrap();
    for (host, realm) in [
        ("[::1]:5000", "https://[::1]:5000/auth/token"),
        ("a\"b", REALM),
        ("a/b", REALM),
        ("user@a", REALM),
        ("", REALM),
    ] {
        let headers = [(header::HOST, host.parse().unwrap())].into_iter().collect();
        let Err(Refusal::Challenge(challenge)) = access_control.authorize(&headers, &[]).await else {
            panic!("{host}")
        };
        assert_eq!(challenge, format!(r#"Bearer realm="{realm}",service="{SERVICE}""#), "{host}");
    }
    options.auto_redirect_path = Some("other".into());
    let secured = Secured::with(AccessOptions::Token(options)).await;
    assert_eq!(asked(&secured, &[]).await, "https://registry.test/other");
}

#[tokio::test]
async fn options_that_cannot_be() {
    let issuer = Issuer::new();
    let told = async |change: &dyn Fn(&mut TokenOptions)| {
        let mut options = issuer.token_options();
        change(&mut options);
        AccessControl::open(AccessOptions::Token(options)).await.unwrap_err().to_string()
    };
    let hmac = told(&|options| options.signing_algorithms = vec!["ES256".into(), "HS256".into()]).await;
    assert!(hmac.starts_with(r#"token.signingalgorithms: "HS256" is not among those"#), "{hmac}");
    assert!(told(&|options| options.issuer.clear()).await.starts_with("token.issuer: "));
    assert!(told(&|options| options.service = "a\nb".into()).await.starts_with("token.service: "));
    assert!(told(&|options| options.root_cert_bundle = None).await.starts_with("token: one of `rootcertbundle`"));
    let empty = issuer.file("empty.pem", "");
    let empty = told(&|options| options.root_cert_bundle = Some(empty.clone())).await;
    assert!(empty.ends_with("empty.pem: the file has no certificate in PEM"), "{empty}");
    let damaged = issuer.file("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let damaged = told(&|options| options.root_cert_bundle = Some(damaged.clone())).await;
    assert!(damaged.ends_with("damaged.pem: its certificate 1 is damaged"), "{damaged}");
    for (content, problem) in [
        ("hidden", "keys.json:1: the file is no JSON Web Key Set"),
        (
            r#"{"keys": [{"kty": "oct", "k": "hidden"}]}"#,
            "keys.json: the file has no key that tokens can be signed with",
        ),
    ] {
        let keys = issuer.file("keys.json", content);
        let error = told(&|options| options.jwks = Some(keys.clone())).await;
        assert!(error.ends_with(problem), "{error}");
    }
    let missing = told(&|options| options.jwks = Some("/nowhere/at/all".into())).await;
    assert!(missing.starts_with("/nowhere/at/all: "), "{missing}");
}
