//! Upkeep of a large registry: time, memory, requests.

use std::time::{Duration, Instant};

use blobstore::upkeep::{CollectOptions, Event, VerifyOptions, collect, verify};
use blobstore::{Digest, Place, RepositoryName, media_type};
use bytes::Bytes;
use driver_api::layers::Count;
use driver_api::{Context, PutOptions, Storage};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Result, memory, namespace};

/// How many layers a manifest names.
const LAYERS: usize = 99;
/// One content of so many is garbage.
const GARBAGE: usize = 100;
/// What upkeep may take, and for each content.
const MEMORY: (u64, u64) = (64 << 20, 40);
const AT_ONCE: usize = 32;

fn layer(number: usize) -> Bytes {
    format!("layer {number}").into()
}

fn described(kind: &str, digest: &Digest, size: usize) -> String {
    format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
}

/// Which files there are. A manifest stands for `LAYERS` links beside its own; a repository has as many as it takes for all layers to
/// be named once, and the next begins again.
struct Registry {
    layers: usize,
    manifests: usize,
}

impl Registry {
    fn new(blobs: usize, links: usize) -> Self {
        let manifests = links / (LAYERS + 1);
        Self { layers: blobs.saturating_sub(manifests), manifests }
    }

    fn repository(&self, manifest: usize) -> Result<RepositoryName> {
        Ok(format!("library/r{}", manifest / 100).parse()?)
    }

    /// The files of one manifest.
    fn files(&self, number: usize) -> Result<Vec<(Place, Bytes)>> {
        let (repository, mut files, mut listed) = (self.repository(number)?, Vec::new(), Vec::new());
        let needed = self.layers - self.layers / GARBAGE;
        for at in 0..LAYERS {
            let content = layer((number * LAYERS + at) % needed);
            let digest = Digest::of(&content);
            listed.push(described("application/vnd.oci.image.layer.v1.tar", &digest, content.len()));
            files.push((Place::Layer(repository.clone(), digest), digest.to_string().into()));
        }
        let manifest = Bytes::from(format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}],"annotations":{{"number":"{number}"}}}}"#,
            media_type::OCI_MANIFEST,
            listed[0],
            listed[1..].join(",")
        ));
        let digest = Digest::of(&manifest);
        files.push((Place::Blob(digest), manifest));
        files.push((Place::Revision(repository.clone(), digest), digest.to_string().into()));
        files.push((Place::Tagged(repository, format!("t{number}").parse()?), digest.to_string().into()));
        Ok(files)
    }
}

async fn put(storage: Storage, files: Vec<(Place, Bytes)>) -> Result<()> {
    for (place, content) in files {
        storage.put(&Context::background(), &place.path(), content, PutOptions::default()).await?;
    }
    Ok(())
}

/// Whether a figure is behind its limit.
pub(crate) async fn measure(storage: &Storage, blobs: usize, links: usize) -> Result<bool> {
    let registry = Registry::new(blobs, links);
    let begun = Instant::now();
    let layers = stream::iter(0..registry.layers).map(|number| {
        let content = layer(number);
        put(storage.clone(), vec![(Place::Blob(Digest::of(&content)), content)])
    });
    layers.buffer_unordered(AT_ONCE).try_for_each(|()| async { Ok(()) }).await?;
    let manifests = stream::iter(0..registry.manifests).map(|number| {
        let (files, storage) = (registry.files(number), storage.clone());
        async move { put(storage, files?).await }
    });
    manifests.buffer_unordered(AT_ONCE).try_for_each(|()| async { Ok(()) }).await?;
    println!("{blobs} contents and {links} links were written in {:.0} s", begun.elapsed().as_secs_f64());

    let context = Context::background();
    let most = MEMORY.0 + MEMORY.1 * blobs as u64;
    let mut is_behind = false;
    let mut silent = |event: Event<'_>| {
        if let Event::Problem { path, error } = event {
            eprintln!("{path}: {error}");
        }
    };
    let mut report = |what: &str, idle: u64, begun: Instant, count: &Count, did: String| -> Result<()> {
        let (took, memory) = (begun.elapsed().as_secs_f64(), memory::peak()?.saturating_sub(idle));
        let calls = count.take();
        let all: u64 = calls.values().sum();
        println!(
            "{what}: {took:.1} s, peak {:.1} MiB above idle (limit {:.1}), {all} requests {calls:?}",
            mib(memory),
            mib(most)
        );
        println!("  {did}");
        is_behind |= memory > most;
        Ok(())
    };
    let count = Count::default();
    let counted = namespace(&storage.layered(count.clone()));
    let (idle, begun) = (memory::reset()?, Instant::now());
    let verified = verify(&counted, &context, &VerifyOptions::default(), &mut silent).await?;
    report("verify", idle, begun, &count, format!("{verified:?}"))?;
    for delete_untagged in [false, true] {
        let mut options = CollectOptions::default().with_grace(Duration::ZERO);
        options.delete_untagged = delete_untagged;
        let (idle, begun) = (memory::reset()?, Instant::now());
        let collected = collect(&counted, &context, &options, &mut silent).await?;
        let what = if delete_untagged { "collect, untagged too" } else { "collect" };
        report(what, idle, begun, &count, format!("{collected:?}"))?;
    }
    Ok(is_behind)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
