//! Texts of others: none becomes markup, a link that does something, or a page without end.

use serde_json::{Value, json};

use crate::harness::{Client, image};

/// More than any page has: 1 MiB.
const PAGE_BYTES: usize = 1024 * 1024;

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style></title><script>alert(1)</script>",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https://a.test",
    "data:text/html,<script>alert(1)</script>",
    "https://user:password@a.test/",
    "https://a.test/\"onclick=\"alert(1)",
    "&lt;b&gt; &amp;",
    "\u{0}\u{1b}[31m\u{202e}",
    "<!-- ",
    "]]>",
];

#[tokio::test]
async fn texts_of_others_are_shown_as_texts() {
    let client = Client::new();
    let (subject, text) = client.push_image("a", "subject", "").await;
    for hostile in HOSTILE {
        let mut image: Value = serde_json::from_str(&image("")).unwrap();
        image["artifactType"] = json!(hostile);
        image["config"]["mediaType"] = json!(format!("{hostile}."));
        image["layers"][0]["mediaType"] = json!(hostile);
        image["annotations"] = json!({ *hostile: "x", "value": hostile, "org.opencontainers.image.created": hostile });
        image["subject"] = json!({ "mediaType": hostile, "digest": subject, "size": text.len() });
        client.put_manifest("a", "image", &image.to_string()).await.expect(201);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": hostile, "artifactType": hostile, "digest": subject, "size": text.len(),
                "platform": { "os": hostile, "architecture": hostile, "variant": hostile, "os.version": hostile },
            }],
        });
        client.put_manifest("a", "index", &index.to_string()).await.expect(201);
        let seen: String = hostile.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        // Each page was looked through: no element and no attribute in it is unknown.
        let page = client.page("/ui/a/manifests/image").await.expect(200);
        page.shows(["Artifact type", &seen, "Configuration", &seen, "Layers", &seen, "Annotations", &seen, &seen]);
        client.page("/ui/a/manifests/index").await.expect(200).shows([&seen, &seen, &seen, &seen]);
        client.page("/ui/a/manifests/subject").await.expect(200).shows(["Referrers", &seen]);
        client.page(&format!("/ui/a/referrers/{subject}")).await.expect(200).shows([&seen]);
    }
}

#[tokio::test]
async fn links_of_others_lead_to_the_web_or_nowhere() {
    let client = Client::new();
    for hostile in HOSTILE {
        client.push_image("a", "x", &format!(r#","annotations":{}"#, json!({ "x": hostile }))).await;
        let page = client.page("/ui/a/manifests/x").await.expect(200);
        let outside: Vec<_> = page.links.iter().filter(|link| !link.address.starts_with('/')).collect();
        let expected = if hostile.starts_with("https://a.test/") { 1 } else { 0 };
        assert_eq!(outside.len(), expected, "{outside:?}");
        assert!(outside.iter().all(|link| !link.address.contains('"')), "{outside:?}");
    }
}

#[tokio::test]
async fn what_an_address_says_is_no_markup() {
    let client = Client::new();
    for path in [
        "/?last=%3Cscript%3E",
        "/ui/%3Cscript%3E/tags/list",
        "/ui/a/manifests/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/ui/a/manifests/%22onload=%22x",
        "/ui/a/referrers/sha256:%3Cscript%3E",
        "/ui/a/referrers/sha256:00?last=%3Cscript%3E",
        "/ui/%3Cscript%3E",
        "/ui/a/tags/list?last=%3Cscript%3E",
    ] {
        let page = client.page(path).await;
        assert!(page.reply.status.is_client_error(), "{path}: {page:?}");
    }
    client.push_image("a", "latest", "").await;
    client.page("/ui/a/tags/list?last=%3Cscript%3E").await.expect(200);
}

#[tokio::test]
async fn a_page_has_an_end() {
    let client = Client::new();
    let (digest, text) = client.push_image("a", "x", "").await;
    // Each `"` takes six bytes.
    let long = "\"".repeat(3000);
    let mut image: Value = serde_json::from_str(&text).unwrap();
    let mut layer = image["layers"][0].clone();
    layer["mediaType"] = json!("\"".repeat(300));
    image["layers"] = Value::Array(vec![layer; 300]);
    image["artifactType"] = json!(long);
    let annotations = (0..100).map(|number| (format!("{number:03}{long}"), json!(long)));
    image["annotations"] = Value::Object(annotations.collect());
    client.put_manifest("a", "image", &image.to_string()).await.expect(201);
    let page = client.page("/ui/a/manifests/image").await.expect(200);
    assert!(page.reply.body.len() < PAGE_BYTES, "{}", page.reply.body.len());
    page.shows([
        "Layers",
        "Total of 300",
        "100 more are in the manifest",
        "Annotations",
        "36 more are in the manifest",
    ]);
    assert_eq!(page.links.iter().filter(|link| link.address.contains("/blobs/")).count(), 201);

    let child = json!({
        "mediaType": "\"".repeat(300), "digest": digest, "size": text.len(),
        "platform": { "os": "\"".repeat(300), "architecture": "\"".repeat(300) },
    });
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": vec![child; 300],
        "annotations": image["annotations"],
    });
    client.put_manifest("a", "index", &index.to_string()).await.expect(201);
    let page = client.page("/ui/a/manifests/index").await.expect(200);
    assert!(page.reply.body.len() < PAGE_BYTES, "{}", page.reply.body.len());
    page.shows(["Manifests", "100 more are in the manifest"]);
}
