//! What an operator does: starts it, stops it, gets it wrong, comes from another registry.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::image;
use crate::server::Server;
use crate::skopeo::SKOPEO;

async fn get(address: &str, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn without_a_file_it_serves_what_is_below_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_file(directory.path(), None, &[]);
    assert_eq!(get(&server.address, "/v2/").await, (200, "{}".to_owned()));
    assert_eq!(get(&server.address, "/v2/_catalog").await, (200, r#"{"repositories":[]}"#.to_owned()));
    let client = reqwest::Client::new();
    let digest = blobstore::Digest::of(b"x");
    let url = format!("http://{}/v2/a/blobs/uploads/?digest={digest}", server.address);
    assert_eq!(client.post(url).body("x").send().await.unwrap().status(), 201);
    let (status, log) = server.end();
    assert!(status.success(), "{log}");
    assert!(directory.path().join("registry-data/docker/registry/v2/repositories/a").is_dir());
}

#[tokio::test]
async fn the_log_says_who_asked_and_ends_each_line_as_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_file(directory.path(), None, &[("REGISTRY_LOG_FIELDS_SERVICE", "mine")]);
    let request = reqwest::Client::new().get(format!("http://{}/v2/", server.address));
    let request = request.header("x-forwarded-for", "192.0.2.7, 127.0.0.1").header("user-agent", "tester \"1\"");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(get(&server.address, "/v2/").await.0, 200);
    let (_, log) = server.end();
    assert!(log.lines().all(|line| line.ends_with(" service=\"mine\"")), "{log}");
    let answered: Vec<_> = log.lines().filter(|line| line.contains("answered")).collect();
    assert!(answered[0].contains(r#"client=192.0.2.7 user_agent="tester \"1\"""#), "{log}");
    assert!(answered[1].contains("client=127.0.0.1:"), "{log}");
}

#[test]
fn mistakes_are_told_all_at_once_and_nothing_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrong.yml");
    std::fs::write(&file, "version: 0.1\nhttp: {adr: x}\nstorage: {filesystem: {rootdir: /nowhere}}\n").unwrap();
    let run = |words: &[&str]| Command::new(env!("CARGO_BIN_EXE_blobstore")).args(words).arg(&file).output().unwrap();
    let ended = run(&["serve"]);
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(
        run(&["config", "check"]).stderr,
        ended.stderr,
        "who checks a file is told what would keep it from being served"
    );
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("wrong.yml:2:8: http.adr: unknown key; did you mean `addr`?"), "{told}");
    assert!(told.contains("wrong.yml:3:24: storage.filesystem.rootdir: unknown key"), "{told}");
}

#[tokio::test]
async fn a_configuration_of_docker_registry_starts_it() {
    let engine = engines::Engine::start("registry");
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(engine.get("BLOBSTORE_REGISTRY_CONFIGURATION")).unwrap();
    let server = Server::start(directory.path(), &text);
    assert_eq!(get(&server.address, "/v2/").await.0, 200);
}

/// Debian's docker-registry, until it is dropped.
struct Ancestor(std::process::Child);

impl Ancestor {
    async fn start(file: &Path, address: &str) -> Self {
        let program = engines::Engine::start("registry").get("BLOBSTORE_REGISTRY_PROGRAM");
        let mut command = Command::new(program);
        command.arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let ancestor = Self(command.spawn().unwrap());
        while reqwest::get(format!("http://{address}/v2/")).await.is_err() {
            tokio::task::yield_now().await;
        }
        ancestor
    }
}

impl Drop for Ancestor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The steps of docs/registry.md, and the way back.
#[tokio::test]
async fn from_docker_registry_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let file = path("config.yml");
    let text = format!(
        "version: 0.1\nhttp: {{addr: '{address}'}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n",
        path("data").display()
    );
    std::fs::write(&file, text).unwrap();
    let copy = |from: String, to: String| {
        let words = ["copy", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", &from, &to];
        let output = Command::new(&*SKOPEO).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let at = |tag: &str| format!("docker://{address}/moved/app:{tag}");
    let local = |name: &str| format!("oci:{}", path(name).display());
    image::write(&path("old"), &[b"old"]);
    image::write(&path("new"), &[b"new"]);

    let ancestor = Ancestor::start(&file, &address).await;
    copy(local("old"), at("old"));
    drop(ancestor);
    let run = |words: &[&str]| Command::new(env!("CARGO_BIN_EXE_blobstore")).args(words).output().unwrap();
    let checked = run(&["config", "check", file.to_str().unwrap()]);
    assert!(checked.status.success(), "{checked:?}");
    let server = Server::start_file(directory.path(), Some(&file), &[("REGISTRY_HTTP_ADDR", address.as_str())]);
    copy(at("old"), local("old again"));
    assert_eq!(image::blobs(&path("old again")), image::blobs(&path("old")));
    copy(local("new"), at("new"));
    assert!(server.end().0.success());
    let verified = run(&["verify", "--config", file.to_str().unwrap()]);
    assert!(verified.status.success(), "{verified:?}");

    let _ancestor = Ancestor::start(&file, &address).await;
    copy(at("new"), local("new again"));
    assert_eq!(image::blobs(&path("new again")), image::blobs(&path("new")));
}

#[tokio::test]
async fn a_socket_in_the_file_system_and_one_that_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let variables = [("REGISTRY_HTTP_NET", "unix"), ("REGISTRY_HTTP_ADDR", socket.to_str().unwrap())];
    let mut server = Server::start_file(directory.path(), None, &variables);
    assert_eq!(server.address, socket.to_str().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_blobstore"));
    let second = command.arg("serve").current_dir(directory.path()).envs(variables).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server listens there"));
    // Killed it leaves its socket behind, which the next one takes away.
    server.kill();
    drop(Server::start_file(directory.path(), None, &variables));
}
