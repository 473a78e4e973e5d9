//! A5.13 and A7: manifests that refer to others.

use blobstore::{Algorithm, Digest, Place, media_type};
use serde_json::{Value, json};

use crate::harness::{Client, image, index};

fn subject(digest: &Digest, more: &str) -> String {
    let media_type = media_type::OCI_MANIFEST;
    format!(r#", "subject": {{"mediaType": "{media_type}", "digest": "{digest}", "size": 1}}{more}"#)
}

async fn referrers(client: &Client, digest: &Digest, query: &str) -> Vec<Value> {
    let reply = client.get(&format!("/v2/a/referrers/{digest}{query}")).await.expect(200);
    assert_eq!(reply.header("content-type"), media_type::OCI_INDEX);
    let value = reply.json();
    assert_eq!((&value["schemaVersion"], &value["mediaType"]), (&json!(2), &json!(media_type::OCI_INDEX)));
    value["manifests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a7_1_nothing_refers_to_what_nobody_knows() {
    let client = Client::new();
    assert!(referrers(&client, &Digest::of(b"x"), "").await.is_empty());
    client.get("/v2/a/referrers/sha256:x").await.expect_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a5_13_and_a7_2_a_referrer_is_listed_with_all_that_it_says() {
    let client = Client::new();
    for algorithm in Algorithm::ALL {
        let missing = Digest::with(algorithm, b"not here");
        client.push_image("a", "x", "").await;
        let more = r#", "artifactType": "application/vnd.example.sbom", "annotations": {"a": "b"}"#;
        let text = image(&subject(&missing, more));
        let reply = client.put_manifest("a", &Digest::of(text.as_bytes()).to_string(), &text).await.expect(201);
        assert_eq!(reply.header("oci-subject"), missing.to_string());
        let plain = image(&subject(&missing, ""));
        let reply = client.put_manifest("a", "tagged", &plain).await.expect(201);
        assert_eq!(reply.header("oci-subject"), missing.to_string());
        let list = index(&[], &subject(&missing, ""));
        client.put_manifest("a", "list", &list).await.expect(201);
        let entry = |text: &str, kind: &str| json!({ "mediaType": kind, "digest": Digest::of(text.as_bytes()), "size": text.len() });
        let mut expected = vec![
            entry(&text, media_type::OCI_MANIFEST),
            entry(&plain, media_type::OCI_MANIFEST),
            entry(&list, media_type::OCI_INDEX),
        ];
        expected[0]["artifactType"] = json!("application/vnd.example.sbom");
        expected[0]["annotations"] = json!({ "a": "b" });
        expected[1]["artifactType"] = json!("application/vnd.oci.image.config.v1+json");
        expected.sort_by_key(|entry| entry["digest"].as_str().unwrap().to_owned());
        assert_eq!(referrers(&client, &missing, "").await, expected);
    }
}

#[tokio::test]
async fn a7_3_and_a7_4_some_of_them() {
    let client = Client::new();
    let (digest, _) = client.push_image("a", "latest", "").await;
    for number in 0..4 {
        let kind = if number == 3 { "other" } else { "sbom+x" };
        let text = image(&subject(&digest, &format!(r#", "artifactType": "{kind}", "number": {number}"#)));
        client.put_manifest("a", &format!("t{number}"), &text).await.expect(201);
    }
    let path = format!("/v2/a/referrers/{digest}?artifactType=sbom%2Bx");
    let reply = client.get(&path).await.expect(200);
    assert_eq!(reply.header("oci-filters-applied"), "artifactType");
    let all = reply.json()["manifests"].as_array().unwrap().clone();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|entry| entry["artifactType"] == "sbom+x"));
    let mut paged = Vec::new();
    let mut next = Some(format!("{path}&n=1"));
    while let Some(path) = next {
        let reply = client.get(&path).await.expect(200);
        paged.extend(reply.json()["manifests"].as_array().unwrap().clone());
        let link = reply.headers.get("link").map(|link| link.to_str().unwrap());
        next = link
            .map(|link| link.split(['<', '>']).nth(1).unwrap().trim_start_matches("http://registry.test").to_owned());
    }
    assert_eq!(paged, all);
    assert!(referrers(&client, &digest, "?artifactType=none").await.is_empty());
}

#[tokio::test]
async fn a5_16_a_referrer_goes_and_a_subject_leaves_its_referrers() {
    let client = Client::new();
    let (digest, _) = client.push_image("a", "latest", "").await;
    let text = image(&subject(&digest, ""));
    client.put_manifest("a", "referrer", &text).await.expect(201);
    client.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
    assert_eq!(referrers(&client, &digest, "").await.len(), 1);
    client.delete(&format!("/v2/a/manifests/{}", Digest::of(text.as_bytes()))).await.expect(202);
    assert!(referrers(&client, &digest, "").await.is_empty());
}

/// What clients do where a registry lists no referrers, and what they leave behind when it learns to.
#[tokio::test]
async fn a7_6_lists_that_clients_keep_under_a_tag_are_taken_over() {
    for algorithm in Algorithm::ALL {
        let client = Client::new();
        let (other, other_text) = client.push_image("a", "other", "").await;
        let subject_digest = Digest::with(algorithm, b"subject");
        let text = image(&subject(&subject_digest, ""));
        let referrer = Digest::of(text.as_bytes());
        client.put_manifest("a", &referrer.to_string(), &text).await.expect(201);
        let noted = Place::Referrer { repository: "a".parse().unwrap(), subject: subject_digest, referrer };
        let context = driver_api::Context::background();
        client.storage.delete(&context, &noted.path(), Default::default()).await.unwrap();
        assert!(referrers(&client, &subject_digest, "").await.is_empty());
        // A list may name more than what refers to the subject.
        let list = index(&[(referrer, text.len()), (other, other_text.len())], "");
        let (name, hex) = (algorithm.as_str(), subject_digest.hex());
        client.put_manifest("a", &format!("{name}-{}", &hex[..64]), &list).await.expect(201);
        let found = referrers(&client, &subject_digest, "").await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["digest"], referrer.to_string());
    }
}
