//! Mixed load for as long as one likes, with connections cut at any moment, while old uploads are purged and garbage is collected.
//!
//! Every answer is checked, byte for byte, against what its client knows; an error that no cut explains ends the test. At its end
//! the server must take no more memory and descriptors than in the middle, and what it leaves must be whole. `SOAK_SECONDS` says
//! how long it goes on, `SEED` with which choices.

mod client;
mod contents;
mod process;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::client::{Lifetimes, Tally, Worker};
use self::process::{Process, Sample, median_of_quarter};
use crate::backends::{on_directory, verify};
use crate::chance::chance;
use crate::server::Server;

const CLIENTS: usize = 6;
/// Uploads live longer than a client takes for one, if it does not leave it, and short enough that some are purged.
const LIFETIMES: Lifetimes = Lifetimes { garbage: Duration::from_secs(6), uploads: Duration::from_secs(20) };

fn seconds() -> u64 {
    std::env::var("SOAK_SECONDS").map_or(20, |seconds| seconds.parse().unwrap())
}

fn configuration(storage: &str) -> String {
    format!(
        "{storage}  cache: {{blobdescriptor: inmemory}}\n  maintenance:\n    uploadpurging: {{age: {}s, interval: 3s}}\n    \
         garbagecollection: {{enabled: true, interval: 2s, grace: {}s}}\n\
         http: {{secret: known}}\nlog: {{accesslog: {{disabled: true}}}}\n",
        LIFETIMES.uploads.as_secs(),
        LIFETIMES.garbage.as_secs(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_on_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    soak("a directory", &on_directory(directory.path()), None).await;
}

#[cfg(feature = "s3")]
#[tokio::test(flavor = "multi_thread")]
async fn soak_on_garage() {
    let endpoint = engines::Engine::start("garage").get("BLOBSTORE_S3_ENDPOINT");
    let port = endpoint.rsplit_once(':').unwrap().1.parse().unwrap();
    let storage = crate::backends::without_redirects(crate::backends::on_engine("garage"));
    soak("Garage", &storage, Some(port)).await;
}

async fn soak(name: &str, storage: &str, storage_port: Option<u16>) {
    let mut random = chance();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &configuration(storage));
    let process = Process { id: server.id(), storage_port };
    let idle = at_rest(&server.address, &process).await;
    let (watching, stop) = watch::channel(());
    let samples = tokio::spawn(process.clone().watch(stop));
    let until = Instant::now() + Duration::from_secs(seconds());
    let mut workers = JoinSet::new();
    for number in 0..CLIENTS {
        workers.spawn(Worker::new(&server.address, number, random.fork(), LIFETIMES).run(until));
    }
    let tallies = workers.join_all().await;
    drop(watching);
    let samples = samples.await.unwrap();
    println!("soak on {name}, {} s: {}", seconds(), told(tallies));
    stays_flat(&samples);
    descriptors_come_back(&process, idle).await;
    let (status, log) = server.end();
    let complaints: Vec<_> = log.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).collect();
    assert!(status.success() && complaints.is_empty(), "{status}: {complaints:#?}");
    leaves_what_is_whole(directory.path());
}

/// What a server takes that has served, and has nothing to do.
async fn at_rest(address: &str, process: &Process) -> Sample {
    // What is opened once, for the first of all requests, is not what this is about.
    let url = format!("http://{address}/v2/first/blobs/uploads/?digest={}", blobstore::Digest::of(b"first"));
    assert_eq!(reqwest::Client::new().post(url).body("first").send().await.unwrap().status(), 201);
    let (mut last, mut unchanged) = (process.sample(), 0);
    while unchanged < 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = process.sample();
        unchanged = if now.descriptors == last.descriptors { unchanged + 1 } else { 0 };
        last = now;
    }
    last
}

/// A line of figures.
fn told(tallies: Vec<Tally>) -> String {
    let (mut done, mut sum) = (BTreeMap::<_, usize>::new(), Tally::default());
    for tally in tallies {
        tally.done.into_iter().for_each(|(what, times)| *done.entry(what).or_default() += times);
        sum.cut += tally.cut;
        sum.bytes += tally.bytes;
        sum.pushes += tally.pushes;
    }
    let requests = done.values().sum::<usize>() + sum.pushes.requests;
    assert!(sum.cut + sum.pushes.failed > 0, "nothing was cut off");
    format!(
        "{requests} requests, {} MB, {} of them cut off, no other error; uploads in chunks {:?}; {done:?}",
        sum.bytes / 1_000_000,
        sum.cut + sum.pushes.failed,
        sum.pushes
    )
}

/// Memory and descriptors at the end are those of the middle, but for what comes and goes with the requests of the moment.
fn stays_flat(samples: &[Sample]) {
    let resident = |quarter| median_of_quarter(samples, quarter, |sample| sample.resident_kib);
    let descriptors = |quarter| median_of_quarter(samples, quarter, |sample| sample.descriptors);
    let most = samples.iter().map(|sample| sample.resident_kib).max().unwrap();
    println!(
        "resident {} KiB in the second quarter, {} KiB in the last, at most {most} KiB; descriptors {} and {}",
        resident(1),
        resident(3),
        descriptors(1),
        descriptors(3)
    );
    assert!(resident(3) <= resident(1) + resident(1) / 4 + 16 * 1024, "memory grows");
    assert!(descriptors(3) <= descriptors(1) + 8, "descriptors grow");
}

/// Waits until all that the load has opened is closed.
async fn descriptors_come_back(process: &Process, idle: Sample) {
    let began = Instant::now();
    loop {
        let now = process.sample();
        if now.descriptors <= idle.descriptors {
            println!("descriptors {} before, {} when it was over", idle.descriptors, now.descriptors);
            return;
        }
        let open = process.open();
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} descriptors, and {} before: {open:#?}",
            now.descriptors,
            idle.descriptors
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All is whole, and stays so when everything was cleared away that can be.
fn leaves_what_is_whole(directory: &Path) {
    verify(directory);
    for words in [["purge-uploads", "--older-than", "0s"], ["gc", "--grace", "0s"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blobstore"));
        let output = command.args(words).arg("--config").arg(directory.join("registry.yml")).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("{}: {}", words[0], told.lines().last().unwrap_or_default());
    }
    verify(directory);
}
