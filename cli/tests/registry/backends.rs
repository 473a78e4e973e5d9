//! Where the registry of a test keeps what it is given, and how a client gets in.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::server::Server;

/// A storage section: files below a directory.
pub(crate) fn on_directory(directory: &Path) -> String {
    let data = directory.join("data");
    format!(
        "version: 0.1\nstorage:\n  delete: {{enabled: true}}\n  filesystem: {{rootdirectory: {}}}\n",
        data.display()
    )
}

/// The same on an engine, below a directory that no other test has, with what a registry needs beside it.
pub(crate) fn on_engine(engine: &str) -> String {
    engines::Engine::start(engine);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/services/").to_owned() + engine + ".yml";
    let text = std::fs::read_to_string(file).unwrap();
    let own = format!("registry-{:032x}", fastrand::u128(..));
    let (before, storage) = text.split_once("storage:\n").unwrap();
    let storage = storage.replacen(":\n", &format!(":\n    rootdirectory: {own}\n"), 1);
    format!("{before}storage:\n  delete: {{enabled: true}}\n{storage}")
}

/// The same where clients get everything from the registry itself.
pub(crate) fn without_redirects(storage: String) -> String {
    storage + "  redirect: {disable: true}\n"
}

/// Reads all that is stored as the configuration in `directory` says, and fails where anything is not as it should be.
#[track_caller]
pub(crate) fn verify(directory: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blobstore"));
    let verified = command.arg("verify").arg("--config").arg(directory.join("registry.yml")).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// A registry and the way in.
pub(crate) struct Door {
    pub(crate) server: Server,
    /// What skopeo and buildah have to be told; what is secret comes last.
    pub(crate) options: Vec<String>,
    directory: TempDir,
}

impl Door {
    /// Plain HTTP, for everybody.
    pub(crate) fn open(storage: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(directory.path(), storage);
        Self { server, options: vec!["--tls-verify=false".to_owned()], directory }
    }

    /// TLS with a certificate of our own, for those who know the password.
    pub(crate) fn guarded(storage: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        certify(directory.path());
        let file = |name: &str| directory.path().join(name).display().to_string();
        let configuration = format!(
            "{storage}auth: {{htpasswd: {{realm: here, path: {}}}}}\nhttp: {{tls: {{certificate: {}, key: {}}}}}\n",
            file("users"),
            file("certificate.pem"),
            file("key.pem"),
        );
        let server = Server::start(directory.path(), &configuration);
        // The file of users is made by the registry, which tells the password once.
        let log = server.log();
        let password = log.split_once("password=").unwrap().1.split_whitespace().next().unwrap().trim_matches('"');
        let options = vec![format!("--cert-dir={}", file("trusted")), format!("--creds=docker:{password}")];
        Self { server, options, directory }
    }

    /// Ends the registry: it told of nothing, and what it leaves is whole.
    pub(crate) fn close_clean(self) {
        let (status, log) = self.server.end();
        assert!(status.success() && !log.contains("ERROR") && !log.contains("WARN a"), "{log}");
        verify(self.directory.path());
    }
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
