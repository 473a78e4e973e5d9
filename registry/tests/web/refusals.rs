//! Pages that are not there, and who asks for something else than a page.

use blobstore::{Digest, Namespace, NamespaceOptions};
use driver_api::layers::{Fault, Faults};
use driver_factory::{Document, Factory};
use http::Method;
use registry::configuration::Configuration;
use registry::{Registry, RegistryOptions};

use crate::harness::Client;
use crate::page::{BROWSER, Page};

#[tokio::test]
async fn what_is_not_there_is_a_page_as_well() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    let unknown = Digest::of(b"unknown");
    for (path, status, says) in [
        ("/ui/b/tags/list".to_owned(), 404, "Not found"),
        ("/ui/a/manifests/missing".to_owned(), 404, "Not found"),
        (format!("/ui/a/manifests/{unknown}"), 404, "Not found"),
        ("/ui/a".to_owned(), 404, "Not found"),
        (format!("/ui/a/blobs/{unknown}"), 404, "Not found"),
        ("/ui/a/blobs/uploads/".to_owned(), 404, "Not found"),
        ("/ui/A/tags/list".to_owned(), 400, "Not understood"),
        ("/ui/a/manifests/-x".to_owned(), 400, "Not understood"),
        ("/ui/a/manifests/sha256:12".to_owned(), 400, "Not understood"),
        ("/?last=A".to_owned(), 400, "Not understood"),
        (format!("/ui/a/referrers/{unknown}?last=x"), 400, "Not understood"),
    ] {
        let page = client.page(&path).await.expect(status);
        page.shows([says, &status.to_string()]);
        assert_eq!(page.link("Registry"), "/");
    }
    // What is beside the pages is the API's.
    for path in ["/uix", "/ui2/", "/v1", "/favicon.ico"] {
        client.send(Method::GET, path, &[BROWSER], "").await.expect_error(404, "UNKNOWN");
    }
}

#[tokio::test]
async fn a_storage_that_fails_is_not_described() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    let storage = client.storage.layered(Faults::from(0, Fault::Before(driver_api::ErrorKind::Unavailable)));
    let registry =
        Registry::new(Namespace::new(storage.clone(), NamespaceOptions::default()), RegistryOptions::default());
    let client = Client { registry, storage };
    for path in ["/", "/ui/a/tags/list", "/ui/a/manifests/latest"] {
        let page = client.page(path).await.expect(503);
        page.shows(["Not available", "try again later"]);
        assert_eq!(page.reply.header("retry-after"), "5");
        assert!(!page.text.contains("docker/registry"), "{page:?}");
    }
    client.get("/").await.expect(200);
}

#[tokio::test]
async fn pages_are_only_read() {
    let client = Client::new();
    client.push_image("a", "latest", "").await;
    for path in ["/", "/ui/", "/ui/a/tags/list", "/ui/a/manifests/latest"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let page = Page::of(client.send(method, path, &[BROWSER], "body").await).expect(405);
            assert_eq!(page.reply.header("allow"), "GET, HEAD");
        }
        let whole = client.page(path).await.expect(200);
        let head = client.send(Method::HEAD, path, &[BROWSER], "").await.expect(200);
        assert_eq!(head.header("content-length"), whole.reply.body.len().to_string());
        assert_eq!(head.header("content-security-policy"), whole.reply.header("content-security-policy"));
    }
    client.get("/v2/a/manifests/latest").await.expect(200);
}

#[tokio::test]
async fn who_does_not_ask_for_html_is_told_that_the_process_is_alive() {
    let client = Client::new();
    for accept in
        [&[][..], &[("accept", "*/*")], &[("accept", "application/json")], &[("accept", "text/htmlx, text/*")]]
    {
        for method in [Method::GET, Method::HEAD] {
            let reply = client.send(method, "/", accept, "").await.expect(200);
            assert_eq!((reply.body.len(), reply.header("cache-control")), (0, "no-cache"));
            assert!(!reply.headers.contains_key("content-security-policy"));
            assert_eq!(reply.header("vary"), "Accept");
        }
    }
    for accept in ["text/html", "a/b, TEXT/HTML;q=0.1"] {
        Page::of(client.send(Method::GET, "/", &[("accept", accept)], "").await).expect(200);
    }
    // The others are pages, whatever is asked for.
    Page::of(client.get("/ui/").await).expect(200);
}

#[tokio::test]
async fn without_the_page_all_is_as_it_was() {
    let mut options = RegistryOptions::default();
    options.page = false;
    let client = Client::with(options);
    let reply = client.send(Method::GET, "/", &[BROWSER], "").await.expect(200);
    assert_eq!((reply.body.len(), reply.header("cache-control")), (0, "no-cache"));
    assert!(!reply.headers.contains_key("vary") && !reply.headers.contains_key("content-type"));
    client.send(Method::POST, "/", &[BROWSER], "").await.expect_error(404, "UNKNOWN");
    for path in ["/ui", "/ui/", "/ui/_catalog", "/ui/a/tags/list"] {
        client.send(Method::GET, path, &[BROWSER], "").await.expect_error(404, "UNKNOWN");
    }
}

#[test]
fn the_page_is_there_unless_it_is_said_otherwise() {
    let read = |text: &str, variables: &[(&str, &str)]| {
        let document = Document::parse("r.yml", &format!("{text}\nstorage: inmemory\n")).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Configuration::read(&Factory::builtin(), document, variables).map(|read| read.http.page)
    };
    for (text, expected) in [
        ("", true),
        ("http: {addr: ':5000'}", true),
        ("http: {page: {enabled: true}}", true),
        ("http: {page: {enabled: false}}", false),
    ] {
        assert_eq!(read(text, &[]).unwrap(), expected, "{text}");
    }
    assert!(!read("", &[("REGISTRY_HTTP_PAGE_ENABLED", "false")]).unwrap());
    for wrong in ["http: {page: false}", "http: {page: {enable: false}}", "http: {page: {enabled: perhaps}}"] {
        assert_eq!(read(wrong, &[]).unwrap_err().mistakes.len(), 1, "{wrong}");
    }
}
