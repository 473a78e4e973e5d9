//! What a configuration says of access, in the keys of the Go registry.

use std::path::PathBuf;

use serde::Deserialize;

/// `auth`: one of the ways to decide who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AccessOptions {
    /// `none`: everybody may do everything.
    None {},
    /// `htpasswd`: whoever is in a file may do everything.
    Htpasswd(HtpasswdOptions),
    /// `token`: another server says who may do what.
    Token(TokenOptions),
    /// `silly`: whoever says anything may do everything. For tests.
    Silly(SillyOptions),
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self::None {}
    }
}

/// `auth.htpasswd`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HtpasswdOptions {
    /// What clients are told they need a password for.
    pub realm: String,
    /// The file with users and bcrypt hashes, as `htpasswd -B` writes it.
    pub path: PathBuf,
}

/// `auth.token`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct TokenOptions {
    /// The address at which clients get tokens.
    pub realm: String,
    /// The name of this registry: the audience of its tokens.
    pub service: String,
    /// The name of the server that issues them.
    pub issuer: String,
    /// Certificates in PEM: of the keys that sign tokens, or of what vouches for them.
    #[serde(default, rename = "rootcertbundle")]
    pub root_cert_bundle: Option<PathBuf>,
    /// The keys that sign tokens, as a JSON Web Key Set.
    #[serde(default)]
    pub jwks: Option<PathBuf>,
    /// With what tokens may be signed; anything but HMAC, where this is empty.
    #[serde(default, rename = "signingalgorithms")]
    pub signing_algorithms: Vec<String>,
    /// Whether clients get tokens from the host that they reach the registry by, rather than at `realm`.
    #[serde(default, rename = "autoredirect")]
    pub auto_redirect: bool,
    /// At which path of it; `/auth/token` where nothing is said.
    #[serde(default, rename = "autoredirectpath")]
    pub auto_redirect_path: Option<String>,
}

/// `auth.silly`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SillyOptions {
    /// The address that clients are told.
    pub realm: String,
    /// The service that clients are told.
    pub service: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_keys_are_those_of_the_go_registry() {
        let read = |value| serde_json::from_value::<AccessOptions>(value);
        assert_eq!(read(json!({ "none": {} })).unwrap(), AccessOptions::default());
        let htpasswd = HtpasswdOptions { realm: "r".into(), path: "/p".into() };
        let text = json!({ "htpasswd": { "realm": "r", "path": "/p" } });
        assert_eq!(read(text).unwrap(), AccessOptions::Htpasswd(htpasswd));
        let token = TokenOptions {
            realm: "r".into(),
            service: "s".into(),
            issuer: "i".into(),
            root_cert_bundle: Some("/c".into()),
            jwks: Some("/j".into()),
            signing_algorithms: vec!["ES256".into()],
            auto_redirect: true,
            auto_redirect_path: Some("/t".into()),
        };
        let text = json!({ "token": {
            "realm": "r", "service": "s", "issuer": "i", "rootcertbundle": "/c", "jwks": "/j",
            "signingalgorithms": ["ES256"], "autoredirect": true, "autoredirectpath": "/t",
        } });
        assert_eq!(read(text).unwrap(), AccessOptions::Token(token));
        assert!(read(json!({ "token": { "realm": "r", "service": "s" } })).is_err());
        let silly = SillyOptions { realm: "r".into(), service: "s".into() };
        assert_eq!(read(json!({ "silly": { "realm": "r", "service": "s" } })).unwrap(), AccessOptions::Silly(silly));
    }
}
