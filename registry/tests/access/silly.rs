//! Whoever says anything.

use http::Method;
use registry::access::{AccessOptions, SillyOptions};

use crate::secured::{Secured, requests};

async fn secured() -> Secured {
    let options = SillyOptions { realm: "https://tokens.test/".into(), service: "here".into() };
    Secured::with(AccessOptions::Silly(options)).await
}

#[tokio::test]
async fn who_says_nothing_is_told_the_scope() {
    let secured = secured().await;
    for (method, path, actions) in requests("a/b") {
        let challenge = Secured::refused(secured.send(method, &path, "").await);
        let expected =
            format!(r#"Bearer realm="https://tokens.test/",service="here",scope="repository:a/b:{actions}""#);
        assert_eq!(challenge, expected, "{path}");
    }
    let challenge = Secured::refused(secured.get("/v2/", "").await);
    assert_eq!(challenge, r#"Bearer realm="https://tokens.test/",service="here""#);
}

#[tokio::test]
async fn who_says_anything_may_do_everything() {
    let secured = secured().await;
    secured.get("/v2/", "Anything").await.expect(200);
    secured.get("/v2/_catalog", "Bearer x").await.expect(200);
    secured.send(Method::POST, "/v2/a/blobs/uploads/", "?").await.expect(202);
}

#[tokio::test]
async fn a_realm_cannot_add_headers() {
    let options = SillyOptions { realm: "a\r\nb: c".into(), service: "s".into() };
    let error = registry::access::AccessControl::open(AccessOptions::Silly(options)).await.unwrap_err();
    assert_eq!(error.to_string(), "silly.realm: no header can have control characters");
}
