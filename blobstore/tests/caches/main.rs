//! What every cache of descriptors owes, in memory and in Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

#[path = "../stores/fixture.rs"]
#[allow(dead_code, reason = "made for another test, too")]
mod fixture;

use std::sync::Arc;

use blobstore::blob::{BlobDeleter, BlobIngester, BlobProvider, BlobStatter};
use blobstore::cache::{BlobDescriptorCache, MemoryCache};
use blobstore::upkeep::{CollectOptions, collect};
use blobstore::{Algorithm, Descriptor, Digest, Error, Namespace, NamespaceOptions};
use driver_api::Context;

use crate::fixture::{Store, content, name};

/// Each check with a cache that has none of its digests.
async fn check_all(cache: &dyn BlobDescriptorCache) {
    let context = Context::background();
    let [a, b] = ["a", "b"].map(|text| name(&format!("{text}/{}", blobstore::UploadId::random())));
    let canonical = Digest::of(a.as_str().as_bytes());
    let alias = Digest::with(Algorithm::Sha512, a.as_str().as_bytes());
    let descriptor = Descriptor { media_type: "x/y".into(), digest: canonical, size: 7 };

    assert_eq!(cache.get(&context, Some(&a), &canonical).await.unwrap(), None);
    cache.set(&context, Some(&a), &alias, &descriptor).await.unwrap();
    assert_eq!(cache.get(&context, Some(&a), &alias).await.unwrap(), Some(descriptor.clone()));
    // By its other name the repository may not have it.
    assert_eq!(cache.get(&context, Some(&a), &canonical).await.unwrap(), None);
    cache.set(&context, Some(&a), &canonical, &descriptor).await.unwrap();
    for digest in [canonical, alias] {
        // What one repository has is known in all, and in no other.
        let global = cache.get(&context, None, &digest).await.unwrap().unwrap();
        assert_eq!((global.digest, global.size), (canonical, 7));
        assert_eq!(cache.get(&context, Some(&b), &digest).await.unwrap(), None);
    }
    cache.set(&context, Some(&b), &canonical, &Descriptor::blob(canonical, 7)).await.unwrap();
    cache.clear(&context, Some(&a), &canonical).await.unwrap();
    assert_eq!(cache.get(&context, Some(&a), &canonical).await.unwrap(), None);
    // The other learns it anew, and the first does not know it by that (CVE-2026-35172).
    cache.set(&context, Some(&b), &canonical, &descriptor).await.unwrap();
    assert_eq!(cache.get(&context, Some(&a), &canonical).await.unwrap(), None);
    assert!(cache.get(&context, Some(&b), &canonical).await.unwrap().is_some());
    cache.clear(&context, None, &canonical).await.unwrap();
    assert_eq!(cache.get(&context, None, &canonical).await.unwrap(), None);
    // What is not known can be forgotten.
    cache.clear(&context, Some(&a), &canonical).await.unwrap();
}

#[tokio::test]
async fn memory_keeps_what_it_is_told_and_no_more_than_it_may() {
    check_all(&MemoryCache::default()).await;
    let (cache, context) = (MemoryCache::new(10), Context::background());
    for number in 0..1000_u64 {
        let digest = Digest::of(&number.to_be_bytes());
        cache.set(&context, None, &digest, &Descriptor::blob(digest, number)).await.unwrap();
    }
    let mut known = 0;
    for number in 0..1000_u64 {
        known += u64::from(cache.get(&context, None, &Digest::of(&number.to_be_bytes())).await.unwrap().is_some());
    }
    assert!(known <= 20, "{known} entries");
}

fn with(store: &Store, cache: Arc<dyn BlobDescriptorCache>) -> Namespace {
    let mut options = NamespaceOptions::default();
    options.cache = Some(cache);
    options.delete_enabled = true;
    Namespace::new(store.storage.clone(), options)
}

#[tokio::test]
async fn what_is_deleted_is_unknown_although_it_was_cached() {
    let store = Store::in_memory();
    let (context, namespace) = (&store.context, with(&store, Arc::new(MemoryCache::default())));
    let blobs = namespace.repository(name("a")).blobs();
    let digest = blobs.put(context, content(10)).await.unwrap().digest;
    blobs.stat(context, &digest).await.unwrap();
    blobs.delete(context, &digest).await.unwrap();
    assert!(blobs.stat(context, &digest).await.unwrap_err().is_unknown());
    assert!(blobs.get(context, &digest, 10).await.unwrap_err().is_unknown());
    // A manifest is none because a blob of that digest is cached.
    let digest = blobs.put(context, content(20)).await.unwrap().digest;
    assert!(namespace.repository(name("a")).manifests().stat(context, &digest).await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn what_goes_with_something_else_is_unknown_as_well() {
    let store = Store::in_memory();
    let (context, namespace) = (&store.context, with(&store, Arc::new(MemoryCache::default())));
    let repository = namespace.repository(name("a"));
    let blobs = repository.blobs();
    let put = async || blobs.put(context, content(10)).await.unwrap().digest;
    let digest = put().await;
    let is_known = async || blobs.stat(context, &digest).await.is_ok();

    repository.delete(context).await.unwrap();
    assert!(!is_known().await, "it went with its repository");

    put().await;
    let at_once = CollectOptions::default().with_grace(std::time::Duration::ZERO);
    collect(&namespace, context, &at_once, &mut |_| {}).await.unwrap();
    assert!(!is_known().await, "it was collected");

    // A manifest by a link of old registries, which is one to a blob as well.
    let manifest = fixture::image(context, &repository, &[]).await;
    let manifest = blobs.put(context, manifest).await.unwrap().digest;
    repository.manifests().delete(context, &manifest).await.unwrap();
    assert!(blobs.stat(context, &manifest).await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn what_is_known_by_one_name_is_not_known_by_the_other() {
    let store = Store::in_memory();
    let (context, namespace) = (&store.context, with(&store, Arc::new(MemoryCache::default())));
    let blobs = namespace.repository(name("a")).blobs();
    let [canonical, alias] = Algorithm::ALL.map(|algorithm| Digest::with(algorithm, &content(10)));
    let mut upload = blobs.create(context, Default::default()).await.unwrap();
    upload.write(context, content(10)).await.unwrap();
    upload.commit(context, &alias, None).await.unwrap();
    blobs.delete(context, &canonical).await.unwrap();
    blobs.stat(context, &alias).await.unwrap();
    assert!(blobs.stat(context, &canonical).await.unwrap_err().is_unknown());
}

/// As where two registries once shared a cache and not a storage, or a storage was put back as it was the day before.
#[tokio::test]
async fn a_manifest_without_its_blob_makes_the_cache_forget_it() {
    let (store, cache) = (Store::in_memory(), Arc::new(MemoryCache::default()));
    let (context, repository) = (&store.context, with(&store, cache.clone()).repository(name("a")));
    let manifest = fixture::image(context, &repository, &["layer"]).await;
    let (elsewhere, digest) = (Store::in_memory(), Digest::of(b"layer"));
    let repository = with(&elsewhere, cache).repository(name("a"));
    repository.blobs().stat(context, &digest).await.unwrap();
    let refused = repository.manifests().put(context, None, manifest, None, &[]).await.unwrap_err();
    assert!(matches!(refused, Error::ReferencesUnknown(_)), "{refused}");
    assert!(repository.blobs().stat(context, &digest).await.unwrap_err().is_unknown());
}

#[cfg(feature = "redis")]
mod redis {
    use std::time::{Duration, Instant};

    use blobstore::cache::{RedisCache, RedisOptions, RedisTls};

    use super::*;

    fn running() -> String {
        engines::Engine::start("redis").get("BLOBSTORE_REDIS_ADDRESS")
    }

    fn at(address: &str) -> RedisCache {
        RedisCache::new(RedisOptions::at(&format!("redis://{address}")).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn redis_keeps_what_it_is_told() {
        check_all(&at(&running())).await;
    }

    #[tokio::test]
    async fn redis_is_spoken_to_over_tls_by_those_who_have_certificates() {
        let engine = engines::Engine::start("redis");
        let [certificate, key] =
            ["BLOBSTORE_REDIS_CERTIFICATE", "BLOBSTORE_REDIS_KEY"].map(|name| std::fs::read(engine.get(name)).unwrap());
        let over_tls = |tls: RedisTls| {
            let mut options =
                RedisOptions::at(&format!("rediss://{}", engine.get("BLOBSTORE_REDIS_TLS_ADDRESS"))).unwrap();
            options.tls = tls;
            RedisCache::new(options).unwrap()
        };
        let (authorities, client) = (Some(certificate.clone()), Some((certificate, key)));
        check_all(&over_tls(RedisTls { authorities: authorities.clone(), client: client.clone() })).await;
        let digest = Digest::of(b"content");
        for refused in [RedisTls { authorities: None, client }, RedisTls { authorities, client: None }] {
            over_tls(refused).get(&Context::background(), None, &digest).await.unwrap_err();
        }
        let mut plain = RedisOptions::at("redis://127.0.0.1:1").unwrap();
        plain.tls.authorities = Some(Vec::new());
        RedisCache::new(plain).unwrap_err();
    }

    #[tokio::test]
    async fn two_servers_share_what_they_know() {
        let (store, address) = (Store::in_memory(), running());
        let context = &store.context;
        let repository = name(&format!("shared/{}", blobstore::UploadId::random()));
        let [one, other] =
            [(); 2].map(|()| with(&store, Arc::new(at(&address))).repository(repository.clone()).blobs());
        let digest = one.put(context, content(10)).await.unwrap().digest;
        let count = driver_api::layers::Count::default();
        let counted = Store::in_memory();
        let mut options = NamespaceOptions::default();
        options.cache = Some(Arc::new(at(&address)));
        let counted = Namespace::new(counted.storage.layered(count.clone()), options);
        // Its storage has nothing: all that it knows it has from the other.
        assert_eq!(counted.repository(repository).blobs().stat(context, &digest).await.unwrap().size, 10);
        assert_eq!(count.take(), [].into());
        other.delete(context, &digest).await.unwrap();
        assert!(one.stat(context, &digest).await.unwrap_err().is_unknown());
    }

    #[tokio::test]
    async fn entries_of_the_go_registry_are_read() {
        let address = running();
        let repository = name(&format!("go/{}", blobstore::UploadId::random()));
        let digest = Digest::of(repository.as_str().as_bytes());
        let client = ::redis::Client::open(format!("redis://{address}")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let (global, scoped) = (format!("blobs::{digest}"), format!("repository::{repository}::blobs::{digest}"));
        // As of 2015, with `length`.
        let () = ::redis::pipe()
            .hset_multiple(
                &global,
                &[("digest", digest.to_string()), ("length", "7".into()), ("mediatype", "a/b".into())],
            )
            .sadd(format!("repository::{repository}::blobs"), digest.to_string())
            .hset(&scoped, "mediatype", "c/d")
            .query_async(&mut connection)
            .await
            .unwrap();
        let known = at(&address).get(&Context::background(), Some(&repository), &digest).await.unwrap().unwrap();
        assert_eq!((known.digest, known.size, &*known.media_type), (digest, 7, "c/d"));
    }

    #[tokio::test]
    async fn one_that_does_not_answer_costs_time_and_fails_nothing_but_a_delete() {
        // It takes connections and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for address in [silent.local_addr().unwrap(), gone] {
            let store = Store::in_memory();
            let (context, namespace) = (&store.context, with(&store, Arc::new(at(&address.to_string()))));
            let blobs = namespace.repository(name("a")).blobs();
            let begun = Instant::now();
            let digest = blobs.put(context, content(10)).await.unwrap().digest;
            for _ in 0..20 {
                blobs.stat(context, &digest).await.unwrap();
                assert_eq!(blobs.get(context, &digest, 10).await.unwrap(), content(10));
            }
            // Not forty times its time-out.
            assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
            let refused = blobs.delete(context, &digest).await.unwrap_err();
            assert!(refused.may_pass(), "{refused}");
            blobs.stat(context, &digest).await.unwrap();
        }
    }
}
