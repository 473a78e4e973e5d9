//! Servers that are killed while clients push: the clients go on, and what was acknowledged is there.

use std::path::Path;

use fastrand::Rng;
use reqwest::Client;
use tokio::task::JoinSet;

use crate::backends::{on_directory, verify};
use crate::chance::chance;
use crate::proxy::Proxy;
use crate::pusher::{Counts, Image, Progress, Pusher, Trouble};
use crate::server::Server;

/// Clients that push at the same time, each into a repository of its own.
struct Pushers(JoinSet<(Vec<Image>, Counts)>);

impl Pushers {
    fn start(number: usize, images: usize, most: usize, address: &str, random: &mut Rng, progress: &Progress) -> Self {
        let mut pushing = JoinSet::new();
        for number in 0..number {
            let repository = format!("pushed/{number}");
            let pusher = Pusher::new(Client::new(), address, repository, random.fork(), Trouble::Servers);
            let mut pusher = pusher.telling(progress.clone());
            pushing.spawn(async move {
                let mut pushed = Vec::new();
                for image in 0..images {
                    pushed.push(pusher.push_image(format!("t{image}"), most).await);
                }
                (pushed, pusher.counts)
            });
        }
        Self(pushing)
    }

    /// What they have pushed.
    async fn end(self) -> Vec<Image> {
        let (mut images, mut sum) = (Vec::new(), Counts::default());
        for (pushed, counts) in self.0.join_all().await {
            images.extend(pushed);
            sum += counts;
        }
        println!("{} images pushed; {sum:?}", images.len());
        assert!(sum.failed > 0, "no push was disturbed");
        images
    }
}

const SECRET: &str = "http: {secret: shared}\n";

#[tokio::test]
async fn a_server_is_killed_again_and_again() {
    let mut random = chance();
    let directory = tempfile::tempdir().unwrap();
    let configuration = SECRET.to_owned() + &on_directory(directory.path());
    let start = |directory: &Path| Server::start(directory, &configuration);
    let mut server = start(directory.path());
    let proxy = Proxy::start(vec![server.address.clone()]).await;
    let progress = Progress::new();
    let pushers = Pushers::start(4, 10, 1_500_000, &proxy.address, &mut random, &progress);
    for _ in 0..7 {
        progress.wait_for(random.u64(1..80)).await;
        server.kill();
        server = start(directory.path());
        proxy.forward_to(vec![server.address.clone()]);
    }
    for image in pushers.end().await {
        image.pull(&server.address).await;
    }
    assert!(server.end().0.success());
    verify(directory.path());
}

#[cfg(feature = "s3")]
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_servers_is_killed() {
    let mut random = chance();
    let redis = engines::Engine::start("redis").get("BLOBSTORE_REDIS_ADDRESS");
    let storage = crate::backends::without_redirects(crate::backends::on_engine("garage"));
    let configuration = format!("{SECRET}redis: {{addr: '{redis}'}}\n{storage}  cache: {{blobdescriptor: redis}}\n");
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut servers = directories.each_ref().map(|directory| Server::start(directory.path(), &configuration));
    let addresses = || servers.iter().map(|server| server.address.clone()).collect();
    // That one of them is dead, a proxy finds out when it turns to it.
    let (proxy, proxy_of_skopeo) = (Proxy::start(addresses()).await, Proxy::start(addresses()).await);
    let progress = Progress::new();
    let pushers = Pushers::start(3, 4, 9_000_000, &proxy.address, &mut random, &progress);
    let copies = tokio::task::spawn_blocking({
        let address = proxy_of_skopeo.address.clone();
        let random = random.fork();
        move || copies(&address, random)
    });
    progress.wait_for(random.u64(20..300)).await;
    // At the moment it may happen to have no request of a pusher, and then nobody would notice.
    proxy.lose(&servers[0].address).await;
    servers[0].kill();
    let left = &servers[1].address;
    for image in pushers.end().await {
        image.pull(left).await;
    }
    let (source, tags) = copies.await.unwrap();
    let expected = crate::image::blobs(&source.path().join("image"));
    for tag in tags {
        let back = source.path().join(&tag);
        let (from, to) = (format!("docker://{left}/{tag}:1"), format!("oci:{}", back.display()));
        assert!(skopeo(&["copy", "--preserve-digests", "--src-tls-verify=false", &from, &to]));
        assert_eq!(crate::image::blobs(&back), expected);
    }
    verify(directories[1].path());
}

#[cfg(feature = "s3")]
fn skopeo(words: &[&str]) -> bool {
    let output = std::process::Command::new(&*crate::skopeo::SKOPEO).args(words).output().unwrap();
    if !output.status.success() {
        println!("skopeo {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

/// skopeo copies an image into some repositories, one after the other; the image, and the repositories.
#[cfg(feature = "s3")]
fn copies(address: &str, mut random: Rng) -> (tempfile::TempDir, Vec<String>) {
    let source = tempfile::tempdir().unwrap();
    // Of its own: the Redis may know what was copied before, into another bucket.
    let [mut small, mut large] = [3, 8_000_000].map(|bytes| vec![0; bytes]);
    random.fill(&mut small);
    random.fill(&mut large);
    crate::image::write(&source.path().join("image"), &[&small, &large]);
    let from = format!("oci:{}", source.path().join("image").display());
    let repositories: Vec<_> = (0..2).map(|number| format!("copied{number}")).collect();
    for repository in &repositories {
        let to = format!("docker://{address}/{repository}:1");
        let copy =
            || skopeo(&["copy", "--preserve-digests", "--retry-times", "5", "--dest-tls-verify=false", &from, &to]);
        // Whoever runs it in a script tries again too.
        assert!((0..3).any(|_| copy()), "{repository} could not be pushed");
    }
    (source, repositories)
}
