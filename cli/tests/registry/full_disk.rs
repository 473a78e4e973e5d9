//! A disk that is full: a push that finds no room is told so and leaves nothing, others are served, and once there is room it is
//! done again. On a tmpfs of some MiB; where none may be mounted this is said aloud, and fails if `DRILL=full` asked for it. In
//! its injected form the same is in `registry/tests/api/full_disk.rs`, and runs everywhere.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use blobstore::{Digest, media_type};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::backends::{on_directory, verify};
use crate::server::Server;

/// How the namespace of mounts is made in which there is a tmpfs.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// In a namespace of its own, which goes with its last process.
fn mounted(way: &[&str], at: &Path, then: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(way).args(["sh", "-c"]);
    command.arg(format!("mount -t tmpfs -o size=8m tmpfs '{}' && {then}", at.display()));
    command
}

struct Pushing {
    client: Client,
    address: String,
}

impl Pushing {
    async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("http://{}/v2/a/{path}", self.address) };
        self.client.request(method, url).body(body).send().await.unwrap()
    }

    /// In one request.
    async fn at_once(&self, content: &[u8]) -> Response {
        let path = format!("blobs/uploads/?digest={}", Digest::of(content));
        self.send(Method::POST, &path, content.to_vec()).await
    }

    /// Goes on with an upload in chunks: to its end, or to the first answer that is not what it should be; where it stands then.
    async fn in_chunks(&self, mut upload: String, from: usize, content: &[u8]) -> (Response, String) {
        for chunk in content[from..].chunks(300_000) {
            let response = self.send(Method::PATCH, &upload, chunk.to_vec()).await;
            if response.status() != StatusCode::ACCEPTED {
                return (response, upload);
            }
            upload = location(&response);
        }
        let path = format!("{upload}&digest={}", Digest::of(content));
        (self.send(Method::PUT, &path, "").await, upload)
    }

    async fn is_whole(&self, content: &[u8]) {
        let response = self.send(Method::GET, &format!("blobs/{}", Digest::of(content)), "").await;
        assert_eq!(response.status(), 200);
        assert!(response.bytes().await.unwrap() == content);
    }

    async fn is_not_there(&self, content: &[u8]) {
        for method in [Method::HEAD, Method::GET] {
            let response = self.send(method, &format!("blobs/{}", Digest::of(content)), "").await;
            assert_eq!(response.status(), 404);
        }
    }
}

fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn told_that_it_is_full(response: Response) {
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let told: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(told["errors"][0]["code"], "UNAVAILABLE");
    assert_eq!(told["errors"][0]["message"], "the storage of the registry is full");
}

fn content(bytes: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect()
}

#[tokio::test]
async fn a_full_disk_while_clients_push() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let possible = |way: &&[&str]| mounted(way, &data, "true").output().is_ok_and(|output| output.status.success());
    let Some(way) = WAYS.into_iter().find(possible) else {
        let reason = "NOT RUN: pushes to a real tmpfs, because this process may not mount one";
        assert!(!env::var("DRILL").is_ok_and(|drill| drill == "full"), "{reason}");
        println!("{reason}");
        return;
    };
    let file = directory.path().join("registry.yml");
    std::fs::write(&file, on_directory(directory.path())).unwrap();
    let serve = format!("exec '{}' serve '{}'", env!("CARGO_BIN_EXE_blobstore"), file.display());
    let server = Server::spawn(mounted(way, &data, &serve), &[]);
    // The mount as the server sees it.
    let within = Path::new("/proc").join(server.id().to_string()).join("root").join(data.strip_prefix("/").unwrap());
    fill(&server.address, &within).await;
    // The mount goes with the server, so that what it holds is copied before.
    let copied = directory.path().join("copied");
    std::fs::create_dir(&copied).unwrap();
    std::fs::write(copied.join("registry.yml"), on_directory(&copied)).unwrap();
    assert!(Command::new("cp").arg("-r").arg(within).arg(copied.join("data")).status().unwrap().success());
    let (status, log) = server.end();
    assert!(status.success() && log.contains("the storage is full"), "{log}");
    verify(&copied);
}

/// Takes all the room that is left.
fn occupy(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// Pushes where there is no room, and again when there is.
async fn fill(address: &str, disk: &Path) {
    let pushing = Pushing { client: Client::new(), address: address.to_owned() };
    let [config, layer, in_one, in_many] = [2, 1_000_000, 2_500_000, 2_500_000].map(content);
    for content in [&config, &layer] {
        assert_eq!(pushing.at_once(content).await.status(), 201);
    }
    let described = |content: &[u8]| json!({"mediaType": "a/b", "digest": Digest::of(content), "size": content.len()});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": described(&config), "layers": [described(&layer)],
    });
    let manifest = manifest.to_string();
    let upload = location(&pushing.send(Method::POST, "blobs/uploads/", "").await);
    let [ballast, rest] = ["ballast", "rest"].map(|name| disk.join(name));
    std::fs::write(&ballast, vec![0; 5_500_000]).unwrap();

    for _ in 0..3 {
        told_that_it_is_full(pushing.at_once(&in_one).await).await;
    }
    // Those have left nothing that takes room.
    let less = content(800_000);
    assert_eq!(pushing.at_once(&less).await.status(), 201);
    let (response, upload) = pushing.in_chunks(upload, 0, &in_many).await;
    told_that_it_is_full(response).await;
    occupy(&rest);
    told_that_it_is_full(pushing.send(Method::PUT, "manifests/tag", manifest.clone()).await).await;
    for content in [&in_one, &in_many] {
        pushing.is_not_there(content).await;
    }
    assert_eq!(pushing.send(Method::GET, "manifests/tag", "").await.status(), 404);
    pushing.is_whole(&layer).await;

    for file in [ballast, rest] {
        std::fs::remove_file(file).unwrap();
    }
    let response = pushing.send(Method::GET, &upload, "").await;
    assert_eq!(response.status(), 204);
    let kept = response.headers()["range"].to_str().unwrap().strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
    let (response, _) = pushing.in_chunks(location(&response), kept, &in_many).await;
    assert_eq!(response.status(), 201);
    assert_eq!(pushing.at_once(&in_one).await.status(), 201);
    assert_eq!(pushing.send(Method::PUT, "manifests/tag", manifest.clone()).await.status(), 201);
    assert_eq!(pushing.send(Method::GET, "manifests/tag", "").await.text().await.unwrap(), manifest);
    for content in [&in_one, &in_many] {
        pushing.is_whole(content).await;
    }
}
