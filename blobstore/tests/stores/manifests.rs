//! Manifests, and the tags that name them.

use blobstore::blob::{BlobDeleter, BlobIngester, BlobStatter};
use blobstore::{Algorithm, Digest, Error, Place, media_type};
use bytes::Bytes;
use driver_api::layers::{Fault, Faults};

use crate::fixture::{Store, described, image, name, namespace, push, tag};

#[tokio::test]
async fn a_manifest_comes_back_byte_by_byte() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a/b"));
        let content = image(context, &repository, &["one", "two"]).await;
        let digest = push(context, &repository.manifests(), content.clone(), &["1.0", "latest"]).await;
        let manifest = repository.manifests().get(context, &digest).await.unwrap();
        assert_eq!(manifest.content(), &content);
        assert_eq!(manifest.descriptor().media_type, media_type::OCI_MANIFEST);
        assert_eq!(repository.manifests().stat(context, &digest).await.unwrap().size, content.len() as u64);
        for text in ["1.0", "latest"] {
            assert_eq!(repository.tags().get(context, &tag(text)).await.unwrap(), digest);
        }
        let hex = digest.hex();
        let names = store.names("/docker/registry/v2/repositories/a/b/_manifests").await;
        let manifests = "/docker/registry/v2/repositories/a/b/_manifests";
        let expected = [
            format!("{manifests}/revisions/sha256/{hex}/link"),
            format!("{manifests}/tags/1.0/current/link"),
            format!("{manifests}/tags/1.0/index/sha256/{hex}/link"),
            format!("{manifests}/tags/latest/current/link"),
            format!("{manifests}/tags/latest/index/sha256/{hex}/link"),
        ];
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn a_manifest_needs_what_it_names_in_its_own_repository() {
    for store in Store::on_each_driver() {
        let (context, repository, other) = (&store.context, store.repository("a"), store.repository("b"));
        let content = image(context, &repository, &["one", "two"]).await;
        let refused = other.manifests().put(context, None, content.clone(), None, &[tag("latest")]).await;
        let Err(Error::ReferencesUnknown(missing)) = refused else { panic!("{refused:?}") };
        assert_eq!(missing.len(), 3);
        assert!(store.names("/docker/registry/v2/repositories/b").await.is_empty());
        // An index needs manifests, not blobs of the same digest.
        let layer = Digest::of(b"one");
        let index =
            format!(r#"{{"schemaVersion": 2, "manifests": [{}]}}"#, described(media_type::OCI_MANIFEST, &layer, 3));
        let refused = repository.manifests().put(context, None, index.into(), None, &[]).await;
        assert!(matches!(refused, Err(Error::ReferencesUnknown(missing)) if missing == [layer]));
        // A link to content that is gone is as good as none.
        store.storage.delete(context, &Place::Blob(layer).path(), Default::default()).await.unwrap();
        let refused = repository.manifests().put(context, None, content, None, &[]).await;
        assert!(matches!(refused, Err(Error::ReferencesUnknown(missing)) if missing == [layer]));
    }
}

#[tokio::test]
async fn layers_that_may_only_be_had_elsewhere_need_not_be_here() {
    let store = Store::in_memory();
    let (context, repository) = (&store.context, store.repository("a"));
    let config = repository.blobs().put(context, Bytes::from_static(b"{}")).await.unwrap();
    let foreign = |urls: &str| {
        let config = described("c", &config.digest, 2);
        let layer = Digest::of(b"foreign");
        Bytes::from(format!(
            r#"{{"schemaVersion": 2, "config": {config}, "layers": [{{
                "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "digest": "{layer}", "size": 7{urls}}}]}}"#
        ))
    };
    repository
        .manifests()
        .put(context, None, foreign(r#", "urls": ["https://example.com/l"]"#), None, &[])
        .await
        .unwrap();
    assert!(repository.manifests().put(context, None, foreign(""), None, &[]).await.is_err());
}

#[tokio::test]
async fn an_index_names_manifests_and_referrers_name_a_subject() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let content = image(context, &repository, &["one"]).await;
        let child = push(context, &repository.manifests(), content.clone(), &[]).await;
        let listed = described(media_type::OCI_MANIFEST, &child, content.len() as u64);
        let index = push(
            context,
            &repository.manifests(),
            format!(r#"{{"schemaVersion": 2, "manifests": [{listed}]}}"#).into(),
            &["all"],
        )
        .await;
        // A subject need not exist.
        for subject in [index, Digest::with(Algorithm::Sha512, b"elsewhere")] {
            assert_eq!(
                repository.manifests().referrers_page(context, &subject, None, 100).await.unwrap().references,
                []
            );
            let referrer = format!(
                r#"{{"schemaVersion": 2, "artifactType": "sbom", "annotations": {{"a": "b"}}, "manifests": [],
                     "subject": {}}}"#,
                described(media_type::OCI_INDEX, &subject, 1)
            );
            let pushed = repository.manifests().put(context, None, referrer.into(), None, &[]).await.unwrap();
            assert_eq!(pushed.subject, Some(subject));
            let referrers =
                repository.manifests().referrers_page(context, &subject, None, 100).await.unwrap().references;
            let [about] = referrers.as_slice() else { panic!("{referrers:?}") };
            assert_eq!(about.digest, pushed.descriptor.digest);
            assert_eq!((about.artifact_type.as_deref(), about.annotations["a"].as_str()), (Some("sbom"), "b"));
            repository.manifests().delete(context, &pushed.descriptor.digest).await.unwrap();
            assert_eq!(
                repository.manifests().referrers_page(context, &subject, None, 100).await.unwrap().references,
                []
            );
        }
    }
}

fn referring_to(subject: &Digest, number: usize) -> Bytes {
    let subject = described(media_type::OCI_INDEX, subject, 1);
    format!(r#"{{"schemaVersion": 2, "annotations": {{"n": "{number}"}}, "manifests": [], "subject": {subject}}}"#)
        .into()
}

#[tokio::test]
async fn a_damaged_list_of_a_client_hides_no_referrer() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let (manifests, subject) = (repository.manifests(), Digest::of(b"subject"));
        let noted = push(context, &manifests, referring_to(&subject, 0), &[]).await;
        let list = Bytes::from_static(br#"{"schemaVersion": 2, "manifests": []}"#);
        let list = push(context, &manifests, list, &[&subject.to_string().replace(':', "-")]).await;
        for content in ["no manifest", ""] {
            let at = Place::Blob(list).path();
            store.storage.put(context, &at, content, Default::default()).await.unwrap();
            let found = manifests.referrers_page(context, &subject, None, 100).await.unwrap().references;
            assert_eq!(found.iter().map(|reference| reference.digest).collect::<Vec<_>>(), [noted]);
        }
    }
}

#[tokio::test]
async fn a_page_of_referrers_reads_some_of_them() {
    let store = Store::in_memory();
    let (context, subject) = (&store.context, Digest::of(b"subject"));
    for number in 0..100 {
        push(context, &store.repository("a").manifests(), referring_to(&subject, number), &[]).await;
    }
    let calls = Faults::new(|_| Fault::None);
    let manifests = namespace(&store.storage.layered(calls.clone())).repository(name("a")).manifests();
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let before = calls.calls();
        let page = manifests.referrers_page(context, &subject, last.as_ref(), 10).await.unwrap();
        assert!(calls.calls() - before < 70, "{} calls", calls.calls() - before);
        seen.extend(page.references.iter().map(|reference| reference.digest));
        last = page.behind;
        if last.is_none() {
            break;
        }
    }
    assert!(seen.len() == 100 && seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn a_manifest_can_be_named_by_sha512() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let content = image(context, &repository, &["one"]).await;
        let named = Digest::with(Algorithm::Sha512, &content);
        let manifests = repository.manifests();
        manifests.put(context, None, content.clone(), Some(&named), &[tag("latest")]).await.unwrap();
        for digest in [named, Digest::of(&content)] {
            assert_eq!(manifests.get(context, &digest).await.unwrap().content(), &content);
        }
        let wrong = Digest::with(Algorithm::Sha512, b"other");
        let refused = manifests.put(context, None, content.clone(), Some(&wrong), &[]).await;
        assert!(matches!(refused, Err(Error::DigestMismatch { found, .. }) if *found == named));
        manifests.delete(context, &Digest::of(&content)).await.unwrap();
        for digest in [named, Digest::of(&content)] {
            assert!(manifests.get(context, &digest).await.unwrap_err().is_unknown());
        }
    }
}

#[tokio::test]
async fn a_tag_moves_and_its_index_remembers() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let manifests = repository.manifests();
        let one = push(context, &manifests, image(context, &repository, &["one"]).await, &["latest", "1"]).await;
        let two = push(context, &manifests, image(context, &repository, &["two"]).await, &["latest"]).await;
        let tags = repository.tags();
        assert_eq!(tags.get(context, &tag("latest")).await.unwrap(), two);
        let mut index = tags.index(context, &tag("latest")).await.unwrap();
        index.sort();
        let mut expected = vec![one, two];
        expected.sort();
        assert_eq!(index, expected);
        assert_eq!(tags.naming(context, &one).await.unwrap(), [tag("1")]);
        manifests.tag(context, &one, &[tag("latest")]).await.unwrap();
        assert_eq!(tags.get(context, &tag("latest")).await.unwrap(), one);
        assert!(manifests.tag(context, &Digest::of(b"?"), &[tag("x")]).await.unwrap_err().is_unknown());
        tags.delete(context, &tag("latest")).await.unwrap();
        assert!(tags.get(context, &tag("latest")).await.unwrap_err().is_unknown());
        assert!(tags.delete(context, &tag("latest")).await.unwrap_err().is_unknown());
        // The manifests stay, and so do other tags.
        assert_eq!(tags.all(context).await.unwrap(), [tag("1")]);
        manifests.get(context, &two).await.unwrap();
    }
}

#[tokio::test]
async fn tags_are_listed_in_the_order_of_their_bytes() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        assert!(matches!(repository.tags().all(context).await, Err(Error::RepositoryUnknown(_))));
        let content = image(context, &repository, &[]).await;
        assert!(matches!(repository.tags().all(context).await, Err(Error::RepositoryUnknown(_))));
        assert!(matches!(repository.tags().page(context, Some("1"), 1).await, Err(Error::RepositoryUnknown(_))));
        let expected = ["1", "1-a", "1.0", "1.0-rc", "1.0.1", "1_", "A", "_", "a"];
        push(context, &repository.manifests(), content, &expected).await;
        assert_eq!(repository.tags().all(context).await.unwrap(), expected.map(tag));
        for (at, last) in expected.iter().enumerate() {
            let page = repository.tags().page(context, Some(last), 2).await.unwrap();
            let rest = expected[at + 1..].iter().map(|text| tag(text));
            assert_eq!(page.tags, rest.take(2).collect::<Vec<_>>());
            assert_eq!(page.has_more, at + 3 < expected.len());
        }
        for text in expected {
            repository.tags().delete(context, &tag(text)).await.unwrap();
        }
        assert_eq!(repository.tags().all(context).await.unwrap(), []);
        assert_eq!(repository.tags().page(context, None, 2).await.unwrap().tags, []);
    }
}

#[tokio::test]
async fn a_manifest_goes_with_the_tags_that_name_it() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let manifests = repository.manifests();
        let one = push(context, &manifests, image(context, &repository, &["one"]).await, &["a", "b"]).await;
        let two = push(context, &manifests, image(context, &repository, &["two"]).await, &["b", "c"]).await;
        manifests.delete(context, &one).await.unwrap();
        assert!(manifests.get(context, &one).await.unwrap_err().is_unknown());
        assert!(manifests.delete(context, &one).await.unwrap_err().is_unknown());
        assert_eq!(repository.tags().all(context).await.unwrap(), [tag("b"), tag("c")]);
        assert_eq!(repository.tags().get(context, &tag("b")).await.unwrap(), two);
    }
}

#[tokio::test]
async fn blobs_are_no_manifests_although_old_links_to_manifests_are_among_them() {
    let store = Store::in_memory();
    let (context, repository) = (&store.context, store.repository("a"));
    let content = image(context, &repository, &["one"]).await;
    assert!(repository.manifests().get(context, &Digest::of(b"one")).await.unwrap_err().is_unknown());
    let large = repository.blobs().put(context, vec![b'{'; 5 << 20].into()).await.unwrap();
    assert!(repository.manifests().get(context, &large.digest).await.unwrap_err().is_unknown());
    // Nor is one deleted by being called a manifest.
    let blob = Digest::of(b"one");
    assert!(repository.manifests().delete(context, &blob).await.unwrap_err().is_unknown());
    repository.blobs().stat(context, &blob).await.unwrap();
    // What a registry of 2.1.0 wrote.
    let old = repository.blobs().put(context, content.clone()).await.unwrap();
    assert_eq!(repository.manifests().get(context, &old.digest).await.unwrap().content(), &content);
    repository.manifests().delete(context, &old.digest).await.unwrap();
    assert!(repository.manifests().get(context, &old.digest).await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn a_manifest_that_is_damaged_is_not_merely_unknown() {
    let store = Store::in_memory();
    let (context, repository) = (&store.context, store.repository("a"));
    let content = image(context, &repository, &["one"]).await;
    let digest = push(context, &repository.manifests(), content, &[]).await;
    for damage in ["", "[", "{}"] {
        store.storage.put(context, &Place::Blob(digest).path(), damage, Default::default()).await.unwrap();
        let damaged = repository.manifests().get(context, &digest).await.unwrap_err();
        assert!(matches!(damaged, Error::Damaged { .. }), "{damaged}");
    }
    // Nobody can mend it, so that it must be possible to take it away.
    repository.manifests().delete(context, &digest).await.unwrap();
    assert!(repository.manifests().get(context, &digest).await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn manifests_of_the_first_schema_are_served_with_their_signatures() {
    let store = Store::in_memory();
    let (context, repository) = (&store.context, store.repository("a"));
    let payload = format!(
        "{{\n   \"schemaVersion\": 1,\n   \"name\": \"a\",\n   \"fsLayers\": [\n      {{\"blobSum\": \"{}\"}}\n   ]\n}}",
        Digest::of(b"layer")
    );
    // `{"formatLength":LENGTH,"formatTail":"Cn0"}`, where the tail is a line feed and a brace.
    let length = payload.len() - 2;
    let protected = {
        use base64::Engine;
        let text = format!(r#"{{"formatLength":{length},"formatTail":"Cn0","time":"2015-06-01T12:34:56Z"}}"#);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let signature = format!(r#"{{"header":{{"alg":"ES256"}},"signature":"c2ln","protected":"{protected}"}}"#);
    let digest = Digest::of(payload.as_bytes());
    let signed_with = Digest::of(signature.as_bytes());
    let put = async |place: Place, content: String| {
        store.storage.put(context, &place.path(), content, Default::default()).await.unwrap();
    };
    put(Place::Blob(digest), payload.clone()).await;
    put(Place::Revision(name("a"), digest), digest.to_string()).await;
    let unsigned = repository.manifests().get(context, &digest).await.unwrap();
    assert_eq!(unsigned.content(), payload.as_bytes());
    put(Place::Blob(signed_with), signature).await;
    let place = Place::Signature { repository: name("a"), manifest: digest, signature: signed_with };
    put(place, signed_with.to_string()).await;
    let signed = repository.manifests().get(context, &digest).await.unwrap();
    let text = std::str::from_utf8(signed.content()).unwrap();
    let expected = format!(
        "{},\n   \"signatures\": [\n      {{\n         \"header\": {{\n            \"alg\": \"ES256\"\n         }},\n         \"signature\": \"c2ln\",\n         \"protected\": \"{protected}\"\n      }}\n   ]\n}}",
        &payload[..length]
    );
    assert_eq!(text, expected);
    assert_eq!(signed.descriptor().media_type, media_type::DOCKER_SIGNED);
    assert_eq!(signed.blobs()[0].digest, Digest::of(b"layer"));
    serde_json::from_str::<serde_json::Value>(text).unwrap();
    // Such manifests are not taken any more.
    let refused = repository.manifests().put(context, None, payload.into(), None, &[]).await;
    assert!(matches!(refused, Err(Error::ManifestInvalid(_))));
}

#[tokio::test]
async fn a_blob_that_a_manifest_needs_can_be_deleted_by_hand_and_pushed_again() {
    let store = Store::in_memory();
    let (context, repository) = (&store.context, store.repository("a"));
    let content = image(context, &repository, &["one"]).await;
    push(context, &repository.manifests(), content.clone(), &["latest"]).await;
    repository.blobs().delete(context, &Digest::of(b"one")).await.unwrap();
    assert!(repository.manifests().put(context, None, content.clone(), None, &[]).await.is_err());
    repository.blobs().put(context, Bytes::from_static(b"one")).await.unwrap();
    push(context, &repository.manifests(), content, &["latest"]).await;
}
