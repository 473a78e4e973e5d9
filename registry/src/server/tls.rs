//! TLS: certificates and keys from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::ServerError;
use crate::configuration::{ClientCertificates, Tls, TlsVersion};

/// Reads what TLS needs. Errors: the file that is wrong, and why; never what is in it.
pub(super) fn acceptor(tls: &Tls, http2: bool) -> Result<TlsAcceptor, ServerError> {
    let versions: &[&SupportedProtocolVersion] = match tls.minimum {
        TlsVersion::Tls12 => &[&TLS13, &TLS12],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let refused =
        |error| ServerError::new(format!("the certificate in {} cannot be used", tls.certificate.display()), error);
    let certificates = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(unreadable(&tls.key))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).map_err(refused)?;
    let builder = match &tls.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(verifier(clients)?),
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(refused)?;
    let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(unreadable(path))?;
    if certificates.is_empty() {
        return Err(ServerError::new(format!("cannot read {}", path.display()), "there is no certificate in it"));
    }
    Ok(certificates)
}

fn unreadable<E: Into<Box<dyn std::error::Error + Send + Sync>>>(path: &Path) -> impl FnOnce(E) -> ServerError {
    let what = format!("cannot read {}", path.display());
    move |error| ServerError::new(what, error)
}

fn verifier(clients: &ClientCertificates) -> Result<Arc<dyn ClientCertVerifier>, ServerError> {
    let mut roots = RootCertStore::empty();
    for path in &clients.authorities {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(unreadable(path))?;
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    let files: Vec<_> =
        clients.authorities.iter().map(PathBuf::as_path).map(Path::display).map(|path| path.to_string()).collect();
    builder
        .build()
        .map_err(|error| ServerError::new(format!("the authorities in {} cannot be used", files.join(", ")), error))
}
