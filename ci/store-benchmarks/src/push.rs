//! A large blob pushed in one request, beside its hash alone and its bytes written alone: in turns, in one process.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use blobstore::blob::BlobIngester;
use blobstore::{Digest, Place, UploadOptions};
use bytes::Bytes;
use driver_api::{Context, DeleteOptions};
use sha2::{Digest as _, Sha256};

use crate::{Result, filesystem, namespace};

/// The pieces in which a blob comes.
const CHUNK: usize = 256 * 1024;

/// How much of the slower of the two the stores must reach.
const LIMIT: f64 = 0.9;

/// Whether it is behind its limit.
pub(crate) async fn measure(directory: &Path, mebibytes: usize, rounds: usize) -> Result<bool> {
    let storage = filesystem(&directory.join("push"))?;
    let blobs = namespace(&storage).repository("library/large".parse()?).blobs();
    let context = Context::background();
    let chunks = mebibytes * 1024 * 1024 / CHUNK;
    // Each of a few pieces comes many times: what is measured is not the memory they lie in.
    let pieces: Vec<Bytes> = (0..16_u8).map(|number| vec![number.wrapping_mul(37); CHUNK].into()).collect();
    let of = |round: usize| pieces.iter().cycle().skip(round).take(chunks);
    let gibibytes = (chunks * CHUNK) as f64 / f64::from(1 << 30);
    let mut speeds = [const { Vec::new() }; 4];
    let mut ratios = Vec::new();
    // Round 0 is there to warm up.
    for round in 0..=rounds {
        let begun = Instant::now();
        let digest = hash(of(round));
        let hashed = gibibytes / begun.elapsed().as_secs_f64();

        let pieces: Vec<_> = of(round).cloned().collect();
        settle(directory)?;
        let written = gibibytes / write(directory, &pieces)?.as_secs_f64();
        settle(directory)?;
        // What two threads reach that share the machine and do nothing else.
        let both = std::thread::scope(|scope| -> Result<_> {
            let begun = Instant::now();
            let hashing = scope.spawn(|| hash(&pieces));
            write(directory, &pieces)?;
            hashing.join().map_err(|_| "the hash was not made")?;
            Ok(begun.elapsed())
        })?;
        let both = gibibytes / both.as_secs_f64();
        settle(directory)?;

        let begun = Instant::now();
        let mut options = UploadOptions::default();
        options.size_hint = Some((chunks * CHUNK) as u64);
        let mut upload = blobs.create(&context, options).await?;
        for piece in of(round) {
            upload.write(&context, piece.clone()).await?;
        }
        upload.commit(&context, &digest, None).await.map_err(blobstore::Error::from)?;
        let pushed = gibibytes / begun.elapsed().as_secs_f64();
        storage.delete(&context, &Place::Blob(digest).path(), DeleteOptions::default()).await?;
        if round > 0 {
            ratios.push(pushed / hashed.min(written));
            for (speeds, speed) in speeds.iter_mut().zip([hashed, written, both, pushed]) {
                speeds.push(speed);
            }
        }
    }
    let [hashed, written, both, pushed] = speeds.map(median);
    let ratio = median(ratios);
    println!(
        "push of {mebibytes} MiB: {pushed:.2} GiB/s; hash alone {hashed:.2}, write alone {written:.2}, both at once by two threads {both:.2}"
    );
    println!("  {ratio:.2} of the slower of both (limit {LIMIT})");
    Ok(ratio < LIMIT)
}

/// Waits until the disk is done with what was measured before, which the same processors would do in the time of the next.
fn settle(directory: &Path) -> Result<()> {
    Ok(rustix::fs::syncfs(File::open(directory)?)?)
}

fn hash<'a>(pieces: impl IntoIterator<Item = &'a Bytes>) -> Digest {
    let mut hasher = Sha256::new();
    pieces.into_iter().for_each(|piece| hasher.update(piece));
    Digest::Sha256(hasher.finalize().into())
}

/// Writes a file as the driver does, and removes it again; how long the writing took.
fn write(directory: &Path, pieces: &[Bytes]) -> Result<Duration> {
    let (staged, published) = (directory.join("staged"), directory.join("published"));
    let begun = Instant::now();
    let mut file = File::create(&staged)?;
    for piece in pieces {
        file.write_all(piece)?;
    }
    drop(file);
    fs::rename(&staged, &published)?;
    let took = begun.elapsed();
    fs::remove_file(&published)?;
    Ok(took)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
