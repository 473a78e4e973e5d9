//! The keys of a configuration file, and what is told of those that are wrong.

use driver_factory::{Document, Factory};
use registry::access::{AccessOptions, HtpasswdOptions, SillyOptions, TokenOptions};

fn read(auth: &str) -> Result<AccessOptions, Vec<String>> {
    let document = Document::parse("r.yml", &format!("{auth}\nstorage: inmemory\n")).unwrap();
    let read = Factory::builtin().read_with(document, [], |sections| sections.read("auth"));
    let read = read.map(|(_, options)| options);
    read.map_err(|errors| errors.mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn each_way_in() {
    for nothing in ["", "auth: none", "auth: {none: }", "auth: {none: {}}"] {
        assert_eq!(read(nothing), Ok(AccessOptions::default()), "{nothing}");
    }
    let htpasswd = HtpasswdOptions { realm: "basic-realm".into(), path: "/auth/htpasswd".into() };
    let text = "auth:\n  htpasswd:\n    realm: basic-realm\n    path: /auth/htpasswd";
    assert_eq!(read(text), Ok(AccessOptions::Htpasswd(htpasswd)));
    let token = TokenOptions {
        realm: "https://tokens.test/token".into(),
        service: "registry".into(),
        issuer: "tokens".into(),
        root_cert_bundle: Some("/bundle.pem".into()),
        signing_algorithms: vec!["RS256".into(), "ES256".into()],
        auto_redirect: true,
        ..TokenOptions::default()
    };
    let text = "auth:
  token:
    realm: https://tokens.test/token
    service: registry
    issuer: tokens
    rootcertbundle: /bundle.pem
    signingalgorithms: [RS256, ES256]
    autoredirect: true";
    assert_eq!(read(text), Ok(AccessOptions::Token(token)));
    let silly = SillyOptions { realm: "r".into(), service: "s".into() };
    assert_eq!(read("auth: {silly: {realm: r, service: s}}"), Ok(AccessOptions::Silly(silly)));
}

/// A mistake must not end in a registry that is open to all.
#[test]
fn what_is_wrong_is_told() {
    for wrong in [
        "auth: {}",
        "auth: htpasswd",
        "auth: {htpasswd: }",
        "auth: {htpasswd: {realm: r}}",
        "auth: {htpasswd: {realm: r, path: /p, user: u}}",
        "auth: {htpaswd: {realm: r, path: /p}}",
        "auth: {htpasswd: {realm: r, path: /p}, none: }",
        "auth: {none: {realm: r}}",
        "auth: {token: {realm: r, service: s}}",
        "auth: {token: {realm: r, service: s, issuer: i, autoredirect: maybe}}",
        "auth: [none]",
        "auth: false",
    ] {
        let mistakes = read(wrong).unwrap_err();
        assert!(mistakes.iter().all(|mistake| mistake.contains("auth")), "{mistakes:?}");
    }
}
