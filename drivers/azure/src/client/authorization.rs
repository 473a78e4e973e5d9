//! What shows the service that a request may be made: a signature over it, a signature that the operator was given, or a token.

use std::fmt;
#[cfg(feature = "entra")]
use std::sync::Arc;

#[cfg(feature = "entra")]
use azure_core::auth::TokenCredential;
use driver_api::Result;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Request;
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
};
use sha2::Sha256;

use crate::client::Failure;
use crate::options::{Secret, invalid};

/// What a token is asked for.
#[cfg(feature = "entra")]
const SCOPE: &str = "https://storage.azure.com/.default";

/// The headers whose values a signature with the key begins with, in this order (Microsoft, "Authorize with Shared Key").
const SIGNED: [HeaderName; 11] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    CONTENT_TYPE,
    DATE,
    IF_MODIFIED_SINCE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

/// Credentials, as requests need them.
pub(super) enum Authorization {
    /// The key of the account, which signs requests and URLs.
    SharedKey { account: String, key: Box<Hmac<Sha256>> },
    /// The query of a shared access signature.
    Signature(Secret),
    #[cfg(feature = "entra")]
    Token(Arc<dyn TokenCredential>),
}

impl Authorization {
    /// Errors: InvalidArgument where the key is no base64.
    pub(super) fn shared_key(account: &str, key: &Secret) -> Result<Self> {
        let key = azure_core::base64::decode(key.reveal()).ok().and_then(|key| Hmac::new_from_slice(&key).ok());
        let key = key.ok_or_else(|| invalid("the account key is not base64"))?;
        Ok(Self::SharedKey { account: account.to_owned(), key: Box::new(key) })
    }

    /// Of a query with or without its `?`, and with what may stand around it where it was copied: the crate takes that too.
    pub(super) fn signature(query: &Secret) -> Self {
        let query = query.reveal().split('#').next().unwrap_or_default();
        Self::Signature(Secret::new(query.trim().trim_start_matches('?')))
    }

    /// Whether these credentials can sign URLs.
    pub(super) const fn signs_urls(&self) -> bool {
        matches!(self, Self::SharedKey { .. })
    }

    /// What a URL needs so that the service may read it, where that is more than the request has.
    pub(super) const fn of_urls(&self) -> Option<&Secret> {
        match self {
            Self::Signature(query) => Some(query),
            _ => None,
        }
    }

    /// Makes it a request that may be made. Behind this it is not changed any more.
    pub(super) async fn authorize(&self, request: &mut Request) -> Result<(), Failure> {
        match self {
            Self::SharedKey { account, key } => {
                let mut key = key.clone();
                key.update(text_to_sign(account, request).as_bytes());
                let signature = azure_core::base64::encode(key.finalize().into_bytes());
                put_header(request, &format!("SharedKey {account}:{signature}"))
            }
            Self::Signature(signature) => {
                let query = match request.url().query() {
                    Some(query) => format!("{query}&{}", signature.reveal()),
                    None => signature.reveal().to_owned(),
                };
                request.url_mut().set_query(Some(&query));
                Ok(())
            }
            #[cfg(feature = "entra")]
            Self::Token(credential) => {
                let token = credential.get_token(&[SCOPE]).await.map_err(super::failure)?;
                put_header(request, &format!("Bearer {}", token.token.secret()))
            }
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(credentials)")
    }
}

fn put_header(request: &mut Request, value: &str) -> Result<(), Failure> {
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| Failure::Unusable("the credentials are no text of a header".to_owned()))?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

/// What a signature with the key is made of: all that decides what the service does.
fn text_to_sign(account: &str, request: &Request) -> String {
    let mut text = format!("{}\n", request.method());
    for name in SIGNED {
        let value = request.headers().get(&name).and_then(|value| value.to_str().ok());
        // Since version 2015-02-21 a length of nothing is signed as none.
        let value = value.filter(|value| name != CONTENT_LENGTH || *value != "0");
        text.push_str(value.unwrap_or_default());
        text.push('\n');
    }
    let headers = request.headers().iter();
    let named = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let mut of_the_service: Vec<_> = named.filter(|(name, _)| name.starts_with("x-ms-")).collect();
    of_the_service.sort_unstable();
    for (name, value) in of_the_service {
        text.extend([name, ":", value, "\n"]);
    }
    text.extend(["/", account, request.url().path()]);
    let mut parameters: Vec<_> = request.url().query_pairs().collect();
    parameters.sort_unstable();
    for (name, value) in parameters {
        text.extend(["\n", &*name, ":", &*value]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, headers: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(reqwest::Method::GET, url.parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    /// The example of "Authorize with Shared Key", of the metadata of a container.
    #[test]
    fn the_text_is_the_one_of_the_documentation() {
        let url = "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&timeout=20";
        let date = ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT");
        let request = request(url, &[("x-ms-version", "2015-02-21"), date, ("accept", "*/*"), ("content-length", "0")]);
        let text = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
                    /myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20";
        assert_eq!(text_to_sign("myaccount", &request), text);
    }

    #[test]
    fn conditions_are_signed_in_their_place_and_names_as_they_are_sent() {
        let headers = [("if-match", "\"0x1\""), ("content-length", "5"), ("x-ms-range", "bytes=0-4")];
        let text = text_to_sign("a", &request("http://127.0.0.1:10000/a/c/d/%23%20%C3%BC", &headers));
        assert_eq!(text, "GET\n\n\n5\n\n\n\n\n\"0x1\"\n\n\n\nx-ms-range:bytes=0-4\n/a/a/c/d/%23%20%C3%BC");
    }

    #[tokio::test]
    async fn each_kind_of_credentials_has_its_place_in_a_request() {
        let mut signed = request("http://h/c/b?comp=copy", &[]);
        let key = Authorization::shared_key("account", &Secret::new("a2V5")).unwrap();
        key.authorize(&mut signed).await.unwrap();
        let header = &signed.headers()["authorization"];
        let secret = azure_core::auth::Secret::new("a2V5");
        let expected = azure_core::hmac::hmac_sha256(&text_to_sign("account", &signed), &secret).unwrap();
        assert!(header.is_sensitive() && header.to_str().unwrap() == format!("SharedKey account:{expected}"));
        assert!(key.signs_urls() && key.of_urls().is_none());

        for query in ["sv=1&sig=c2ln%3D", "?sv=1&sig=c2ln%3D", " ?sv=1&sig=c2ln%3D \n", "sv=1&sig=c2ln%3D#there"] {
            let signature = Authorization::signature(&Secret::new(query));
            for (url, whole) in
                [("http://h/c/b", "http://h/c/b?"), ("http://h/c/b?comp=copy", "http://h/c/b?comp=copy&")]
            {
                let mut request = request(url, &[]);
                signature.authorize(&mut request).await.unwrap();
                assert_eq!(request.url().as_str(), format!("{whole}sv=1&sig=c2ln%3D"));
                assert!(!request.headers().contains_key("authorization"));
            }
            assert!(!signature.signs_urls() && signature.of_urls().unwrap().reveal() == "sv=1&sig=c2ln%3D");
            assert!(!format!("{signature:?}{key:?}").contains("c2ln"));
        }
    }
}
