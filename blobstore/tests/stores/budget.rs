//! How many calls of a driver each operation of the stores costs. `docs/stores.md` has the same table.

use std::collections::BTreeMap;
use std::sync::Arc;

use blobstore::blob::{BlobDeleter, BlobIngester, BlobProvider, BlobServer, BlobStatter};
use blobstore::cache::MemoryCache;
use blobstore::{Begun, Digest, Namespace, NamespaceOptions, Repository, UploadOptions};
use driver_api::Operation::{self, *};
use driver_api::layers::Count;
use driver_api::{Context, Storage};
use driver_inmemory::MemoryDriver;

use crate::fixture::{content, image, name, push, tag};

struct Counted {
    context: Context,
    count: Count,
    repository: Repository,
    other: Repository,
}

impl Counted {
    /// Stores that have seen which collections there are: what each process does once.
    async fn new(cached: bool) -> Self {
        let count = Count::default();
        let mut options = NamespaceOptions::default();
        options.delete_enabled = true;
        options.cache = cached.then(|| Arc::new(MemoryCache::default()) as _);
        let storage = Storage::new(MemoryDriver::default()).layered(count.clone());
        let namespace = Namespace::new(storage, options);
        let counted = Self {
            context: Context::background(),
            count,
            repository: namespace.repository(name("a")),
            other: namespace.repository(name("b")),
        };
        counted.other.blobs().put(&counted.context, "first".into()).await.unwrap();
        counted.spent();
        counted
    }

    fn spent(&self) -> BTreeMap<Operation, u64> {
        self.count.take()
    }

    #[track_caller]
    fn expect<const N: usize>(&self, what: &str, calls: [(Operation, u64); N]) {
        assert_eq!(self.spent(), calls.into(), "{what}");
    }
}

#[tokio::test]
async fn reading_costs_the_access_check_and_the_read() {
    let store = Counted::new(false).await;
    let (context, blobs) = (&store.context, store.repository.blobs());
    let digest = blobs.put(context, content(1000)).await.unwrap().digest;
    store.spent();
    blobs.stat(context, &digest).await.unwrap();
    store.expect("stat", [(Get, 1), (Stat, 1)]);
    blobs.stat(context, &Digest::of(b"?")).await.unwrap_err();
    store.expect("stat of nothing", [(Get, 1)]);
    let mut reader = blobs.open(context, &digest).await.unwrap();
    store.expect("open", [(Get, 1), (Stat, 1)]);
    while reader.next_chunk(context).await.unwrap().is_some() {}
    assert_eq!(store.spent()[&Reader], 1);
    blobs.get(context, &digest, 1000).await.unwrap();
    store.expect("get", [(Get, 2)]);
    blobs.serve(context, &digest, false).await.unwrap();
    store.expect("serve", [(Get, 1), (Stat, 1)]);
}

#[tokio::test]
async fn what_is_cached_costs_the_read_alone() {
    let store = Counted::new(true).await;
    let (context, blobs) = (&store.context, store.repository.blobs());
    let digest = blobs.put(context, content(1000)).await.unwrap().digest;
    store.spent();
    blobs.stat(context, &digest).await.unwrap();
    let mut reader = blobs.open(context, &digest).await.unwrap();
    blobs.serve(context, &digest, false).await.unwrap();
    store.expect("stat, open and serve", []);
    while reader.next_chunk(context).await.unwrap().is_some() {}
    assert_eq!(store.spent()[&Reader], 1);
    blobs.get(context, &digest, 1000).await.unwrap();
    store.expect("get", [(Get, 1)]);
}

#[tokio::test]
async fn pushing_costs_the_content_the_link_and_a_look_for_collections() {
    let store = Counted::new(false).await;
    let (context, blobs) = (&store.context, store.repository.blobs());
    for what in ["put of new content", "put of known content"] {
        blobs.put(context, content(1000)).await.unwrap();
        store.expect(what, [(Put, 2), (List, 1)]);
    }
    for what in ["upload in one go", "upload of what is known"] {
        let mut upload = blobs.create(context, UploadOptions::default()).await.unwrap();
        upload.write(context, content(2000)).await.unwrap();
        upload.commit(context, &Digest::of(&content(2000)), None).await.unwrap();
        store.expect(what, [(Writer, 1), (Write, 1), (Stat, 1), (Commit, 1), (Put, 1), (List, 1)]);
    }
    let begun =
        store.other.blobs().mount(context, &Digest::of(&content(2000)), &name("a"), UploadOptions::default()).await;
    assert!(matches!(begun.unwrap(), Begun::Mounted(_)));
    store.expect("mount", [(Get, 1), (Stat, 1), (Put, 1), (List, 1)]);
    blobs.delete(context, &Digest::of(&content(2000))).await.unwrap();
    store.expect("delete", [(Delete, 1)]);
}

#[tokio::test]
async fn an_upload_in_chunks_costs_the_same_for_each() {
    let store = Counted::new(false).await;
    let (context, blobs) = (&store.context, store.repository.blobs());
    let upload = blobs.create(context, UploadOptions::default()).await.unwrap();
    let id = upload.id();
    upload.close(context).await.unwrap();
    store.expect("begin", [(Put, 1)]);
    for number in 0..3 {
        let mut upload = blobs.resume(context, id, UploadOptions::default()).await.unwrap();
        upload.write(context, content(100_000)).await.unwrap();
        upload.close(context).await.unwrap();
        // When it began and the state of the hash are read, but there is none at first; a state is written, and the one before
        // is deleted.
        let states = u64::from(number > 0);
        let calls = [(Get, 1 + states), (Writer, 1), (Write, 1), (Close, 1), (Put, 1), (DeleteFiles, states)];
        let expected: BTreeMap<_, _> = calls.into_iter().filter(|(_, calls)| *calls > 0).collect();
        assert_eq!(store.spent(), expected, "chunk {number}");
    }
    let upload = blobs.resume(context, id, UploadOptions::default()).await.unwrap();
    let digest = Digest::of(&[content(100_000), content(100_000), content(100_000)].concat());
    upload.commit(context, &digest, None).await.unwrap();
    store.expect("commit", [(Get, 2), (Writer, 1), (Stat, 1), (Commit, 1), (Put, 1), (List, 1), (Delete, 1)]);
}

#[tokio::test]
async fn manifests_and_tags_cost_what_they_name() {
    let store = Counted::new(false).await;
    let (context, manifests, tags) = (&store.context, store.repository.manifests(), store.repository.tags());
    let content = image(context, &store.repository, &["one", "two"]).await;
    store.spent();
    // For each of three references the link and the content; the manifest and its link; a look for collections.
    let digest = push(context, &manifests, content.clone(), &[]).await;
    store.expect("put", [(Get, 3), (Stat, 3), (Put, 2), (List, 1)]);
    push(context, &manifests, content, &["1", "2"]).await;
    store.expect("put with two tags", [(Get, 3), (Stat, 3), (Put, 2 + 4), (List, 1)]);
    manifests.stat(context, &digest).await.unwrap();
    store.expect("stat", [(Get, 1), (Stat, 1)]);
    manifests.get(context, &digest).await.unwrap();
    store.expect("get", [(Get, 2)]);
    tags.get(context, &tag("1")).await.unwrap();
    store.expect("resolve a tag", [(Get, 1)]);
    tags.all(context).await.unwrap();
    store.expect("list tags", [(List, 1)]);
    tags.delete(context, &tag("2")).await.unwrap();
    store.expect("untag", [(Delete, 2)]);
    manifests.referrers_page(context, &digest, None, 100).await.unwrap();
    store.expect("no referrers", [(List, 1), (Get, 1)]);
}
