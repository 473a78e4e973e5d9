//! Access by tokens that another server signs: they say who may do what, and the registry has only to believe them.

mod algorithm;
mod certificate;
mod claims;
mod der;
mod jws;
mod key;
mod trust;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{HOST, HeaderName};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::challenge::{TokenError, bearer, is_sayable};
use super::credentials::{Said, said};
use super::{AccessError, Caller, Grant, Refusal, TokenOptions, file};
use algorithm::Algorithm;
use claims::Claims;
use jws::Jws;
use trust::Trust;

/// Bytes of tokens that are remembered by what they say, and how long: after that, its certificates are looked at again.
const REMEMBERED: u64 = 16 << 20;
const LIFETIME: Duration = Duration::from_secs(5 * 60);

const AUTO_REDIRECT_PATH: &str = "/auth/token";
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Lets those do something who have a token for it.
///
/// A token is a JSON Web Token, signed by a key of the configuration, which its header names (`kid`) or has in it (`jwk`), or
/// by one that a certificate of the configuration vouches for (`x5c`).
pub struct Token {
    realm: String,
    service: String,
    issuer: String,
    /// The path at which tokens are got from the host of the registry itself.
    auto_redirect: Option<String>,
    algorithms: Vec<Algorithm>,
    trust: Trust,
    verified: Cache<[u8; 32], Arc<Claims>>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { realm, service, issuer, .. } = self;
        let mut debug = f.debug_struct("Token");
        debug.field("realm", realm).field("service", service).field("issuer", issuer).finish_non_exhaustive()
    }
}

impl Token {
    /// Trusts what the options name.
    pub async fn open(options: TokenOptions) -> Result<Self, AccessError> {
        let TokenOptions { realm, service, issuer, .. } = &options;
        for (key, value) in [("token.realm", realm), ("token.service", service), ("token.issuer", issuer)] {
            if value.is_empty() || !is_sayable(value) {
                return Err(AccessError::option(key, "this must not be empty, or have control characters"));
            }
        }
        let auto_redirect = auto_redirect(&options)?;
        let algorithms = algorithms(&options.signing_algorithms)?;
        let named = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        let (bundle, jwks) = (named(options.root_cert_bundle), named(options.jwks));
        if bundle.is_none() && jwks.is_none() {
            return Err(AccessError::option(
                "token",
                "one of `rootcertbundle` and `jwks` has to say which keys are trusted",
            ));
        }
        let read = |path: &Path| file::read(path).map_err(|error| AccessError::file(path, error));
        let trust = spawn_blocking(move || {
            let mut trust = Trust::default();
            if let Some(path) = bundle {
                trust.add_bundle(&path, &read(&path)?)?;
            }
            if let Some(path) = jwks {
                trust.add_key_set(&path, &read(&path)?)?;
            }
            Ok::<_, AccessError>(trust)
        });
        let trust = trust.await.map_err(|error| AccessError::option("token", error.to_string()))??;
        let weigh = |_: &[u8; 32], claims: &Arc<Claims>| claims.bytes();
        let verified = Cache::builder().max_capacity(REMEMBERED).weigher(weigh).time_to_live(LIFETIME).build();
        Ok(Self {
            realm: options.realm,
            service: options.service,
            issuer: options.issuer,
            auto_redirect,
            algorithms,
            trust,
            verified,
        })
    }

    pub(super) fn authorize(&self, headers: &HeaderMap, wanted: &[Grant], wished: &[Grant]) -> Result<Caller, Refusal> {
        let refuse = |error| {
            let grants = wanted.iter().chain(wished);
            Refusal::Challenge(bearer(&self.realm(headers), &self.service, grants, error))
        };
        let token = match said(headers, "Bearer") {
            Said::Nothing | Said::This("") => return Err(refuse(None)),
            Said::Nonsense => return Err(refuse(Some(TokenError::Invalid))),
            Said::This(token) => token,
        };
        let claims = self.verify(token).map_err(|reason| {
            tracing::info!(reason, "a token was refused");
            refuse(Some(TokenError::Invalid))
        })?;
        if wanted.iter().all(|grant| claims.allows(grant)) {
            Ok(Caller { name: claims.subject.clone().filter(|subject| !subject.is_empty()) })
        } else {
            Err(refuse(Some(TokenError::InsufficientScope)))
        }
    }

    /// What a token says, if it is to be believed.
    fn verify(&self, token: &str) -> Result<Arc<Claims>, &'static str> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = self.verified.get(&name)
            && !claims.has_expired(now.as_secs_f64())
        {
            return Ok(claims);
        }
        let jws = Jws::parse(token)?;
        self.check_signature(&jws, now)?;
        let claims = Claims::read(&jws.payload()?, &self.issuer, &self.service, now.as_secs_f64())?;
        let claims = Arc::new(claims);
        self.verified.insert(name, claims.clone());
        Ok(claims)
    }

    fn check_signature(&self, jws: &Jws<'_>, now: Duration) -> Result<(), &'static str> {
        let header = &jws.header;
        if header.crit.is_some() {
            return Err("it has to be understood in a way that is not known here");
        }
        let algorithm = Algorithm::from_name(&header.alg).filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or("its algorithm is not allowed")?;
        let keys = match (&header.x5c, &header.jwk, &header.kid) {
            (Some(chain), ..) => vec![self.trust.of_chain(chain, now)?],
            (None, Some(jwk), _) => self.trust.of_jwk(jwk, now)?,
            (None, None, Some(name)) => self.trust.named(name).to_vec(),
            (None, None, None) => return Err("it does not say by what key it is signed"),
        };
        if keys.is_empty() {
            return Err("its key is not trusted");
        }
        let mut keys = keys.iter().filter(|key| key.may(algorithm));
        let is_signed = keys.any(|key| algorithm.verifies(&key.key, jws.message, &jws.signature));
        if is_signed { Ok(()) } else { Err("its signature is wrong") }
    }

    /// Where a client gets its token.
    fn realm(&self, headers: &HeaderMap) -> Cow<'_, str> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
        let (Some(path), Some(host)) = (&self.auto_redirect, host) else { return Cow::Borrowed(&self.realm) };
        let is_plain =
            headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"http"));
        let scheme = if is_plain { "http" } else { "https" };
        Cow::Owned(format!("{scheme}://{host}{path}"))
    }
}

fn auto_redirect(options: &TokenOptions) -> Result<Option<String>, AccessError> {
    let path = options.auto_redirect_path.as_deref().filter(|path| !path.is_empty()).unwrap_or(AUTO_REDIRECT_PATH);
    if !is_sayable(path) {
        return Err(AccessError::option("token.autoredirectpath", "no address can have control characters"));
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(options.auto_redirect.then(|| format!("{slash}{path}")))
}

fn algorithms(names: &[String]) -> Result<Vec<Algorithm>, AccessError> {
    let known = || Algorithm::ALL.map(Algorithm::as_str).join(", ");
    let algorithm = |name: &String| {
        Algorithm::from_name(name).ok_or_else(|| {
            let problem =
                format!("{name:?} is not among those that a registry can verify by a public key: {}", known());
            AccessError::option("token.signingalgorithms", problem)
        })
    };
    match names {
        [] => Ok(Algorithm::ALL.to_vec()),
        names => names.iter().map(algorithm).collect(),
    }
}

/// Whether a client may be sent to what it calls the host: a name or an address, and a port.
fn is_host(host: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_part)
}
