//! HTTPS.

use std::path::Path;

use registry::configuration::{ClientCertificates, Tls, TlsVersion};
use registry::{RegistryOptions, ServerOptions};
use reqwest::{Certificate, Identity, StatusCode, Version};

use super::*;

/// An authority, and what it has signed: files as an operator has them.
struct Authority {
    key: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self { key: rcgen::Issuer::new(parameters, key), certificate }
    }

    /// A certificate for this machine and its key.
    fn sign(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (parameters.signed_by(&key, &self.key).unwrap().pem(), key.serialize_pem())
    }

    fn tls(&self, directory: &Path) -> Tls {
        let (certificate, key) = self.sign();
        let [certificate_file, key_file] = ["certificate.pem", "key.pem"].map(|name| directory.join(name));
        std::fs::write(&certificate_file, certificate).unwrap();
        std::fs::write(&key_file, key).unwrap();
        Tls { certificate: certificate_file, key: key_file, minimum: TlsVersion::Tls12, clients: None }
    }

    fn client(&self) -> reqwest::ClientBuilder {
        let root = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        reqwest::Client::builder().use_rustls_tls().tls_built_in_root_certs(false).add_root_certificate(root)
    }
}

async fn served(tls: Tls, http2: bool) -> (Served, String) {
    let mut options = ServerOptions::default();
    options.tls = Some(tls);
    options.http2 = http2;
    let served = Served::start(RegistryOptions::default(), options).await;
    let url = format!("https://localhost:{}/v2/", served.address.rsplit_once(':').unwrap().1);
    (served, url)
}

#[tokio::test]
async fn https_in_both_versions_of_http() {
    let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    for (http2, version) in [(true, Version::HTTP_2), (false, Version::HTTP_11)] {
        let (served, url) = served(authority.tls(directory.path()), http2).await;
        let response = authority.client().build().unwrap().get(&url).send().await.unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, version));
        let upload = url.replace("/v2/", "/v2/a/blobs/uploads/");
        let response = authority.client().build().unwrap().post(upload).send().await.unwrap();
        assert!(response.headers()["location"].to_str().unwrap().starts_with("https://localhost:"), "{response:?}");
        served.end().await;
    }
}

#[tokio::test]
async fn clients_may_have_to_show_a_certificate() {
    let (directory, authority, stranger) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let file = directory.path().join("clients.pem");
    std::fs::write(&file, &authority.certificate).unwrap();
    let mut tls = authority.tls(directory.path());
    tls.clients = Some(ClientCertificates { authorities: vec![file], required: true });
    let (_served, url) = served(tls, false).await;
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.sign();
        Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap()
    };
    let known = authority.client().identity(identity(&authority)).build().unwrap();
    assert_eq!(known.get(&url).send().await.unwrap().status(), StatusCode::OK);
    let unknown = authority.client().identity(identity(&stranger)).build().unwrap();
    assert!(unknown.get(&url).send().await.is_err());
    assert!(authority.client().build().unwrap().get(&url).send().await.is_err());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_and_not_shown() {
    let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let right = authority.tls(directory.path());
    let key = std::fs::read_to_string(&right.key).unwrap();
    let missing = Tls { certificate: directory.path().join("missing.pem"), ..right.clone() };
    let swapped = Tls { certificate: right.key.clone(), key: right.certificate.clone(), ..right.clone() };
    let other = directory.path().join("other.pem");
    std::fs::write(&other, authority.sign().1).unwrap();
    let foreign = Tls { key: other, ..right };
    for (tls, named) in [(missing, "missing.pem"), (swapped, "key.pem"), (foreign, "certificate.pem")] {
        let storage = Storage::new(MemoryDriver::default());
        let registry = Registry::new(Namespace::new(storage, NamespaceOptions::default()), RegistryOptions::default());
        let mut options = ServerOptions::default();
        options.tls = Some(tls);
        let error =
            Server::bind(registry, &Address::Tcp("127.0.0.1:0".to_owned()), options).await.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
        assert!(!key.lines().any(|line| !line.starts_with('-') && error.contains(line)), "{error}");
    }
}
