//! Services that are spoken to over TLS, whose certificate a well-known authority vouches for, or the operator, or nobody.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::engines::configuration;
use crate::support::{Ended, blobstore};

/// An engine behind TLS, and the configuration that leads there.
struct Secured {
    directory: TempDir,
    configuration: String,
    /// Forwards until it is dropped.
    _runtime: Runtime,
}

impl Secured {
    fn engine(name: &str) -> Self {
        let plain = std::fs::read_to_string(configuration(name)).unwrap().replace("    secure: false\n", "");
        let behind = plain.split_once("http://").unwrap().1.split(['/', '\n']).next().unwrap().to_owned();

        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let server = server.with_single_cert(vec![certificate.der().clone()], key).unwrap();

        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let front = format!("localhost:{}", listener.local_addr().unwrap().port());
        runtime.spawn(forward(listener, TlsAcceptor::from(Arc::new(server)), behind.parse().unwrap()));
        let configuration = plain.replace(&format!("http://{behind}"), &format!("https://{front}"));
        Self { directory, configuration, _runtime: runtime }
    }

    fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// `config check --connect` with one more key, trusting the operator's authority or nobody but the well-known ones.
    fn check(&self, key: &str, is_trusted: bool) -> Ended {
        let file = self.directory.path().join("storage.yml");
        std::fs::write(&file, format!("{}{key}", self.configuration)).unwrap();
        let mut command = blobstore();
        command.args(["config", "check", "--connect", file.to_str().unwrap()]);
        if is_trusted {
            command.env("SSL_CERT_FILE", self.authority());
        }
        Ended(command.output().unwrap())
    }
}

async fn forward(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // Who does not trust the certificate goes away.
            let Ok(mut client) = acceptor.accept(stream).await else { return };
            let mut service = TcpStream::connect(behind).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
        });
    }
}

fn only_who_is_vouched_for_is_spoken_to(secured: &Secured) {
    let refused = secured.check("", false);
    assert_eq!(refused.code(), 5, "{}", refused.stderr());
    assert!(refused.stderr().to_lowercase().contains("certificate"), "{}", refused.stderr());
    let trusted = secured.check("", true);
    assert_eq!(trusted.code(), 0, "{}", trusted.stderr());
}

#[cfg(feature = "s3")]
#[test]
fn garage_behind_a_certificate() {
    only_who_is_vouched_for_is_spoken_to(&Secured::engine("garage"));
}

#[cfg(feature = "azure")]
#[test]
fn azurite_behind_a_certificate() {
    let secured = Secured::engine("azurite");
    only_who_is_vouched_for_is_spoken_to(&secured);
    let unchecked = secured.check("    skipverify: true\n", false);
    assert_eq!(unchecked.code(), 0, "{}", unchecked.stderr());
}
