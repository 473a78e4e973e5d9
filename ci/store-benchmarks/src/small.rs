//! Many small blobs, pushed and pulled.

use std::time::Instant;

use blobstore::blob::{BlobIngester, BlobProvider};
use blobstore::{Digest, UploadOptions};
use bytes::Bytes;
use driver_api::{Context, Storage};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Result, namespace};

const BYTES: usize = 4096;

fn content(number: usize, run: usize) -> Bytes {
    let mut content = vec![7; BYTES];
    content[..8].copy_from_slice(&run.to_be_bytes());
    content[8..16].copy_from_slice(&number.to_be_bytes());
    content.into()
}

pub(crate) async fn measure(storage: &Storage, number: usize) -> Result<()> {
    for (run, at_once) in [1, 16].into_iter().enumerate() {
        let blobs = namespace(storage).repository(format!("library/small-{run}").parse()?).blobs();
        let contents: Vec<_> = (0..number).map(|at| content(at, run)).collect();
        let digests: Vec<_> = contents.iter().map(|content| Digest::of(content)).collect();
        let begun = Instant::now();
        let pushes = stream::iter(contents.into_iter().zip(digests.clone())).map(|(content, digest)| {
            let blobs = blobs.clone();
            async move {
                let context = Context::background();
                let mut upload = blobs.create(&context, UploadOptions::default()).await?;
                upload.write(&context, content).await?;
                upload.commit(&context, &digest, None).await?;
                Ok::<_, blobstore::Error>(())
            }
        });
        pushes.buffer_unordered(at_once).try_for_each(|()| async { Ok(()) }).await?;
        let pushed = number as f64 / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let pulls = stream::iter(digests).map(|digest| {
            let blobs = blobs.clone();
            async move {
                let context = Context::background();
                let mut reader = blobs.open(&context, &digest).await?;
                let mut bytes = 0;
                while let Some(chunk) = reader.next_chunk(&context).await? {
                    bytes += chunk.len();
                }
                Ok::<_, blobstore::Error>(bytes)
            }
        });
        let bytes = pulls.buffer_unordered(at_once).try_fold(0, |sum, bytes| async move { Ok(sum + bytes) }).await?;
        let pulled = number as f64 / begun.elapsed().as_secs_f64();
        if bytes != number * BYTES {
            return Err("a pull brought too little".into());
        }
        println!(
            "{number} blobs of {BYTES} bytes, {at_once} at a time: {pushed:.0} pushed and {pulled:.0} pulled a second"
        );
    }
    Ok(())
}
