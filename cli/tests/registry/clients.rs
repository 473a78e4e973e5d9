//! skopeo pushes, looks, pulls and deletes, on every backend.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use crate::image;
use crate::server::Server;

pub(crate) static SKOPEO: LazyLock<String> =
    LazyLock::new(|| engines::Engine::start("registry").get("BLOBSTORE_SKOPEO"));

/// A client, and how it reaches the registry.
struct Client<'a> {
    server: &'a Server,
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
        format!("docker://{}/{name}", self.server.address)
    }
}

/// What people do with a registry in a day.
fn a_day(server: &Server, options: &[&str]) {
    let client = Client { server, options: options.iter().map(|option| (*option).to_owned()).collect() };
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
    let name = format!("{}/day/app", client.server.address);
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

const PLAIN: &[&str] = &["--tls-verify=false"];

#[test]
fn skopeo_on_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let configuration = format!(
        "version: 0.1\nstorage:\n  delete: {{enabled: true}}\n  cache: {{blobdescriptor: inmemory}}\n  filesystem: {{rootdirectory: {}}}\n",
        data.display()
    );
    let server = Server::start(directory.path(), &configuration);
    a_day(&server, PLAIN);
    let (status, log) = server.end();
    assert!(status.success() && !log.contains("ERROR") && !log.contains("WARN a"), "{log}");
    // What is left is whole.
    let verified = Command::new(env!("CARGO_BIN_EXE_blobstore"))
        .args(["verify", "--config", directory.path().join("registry.yml").to_str().unwrap()])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// A certificate for this machine, in the files that a registry and a client want.
fn certify(directory: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap().pem();
    std::fs::create_dir(directory.join("trusted")).unwrap();
    std::fs::write(directory.join("trusted/ca.crt"), &certificate).unwrap();
    std::fs::write(directory.join("certificate.pem"), certificate).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
}

#[test]
fn skopeo_with_a_password_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    certify(directory.path());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let server = Server::start(
        directory.path(),
        &format!(
            "auth: {{htpasswd: {{realm: here, path: {}}}}}\nhttp: {{tls: {{certificate: {}, key: {}}}}}\n\
             storage: {{delete: {{enabled: true}}, filesystem: {{rootdirectory: {}}}}}\n",
            file("users"),
            file("certificate.pem"),
            file("key.pem"),
            file("data")
        ),
    );
    // The file of users is made by the registry, which tells the password once.
    let log = server.log();
    let password = log.split_once("password=").unwrap().1.split_whitespace().next().unwrap().trim_matches('"');
    let trusted = format!("--cert-dir={}", file("trusted"));
    let stranger = Client { server: &server, options: vec![trusted.clone(), "--creds=docker:wrong".to_owned()] };
    let options = stranger.with("");
    let reference = stranger.reference("day/app:1.0");
    let words: Vec<_> =
        ["inspect"].into_iter().chain(options.iter().map(String::as_str)).chain([reference.as_str()]).collect();
    let refused = stranger.skopeo(&words);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("unauthorized"), "{refused:?}");
    a_day(&server, &[&trusted, &format!("--creds=docker:{password}")]);
}

/// The storage of an engine, below a directory that no other test has, with what a registry needs beside it.
pub(crate) fn on_engine(engine: &str) -> String {
    engines::Engine::start(engine);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/services/").to_owned() + engine + ".yml";
    let text = std::fs::read_to_string(file).unwrap();
    let own = format!("registry-{:032x}", fastrand::u128(..));
    let (before, storage) = text.split_once("storage:\n").unwrap();
    let storage = storage.replacen(":\n", &format!(":\n    rootdirectory: {own}\n"), 1);
    format!("{before}storage:\n  delete: {{enabled: true}}\n{storage}")
}

#[cfg(feature = "s3")]
#[test]
fn skopeo_on_garage() {
    let directory = tempfile::tempdir().unwrap();
    a_day(&Server::start(directory.path(), &format!("{}  redirect: {{disable: true}}\n", on_engine("garage"))), PLAIN);
}

#[cfg(feature = "s3")]
#[test]
fn skopeo_is_sent_to_garage_for_layers() {
    let directory = tempfile::tempdir().unwrap();
    a_day(&Server::start(directory.path(), &on_engine("garage")), PLAIN);
}

#[cfg(feature = "azure")]
#[test]
fn skopeo_on_azurite() {
    let directory = tempfile::tempdir().unwrap();
    a_day(&Server::start(directory.path(), &on_engine("azurite")), PLAIN);
}
