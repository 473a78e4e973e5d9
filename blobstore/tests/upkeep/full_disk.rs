//! A full disk: what finds no room says so, leaves what was there, and can be repeated once there is room.
//!
//! Two forms, as for the filesystem driver. Each call that writes is refused room in turn, alone and with all that follow: this
//! runs everywhere. And a tmpfs of a few MiB fills up; where none may be mounted this is said aloud, and fails if `DRILL=full`
//! asked for it.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use blobstore::blob::BlobIngester;
use blobstore::upkeep::{CollectOptions, collect};
use blobstore::{Digest, Error, Repository, Result, UploadOptions};
use driver_api::layers::{Fault, FaultPoint, Faults};
use driver_api::{Context, ErrorKind, Operation as Call, Storage};
use driver_filesystem::{FilesystemDriver, FilesystemOptions};

use crate::crash::{Operation, WAYS, check, cleared, pull};
use crate::fixture::{content, described, name, namespace, tag};

/// Calls that need room. To delete something needs none.
fn needs_room(call: Call) -> bool {
    matches!(call, Call::Put | Call::Writer | Call::Write | Call::Close | Call::Commit | Call::Move)
}

const OPERATIONS: [Operation; 15] = [
    Operation::Put,
    Operation::UploadInOneGo,
    Operation::UploadInChunks,
    Operation::UploadBySha512,
    Operation::Mount,
    Operation::PutManifest,
    Operation::PutReferrer,
    Operation::Tag,
    Operation::Untag,
    Operation::DeleteManifest,
    Operation::DeleteBlob,
    Operation::DeleteRepository,
    Operation::Cancel,
    Operation::Purge,
    Operation::Collect,
];

#[tokio::test]
async fn each_call_in_turn_finds_no_room() {
    let mut refused = 0;
    for operation in OPERATIONS {
        for way in WAYS {
            let expected = operation.undisturbed(way.driver).await;
            for stays_full in [false, true] {
                for number in 1_u64.. {
                    let what = format!("{operation:?} {way:?}, no room at write {number}, and later: {stays_full}");
                    let (store, digest, manifest) = operation.fresh(way.driver).await;
                    let writes = std::sync::atomic::AtomicU64::new(0);
                    let met = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
                    let tell = met.clone();
                    let faults = Faults::new(move |point: FaultPoint<'_>| {
                        if !needs_room(point.operation) {
                            return Fault::None;
                        }
                        let at = writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                        if at == number || (stays_full && at > number) {
                            tell.store(true, std::sync::atomic::Ordering::Relaxed);
                            return Fault::Before(ErrorKind::NoSpace);
                        }
                        Fault::None
                    });
                    let full = namespace(&way.through(&store.storage, faults));
                    let result = operation.run(&full, &store.context, &manifest).await;
                    drop(full);
                    if !met.load(std::sync::atomic::Ordering::Relaxed) {
                        result.unwrap();
                        break;
                    }
                    refused += 1;
                    // What was only meant to save work later may fail without a word.
                    if let Err(error) = result {
                        assert!(
                            matches!(&error, Error::Storage(error) if error.kind() == ErrorKind::NoSpace),
                            "{what}: {error}"
                        );
                    }
                    check(&store, &what).await;
                    pull(&store, &digest, "kept", &what).await;
                    let repeated = operation.run(&store.namespace(), &store.context, &manifest).await;
                    repeated.unwrap_or_else(|error| panic!("{what}: repeated: {error}"));
                    assert_eq!(cleared(&store, &what).await, expected, "{what}");
                    pull(&store, &digest, "kept", &what).await;
                }
            }
        }
    }
    println!("{refused} times {} operations found no room", OPERATIONS.len());
}

/// Where the tmpfs is to be mounted, for the process that mounts it.
const MOUNT_AT: &str = "DRILL_MOUNT_AT";

#[test]
fn a_small_tmpfs_fills_up() {
    let directory = tempfile::tempdir().unwrap();
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let Some(way) = ways.into_iter().find(|way| can_mount(way, directory.path())) else {
        let reason =
            "NOT RUN: the drill on a real tmpfs, because this process may not mount one; only the injected form ran";
        assert!(!env::var("DRILL").is_ok_and(|drill| drill == "full"), "{reason}");
        println!("{reason}");
        return;
    };
    // A mount namespace goes with its last process, and the mount with it, whatever happens.
    let status = Command::new("unshare")
        .args(way)
        .arg(env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "full_disk::on_a_small_tmpfs"])
        .env(MOUNT_AT, directory.path())
        .status()
        .unwrap();
    assert!(status.success(), "the drill in its namespace: {status}");
}

fn can_mount(way: &[&str], at: &Path) -> bool {
    let mut probe = Command::new("unshare");
    probe.args(way).args(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at);
    probe.output().is_ok_and(|output| output.status.success())
}

/// Pushes an image with one layer in chunks; its digest.
async fn push(context: &Context, repository: &Repository, number: usize, size: usize) -> Result<Digest> {
    let blobs = repository.blobs();
    // Each has bytes that no other has.
    let layer: bytes::Bytes = content(size).iter().map(|byte| byte.wrapping_add(number as u8)).collect();
    let mut upload = blobs.create(context, UploadOptions::default()).await?;
    let wanted = Digest::of(&layer);
    for chunk in layer.chunks(100_000) {
        upload.write(context, bytes::Bytes::copy_from_slice(chunk)).await?;
    }
    let layer = upload.commit(context, &wanted, None).await?;
    let config = blobs.put(context, format!("{{\"number\": {number}}}").into()).await?;
    let manifest = format!(
        r#"{{"schemaVersion": 2, "config": {}, "layers": [{}]}}"#,
        described("c", &config.digest, config.size),
        described("l", &layer.digest, layer.size)
    );
    let tags = [tag(&format!("t{number}"))];
    Ok(repository.manifests().put(context, None, manifest.into(), None, &tags).await?.descriptor.digest)
}

#[test]
#[ignore = "needs a mount; the drill runs it in a namespace"]
fn on_a_small_tmpfs() {
    let Some(root) = env::var_os(MOUNT_AT) else { return };
    let mut mount = Command::new("mount");
    let status = mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&root).status().unwrap();
    assert!(status.success(), "mount: {status}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fill(Path::new(&root)));
}

async fn fill(root: &Path) {
    let context = &Context::background();
    let storage = Storage::new(FilesystemDriver::new(FilesystemOptions::new(root)).unwrap());
    let namespace = namespace(&storage);
    let repository = namespace.repository(name("a"));
    for round in 0..3 {
        let mut pushed = Vec::new();
        let full = loop {
            match push(context, &repository, round * 50 + pushed.len(), 500_000).await {
                Ok(digest) => pushed.push(digest),
                Err(error) => break error,
            }
            assert!(pushed.len() < 10, "5 MB fit on a disk of 4 MiB");
        };
        assert!(matches!(&full, Error::Storage(error) if error.kind() == ErrorKind::NoSpace), "{full}");
        assert!(pushed.len() >= 5, "round {round}: {} images of 500 kB fit on a disk of 4 MiB", pushed.len());
        for digest in &pushed {
            crate::fixture::pull(context, &repository, digest).await.unwrap();
        }
        // Deleting needs no room, and a collection a little.
        repository.delete(context).await.unwrap();
        let at_once = CollectOptions::default().with_grace(Duration::ZERO);
        let collected = collect(&namespace, context, &at_once, &mut |_| {}).await.unwrap();
        assert!(collected.bytes_freed >= 2_500_000, "{collected:?}");
    }
}
