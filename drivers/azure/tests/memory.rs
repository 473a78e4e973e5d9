//! A stream of any length holds a bounded number of buffers (WRITE-10). Alone in its binary, for it reads the memory of the
//! whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.
#![cfg(target_os = "linux")]

mod support;

use bytes::Bytes;
use driver_api::{CommitOptions, Context, DeleteOptions, ReadOptions, Storage, StoragePath, WriteOptions};

const MIB: usize = 1024 * 1024;
const LENGTH: usize = 384 * MIB;
const ALLOWED: usize = 64 * MIB;

/// What the process had in memory at its height, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn a_large_file_up_and_down_stays_below_64_mib() {
    let (storage, context) = (Storage::new(support::driver()), Context::background());
    let path = StoragePath::parse("/large").unwrap();
    storage.stat(&context, &path).await.unwrap_err();
    let idle = peak();
    let mut writer = storage.writer(&context, &path, WriteOptions::default()).await.unwrap();
    for _ in 0..LENGTH / MIB {
        writer.write(&context, Bytes::from(vec![7; MIB])).await.unwrap();
    }
    assert_eq!(writer.commit(&context, CommitOptions::default()).await.unwrap().size, LENGTH as u64);
    let up = peak() - idle;
    let mut reader = storage.reader(&context, &path, ReadOptions::default()).await.unwrap();
    let mut length = 0;
    while let Some(chunk) = reader.next_chunk().await {
        length += chunk.unwrap().len();
    }
    assert_eq!(length, LENGTH);
    let both = peak() - idle;
    storage.delete(&context, &path, DeleteOptions::default()).await.unwrap();
    println!("{} MiB above idle for the way up, {} MiB for both ways", up / MIB, both / MIB);
    assert!(both < ALLOWED, "{} MiB up, {} MiB both ways", up / MIB, both / MIB);
}
