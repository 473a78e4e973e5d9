//! A storage without room: each write of a push is refused in turn, with all that follow it. The client is told so, nothing that
//! it did not finish can be seen, everything else is served, and once there is room it does the same again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use blobstore::{Digest, Namespace, NamespaceOptions};
use driver_api::layers::{Fault, FaultPoint, Faults};
use driver_api::{ErrorKind, Operation, Storage};
use driver_inmemory::MemoryDriver;
use http::Method;
use registry::{Registry, RegistryOptions};
use serde_json::json;

use crate::harness::{Client, Reply, image};

/// A registry on a disk that has room for so many more writes.
struct Disk {
    client: Client,
    room: Arc<AtomicU64>,
}

/// Calls that need room. To delete something needs none.
fn needs_room(call: Operation) -> bool {
    use Operation::{Close, Commit, Move, Put, Write, Writer};
    matches!(call, Put | Writer | Write | Close | Commit | Move)
}

impl Disk {
    /// With an image on it, and with room.
    async fn new() -> Self {
        let (storage, room) = (Storage::new(MemoryDriver::default()), Arc::new(AtomicU64::new(u64::MAX)));
        let left = room.clone();
        let faults = Faults::new(move |point: FaultPoint<'_>| {
            let take = |room: u64| room.checked_sub(1);
            let is_full =
                needs_room(point.operation) && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err();
            if is_full { Fault::Before(ErrorKind::NoSpace) } else { Fault::None }
        });
        let namespace = Namespace::new(storage.layered(faults), NamespaceOptions::default());
        let client = Client { registry: Registry::new(namespace, RegistryOptions::default()), storage };
        client.push_image("a", "kept", "").await;
        Self { client, room }
    }

    fn set_room(&self, writes: u64) {
        self.room.store(writes, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy)]
enum Push {
    Blob,
    BlobInChunks,
    BlobBySha512,
    Mount,
    Manifest,
    Tag,
}

const LAYER: &[u8] = b"a layer that is new";

impl Push {
    /// The last answer, or the first that is an error.
    async fn run(self, client: &Client) -> Reply {
        match self {
            Self::Blob => {
                let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(LAYER));
                client.send(Method::POST, &path, &[], LAYER).await
            }
            Self::BlobInChunks => in_chunks(client, "", Digest::of(LAYER)).await,
            Self::BlobBySha512 => {
                let digest = Digest::with(blobstore::Algorithm::Sha512, LAYER);
                in_chunks(client, "?digest-algorithm=sha512", digest).await
            }
            Self::Mount => {
                let path = format!("/v2/b/blobs/uploads/?mount={}&from=a", Digest::of(b"layer"));
                client.post(&path).await
            }
            Self::Manifest => client.put_manifest("a", "new", &image(r#", "annotations": {"x": "y"}"#)).await,
            Self::Tag => client.put_manifest("a", "new", &image("")).await,
        }
    }

    /// What can be read once it is done, and not before.
    fn result(self) -> String {
        match self {
            Self::Blob | Self::BlobInChunks => format!("/v2/a/blobs/{}", Digest::of(LAYER)),
            Self::BlobBySha512 => format!("/v2/a/blobs/{}", Digest::with(blobstore::Algorithm::Sha512, LAYER)),
            Self::Mount => format!("/v2/b/blobs/{}", Digest::of(b"layer")),
            Self::Manifest | Self::Tag => "/v2/a/manifests/new".to_owned(),
        }
    }
}

async fn in_chunks(client: &Client, query: &str, digest: Digest) -> Reply {
    let mut upload = client.post(&format!("/v2/a/blobs/uploads/{query}")).await.expect(202).location();
    for chunk in LAYER.chunks(10) {
        let reply = client.patch(&upload, chunk).await;
        if reply.status != 202 {
            return reply;
        }
        upload = reply.location();
    }
    client.put(&format!("{upload}&digest={digest}"), "").await
}

#[tokio::test]
async fn each_write_of_a_push_in_turn_finds_no_room() {
    use Push::{Blob, BlobBySha512, BlobInChunks, Manifest, Mount, Tag};
    for push in [Blob, BlobInChunks, BlobBySha512, Mount, Manifest, Tag] {
        for room in 0.. {
            let disk = Disk::new().await;
            let client = &disk.client;
            disk.set_room(room);
            let reply = push.run(client).await;
            if reply.status == 201 {
                // What was only meant to save work later may fail without a word.
                client.get(&push.result()).await.expect(200);
                assert!(room > 0, "{push:?} needs no room");
                break;
            }
            assert_eq!(reply.header("retry-after"), "5");
            reply.expect_error(503, "UNAVAILABLE");
            client.get(&push.result()).await.expect(404);
            client.get("/v2/a/manifests/kept").await.expect(200);
            client.get(&format!("/v2/a/blobs/{}", Digest::of(b"layer"))).await.expect(200);
            // The first of the two links of a tag is listed already, as by the Go registry; it names nothing.
            let tags = client.get("/v2/a/tags/list").await.expect(200).json()["tags"].take();
            assert!(tags == json!(["kept"]) || tags == json!(["kept", "new"]), "{push:?}: {tags}");
            disk.set_room(u64::MAX);
            push.run(client).await.expect(201);
            client.get(&push.result()).await.expect(200);
        }
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_once_there_is_room() {
    for room in 0.. {
        let disk = Disk::new().await;
        let client = &disk.client;
        disk.set_room(room);
        let (mut upload, mut acknowledged, mut was_full) = (client.begin("a").await, 0, false);
        while acknowledged < LAYER.len() {
            let end = LAYER.len().min(acknowledged + 5);
            let reply = client.patch(&upload, &LAYER[acknowledged..end]).await;
            if reply.status == 202 {
                (upload, acknowledged) = (reply.location(), end);
                continue;
            }
            reply.expect_error(503, "UNAVAILABLE");
            was_full = true;
            disk.set_room(u64::MAX);
            let status = client.get(&upload).await.expect(204);
            let kept = match status.header("range") {
                "0-0" => 0,
                range => range[2..].parse::<usize>().unwrap() + 1,
            };
            assert!(
                (acknowledged..=end).contains(&kept),
                "{kept} bytes are kept, and {acknowledged} were acknowledged"
            );
            (upload, acknowledged) = (status.location(), kept);
        }
        disk.set_room(u64::MAX);
        let digest = Digest::of(LAYER);
        client.put(&format!("{upload}&digest={digest}"), "").await.expect(201);
        assert_eq!(client.get(&format!("/v2/a/blobs/{digest}")).await.expect(200).body, LAYER);
        if !was_full {
            break;
        }
    }
}
