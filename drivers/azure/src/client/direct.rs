//! Requests that are made, signed and sent by this driver itself.
//!
//! A read of the crate is several reads of pieces, each with a wish for a checksum that it does not look at: an empty blob is
//! an error, two pieces can be of two versions. Of a blob it insists on headers that emulators leave out, and refuses a tier that
//! it does not know. For each header that is there, of an answer as of a request that it signs, it formats the error that it is
//! not, which was two fifths of a stat (docs/azure.md). It has no request that aborts a copy.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use driver_api::{ByteRange, Condition, Url, Version};
use md5::{Digest, Md5};
use reqwest::header::{CONTENT_LENGTH, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, Request};

use crate::client::answer::{Answer, METADATA};
use crate::client::authorization::Authorization;
use crate::client::transport::{Transport, unusable};
use crate::client::{Failure, quoted};

/// The last byte that a header can speak of: the service reads 64 bits with a sign.
pub(crate) const LAST_OFFSET: u64 = i64::MAX as u64;

/// The version of the protocol, the same that the crate speaks.
const PROTOCOL: &str = "2022-11-02";

/// Up to this many bytes a put is sent with a digest that the service checks: 4 MiB. Larger ones rely on TLS, because the
/// digest would take longer than the upload.
const CHECKED_PUT: usize = 4 * 1024 * 1024;

const BLOB_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-type");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const COPY_ACTION: HeaderName = HeaderName::from_static("x-ms-copy-action");
const SERVICE_DATE: HeaderName = HeaderName::from_static("x-ms-date");
const SERVICE_RANGE: HeaderName = HeaderName::from_static("x-ms-range");
const SERVICE_VERSION: HeaderName = HeaderName::from_static("x-ms-version");

/// Makes requests to one container.
#[derive(Debug)]
pub(super) struct Direct {
    transport: Arc<Transport>,
    authorization: Authorization,
    service: Url,
    container: String,
}

impl Direct {
    pub(super) fn new(
        transport: Arc<Transport>,
        authorization: Authorization,
        mut service: Url,
        container: &str,
    ) -> Self {
        // With or without slashes at its end it is the same place, for the crate too.
        let path = service.path().trim_end_matches('/').to_owned();
        service.set_path(&path);
        Self { transport, authorization, service, container: container.to_owned() }
    }

    pub(super) const fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    pub(super) const fn service(&self) -> &Url {
        &self.service
    }

    /// What the service says of a blob.
    pub(super) async fn head(&self, name: &str) -> Result<Answer, Failure> {
        self.send(Request::new(Method::HEAD, self.blob(name)?), 0).await
    }

    /// The bytes of a blob, and what the service says of it.
    pub(super) async fn get(&self, name: &str, range: ByteRange, version: Option<&Version>) -> Result<Answer, Failure> {
        let mut request = Request::new(Method::GET, self.blob(name)?);
        if let Some(range) = range_header(range) {
            insert(&mut request, SERVICE_RANGE, &range)?;
        }
        if let Some(version) = version {
            insert(&mut request, IF_MATCH, &quoted(version))?;
        }
        self.send(request, 0).await
    }

    /// Makes a blob of these bytes.
    pub(super) async fn put(
        &self,
        name: &str,
        body: Bytes,
        metadata: &[(&'static str, String)],
        condition: &Condition,
    ) -> Result<Answer, Failure> {
        let mut request = Request::new(Method::PUT, self.blob(name)?);
        insert(&mut request, BLOB_TYPE, "BlockBlob")?;
        insert(&mut request, CONTENT_LENGTH, &body.len().to_string())?;
        if body.len() <= CHECKED_PUT {
            insert(&mut request, CONTENT_MD5, &azure_core::base64::encode(Md5::digest(&body)))?;
        }
        for (name, value) in metadata {
            let name = HeaderName::from_bytes(format!("{METADATA}{name}").as_bytes());
            insert(&mut request, name.map_err(|_| unusable("metadata"))?, value)?;
        }
        match condition {
            Condition::None => {}
            Condition::IfAbsent => insert(&mut request, IF_NONE_MATCH, "*")?,
            Condition::IfMatch(version) => insert(&mut request, IF_MATCH, &quoted(version))?,
        }
        let length = body.len() as u64;
        *request.body_mut() = Some(body.into());
        self.send(request, length).await
    }

    /// Ends a copy to the blob that is under way.
    pub(super) async fn abort_copy(&self, name: &str, copy: &str) -> Result<Answer, Failure> {
        let mut url = self.blob(name)?;
        url.query_pairs_mut().append_pair("comp", "copy").append_pair("copyid", copy);
        let mut request = Request::new(Method::PUT, url);
        insert(&mut request, COPY_ACTION, "abort")?;
        insert(&mut request, CONTENT_LENGTH, "0")?;
        self.send(request, 0).await
    }

    /// What the service says of the account.
    pub(super) async fn account(&self) -> Result<Answer, Failure> {
        let mut url = self.service.clone();
        url.query_pairs_mut().append_pair("restype", "account").append_pair("comp", "properties");
        self.send(Request::new(Method::GET, url), 0).await
    }

    fn blob(&self, name: &str) -> Result<Url, Failure> {
        let mut url = self.service.clone();
        let mut segments = url.path_segments_mut().map_err(|()| unusable("path"))?;
        segments.push(&self.container).extend(name.split('/'));
        drop(segments);
        Ok(url)
    }

    /// Sends a request whose body has `length` bytes.
    async fn send(&self, mut request: Request, length: u64) -> Result<Answer, Failure> {
        let now = azure_core::date::to_rfc1123(&SystemTime::now().into());
        insert(&mut request, SERVICE_DATE, &now)?;
        request.headers_mut().insert(SERVICE_VERSION, HeaderValue::from_static(PROTOCOL));
        self.authorization.authorize(&mut request).await?;
        self.transport.send(request, length).await
    }
}

fn insert(request: &mut Request, name: HeaderName, value: &str) -> Result<(), Failure> {
    // Other letters can be sent, and would be signed as nothing.
    let value = Some(value).filter(|value| value.is_ascii()).and_then(|value| HeaderValue::from_str(value).ok());
    let value = value.ok_or_else(|| unusable(name.as_str()))?;
    request.headers_mut().insert(name, value);
    Ok(())
}

/// The header of a read of exactly these bytes; none for all.
fn range_header(ByteRange { offset, length }: ByteRange) -> Option<String> {
    match length {
        None if offset == 0 => None,
        None => Some(format!("bytes={offset}-")),
        Some(length) => {
            let last = offset.saturating_add(length.saturating_sub(1)).min(LAST_OFFSET);
            Some(format!("bytes={offset}-{last}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{AzureOptions, Credentials, Secret};

    #[test]
    fn what_would_be_signed_as_nothing_is_not_sent() {
        let mut request = Request::new(Method::HEAD, "http://h/c/b".parse().unwrap());
        for value in ["\"\u{fc}\"", "a\nb"] {
            assert!(matches!(insert(&mut request, IF_MATCH, value), Err(Failure::Unusable(_))));
        }
        assert!(request.headers().is_empty());
    }

    #[test]
    fn a_blob_is_where_its_name_says() {
        for (service, blob) in [
            ("https://account.blob.core.windows.net", "https://account.blob.core.windows.net/c/d/%23%20%C3%BC%3F"),
            ("http://127.0.0.1:10000/account", "http://127.0.0.1:10000/account/c/d/%23%20%C3%BC%3F"),
            ("https://account.blob.core.windows.net//", "https://account.blob.core.windows.net/c/d/%23%20%C3%BC%3F"),
            ("http://127.0.0.1:10000/account//", "http://127.0.0.1:10000/account/c/d/%23%20%C3%BC%3F"),
        ] {
            let key = Secret::new("a2V5");
            let authorization = Authorization::shared_key("account", &key).unwrap();
            let transport = Transport::new(&AzureOptions::new("account", "c", Credentials::SharedKey(key))).unwrap();
            let direct = Direct::new(transport, authorization, service.parse().unwrap(), "c");
            assert_eq!(direct.blob("d/# ü?").unwrap().as_str(), blob);
        }
    }

    #[test]
    fn ranges_are_written_as_they_are_meant() {
        assert_eq!(range_header(ByteRange::FULL), None);
        assert_eq!(range_header(ByteRange::from(5)).unwrap(), "bytes=5-");
        assert_eq!(range_header(ByteRange::span(0, 1)).unwrap(), "bytes=0-0");
        assert_eq!(range_header(ByteRange::span(3, u64::MAX)).unwrap(), format!("bytes=3-{}", i64::MAX));
    }
}
