//! A page shows what its reader could ask of the API, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobstore::Digest;
use registry::RegistryOptions;
use registry::access::{AccessControl, AccessOptions, HtpasswdOptions};
use registry::health::Health;
use serde_json::json;

use crate::harness::Client;
use crate::issuer::{Issuer, access, bearer};

/// A registry that asks who is there, in which there are `a` and `b`.
async fn secured(access: AccessOptions, health: Option<Health>) -> Client {
    let mut options = RegistryOptions::default();
    options.access = AccessControl::open(access).await.unwrap();
    options.health = health;
    let open = Client::new();
    open.push_image("a", "latest", "").await;
    open.push_image("b", "latest", "").await;
    open.other_server(options)
}

/// Pages, and what they are of the API.
fn pages() -> Vec<(String, String)> {
    let digest = Digest::of(b"x");
    let paths = [
        "tags/list".to_owned(),
        "manifests/latest".to_owned(),
        "manifests/missing".to_owned(),
        format!("referrers/{digest}"),
    ];
    let names = ["a", "missing", "BAD"].into_iter();
    let pages = names.flat_map(|name| paths.iter().map(move |path| format!("{name}/{path}")));
    let pages = pages.map(|path| (format!("/ui/{path}"), format!("/v2/{path}")));
    let lists = ["/", "/ui/"].map(|page| (page.to_owned(), "/v2/_catalog".to_owned()));
    lists.into_iter().chain(pages).collect()
}

#[tokio::test]
async fn browsers_are_asked_for_a_password() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    std::fs::write(&path, format!("ana:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
    let client = secured(AccessOptions::Htpasswd(HtpasswdOptions { realm: "here".into(), path }), None).await;
    for (page, api) in pages() {
        let refused = client.page(&page).await.expect(401);
        let challenge = client.get(&api).await.expect(401).header("www-authenticate").to_owned();
        assert_eq!(refused.reply.header("www-authenticate"), challenge);
        assert_eq!(challenge, r#"Basic realm="here""#);
        refused.shows(["Sign in", "asked for a name and a password", "401"]);
        let wrong = format!("Basic {}", STANDARD.encode("ana:wrong"));
        client.page_with(&page, &[("authorization", &wrong)]).await.expect(401);
        let right = format!("Basic {}", STANDARD.encode("ana:secret"));
        let status = client.send(http::Method::GET, &api, &[("authorization", &right)], "").await.status;
        client.page_with(&page, &[("authorization", &right)]).await.expect(status.as_u16());
    }
    // What asks whether the process is alive has no password.
    client.get("/").await.expect(200);
}

#[tokio::test]
async fn a_token_shows_what_it_is_good_for() {
    let issuer = Issuer::new();
    let client = secured(issuer.options(), None).await;
    for (page, api) in pages() {
        let refused = client.page(&page).await.expect(401);
        let challenge = client.get(&api).await.expect(401).header("www-authenticate").to_owned();
        assert_eq!(refused.reply.header("www-authenticate"), challenge);
        refused.shows(["Sign in", "which a browser cannot get"]);
        assert!(!refused.text.contains("latest"));
    }
    let of_a = bearer(&issuer.token(&access("a", &["pull"])));
    let headers = [("authorization", of_a.as_str())];
    client.page_with("/ui/a/tags/list", &headers).await.expect(200).shows(["latest"]);
    client.page_with("/ui/a/manifests/latest", &headers).await.expect(200);
    for path in ["/", "/ui/b/tags/list", "/ui/b/manifests/latest", "/ui/missing/tags/list"] {
        let refused = client.page_with(path, &headers).await.expect(401);
        assert!(refused.reply.header("www-authenticate").ends_with(r#"error="insufficient_scope""#));
        assert!(refused.linked("/ui/").is_empty());
    }
    let push = bearer(&issuer.token(&access("a", &["push"])));
    client.page_with("/ui/a/tags/list", &[("authorization", &push)]).await.expect(401);
    let list = bearer(&issuer.token(&json!([{ "type": "registry", "name": "catalog", "actions": ["*"] }])));
    let page = client.page_with("/", &[("authorization", &list)]).await.expect(200);
    assert_eq!(page.linked("/ui/"), ["a", "b"]);
}

#[tokio::test]
async fn what_fails_is_for_those_who_may_see_the_list() {
    let issuer = Issuer::new();
    let health = Health::new();
    health.update("disk", Err("full".to_owned()));
    let client = secured(issuer.options(), Some(health)).await;
    let page = client.page("/").await.expect(503);
    page.shows(["Not available", "Health check failed"]);
    assert!(!page.text.contains("Storage"));
    let list = bearer(&issuer.token(&json!([{ "type": "registry", "name": "catalog", "actions": ["*"] }])));
    client.page_with("/", &[("authorization", &list)]).await.expect(503).shows(["Other checks", "1 failing"]);
}
