//! skopeo pushes, looks, pulls and deletes, on every backend.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use crate::backends::{Door, on_directory};
#[cfg(any(feature = "azure", feature = "s3"))]
use crate::backends::{on_engine, without_redirects};
use crate::image;

pub(crate) static SKOPEO: LazyLock<String> =
    LazyLock::new(|| engines::Engine::start("registry").get("BLOBSTORE_SKOPEO"));

/// A client, and how it reaches the registry.
struct Client<'a> {
    door: &'a Door,
    /// Behind the words that say what is done.
    options: Vec<String>,
}

impl Client<'_> {
    fn skopeo(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(&*SKOPEO).args(arguments).output().unwrap()
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.skopeo(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn with(&self, role: &str) -> Vec<String> {
        let prefix = if role.is_empty() { String::new() } else { format!("{role}-") };
        self.options.iter().map(|option| option.replacen("--", &format!("--{prefix}"), 1)).collect()
    }

    #[track_caller]
    fn run(&self, command: &str, role: &str, arguments: &[&str]) -> String {
        let options = self.with(role);
        let options = options.iter().map(String::as_str);
        let words: Vec<_> = command.split(' ').chain(options).chain(arguments.iter().copied()).collect();
        self.done(&words)
    }

    fn reference(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.door.server.address)
    }
}

/// What people do with a registry in a day.
fn a_day(door: &Door) {
    let client = Client { door, options: door.options.clone() };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    image::write(&path("image"), &[b"one", b"two", &large]);
    let source = format!("oci:{}", path("image").display());
    for tag in ["1.0", "latest"] {
        client.run("copy --preserve-digests", "dest", &[&source, &client.reference(&format!("day/app:{tag}"))]);
    }
    let inspected = client.run("inspect", "", &[&client.reference("day/app:latest")]);
    assert!(inspected.contains("\"1.0\""), "{inspected}");
    let tags = client.run("list-tags", "", &[&client.reference("day/app")]);
    assert!(tags.contains("\"1.0\"") && tags.contains("\"latest\""), "{tags}");
    // From one repository to another: layers are mounted.
    let both: Vec<_> = client.with("src").into_iter().chain(client.with("dest")).collect();
    let (from, to) = (client.reference("day/app:latest"), client.reference("day/other/app:latest"));
    let words: Vec<_> =
        ["copy"].into_iter().chain(both.iter().map(String::as_str)).chain([from.as_str(), to.as_str()]).collect();
    client.done(&words);
    assert_eq!(pulled(&client, &path("back"), "day/other/app:latest"), image::blobs(&path("image")));
    let synced = path("synced");
    std::fs::create_dir(&synced).unwrap();
    let name = format!("{}/day/app", client.door.server.address);
    client.run("sync --src docker --dest dir", "src", &[&name, synced.to_str().unwrap()]);
    assert_eq!(std::fs::read_dir(&synced).unwrap().count(), 2);
    client.run("delete", "", &[&client.reference("day/app:1.0")]);
    let gone = client.with("src");
    let reference = client.reference("day/app:1.0");
    let to = format!("dir:{}", path("gone").display());
    let words: Vec<_> =
        ["copy"].into_iter().chain(gone.iter().map(String::as_str)).chain([reference.as_str(), to.as_str()]).collect();
    assert!(!client.skopeo(&words).status.success());
}

/// The blobs that come when an image is pulled.
fn pulled(client: &Client<'_>, directory: &Path, name: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
    client.run("copy --preserve-digests", "src", &[&client.reference(name), &format!("oci:{}", directory.display())]);
    image::blobs(directory)
}

#[test]
fn skopeo_on_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let storage = on_directory(directory.path()) + "  cache: {blobdescriptor: inmemory}\n";
    let door = Door::open(&storage);
    a_day(&door);
    door.close_clean();
}

/// The same where one has to know a password; without it nothing is to be had.
fn a_guarded_day(storage: &str) {
    let door = Door::guarded(storage);
    let mut stranger = Client { door: &door, options: door.options.clone() };
    *stranger.options.last_mut().unwrap() = "--creds=docker:wrong".to_owned();
    let options = stranger.with("");
    let reference = stranger.reference("day/app:1.0");
    let words: Vec<_> =
        ["inspect"].into_iter().chain(options.iter().map(String::as_str)).chain([reference.as_str()]).collect();
    let refused = stranger.skopeo(&words);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("unauthorized"), "{refused:?}");
    a_day(&door);
}

#[test]
fn skopeo_with_a_password_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    a_guarded_day(&on_directory(directory.path()));
}

#[cfg(feature = "s3")]
#[test]
fn skopeo_on_garage() {
    a_day(&Door::open(&without_redirects(on_engine("garage"))));
}

#[cfg(feature = "s3")]
#[test]
fn skopeo_is_sent_to_garage_for_layers() {
    a_day(&Door::open(&on_engine("garage")));
}

#[cfg(feature = "s3")]
#[test]
fn skopeo_on_garage_with_a_password_over_tls() {
    a_guarded_day(&without_redirects(on_engine("garage")));
}

#[cfg(feature = "azure")]
#[test]
fn skopeo_on_azurite() {
    a_day(&Door::open(&on_engine("azurite")));
}

#[cfg(feature = "azure")]
#[test]
fn skopeo_on_azurite_with_a_password_over_tls() {
    a_guarded_day(&without_redirects(on_engine("azurite")));
}
