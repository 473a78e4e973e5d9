//! What clients are told when something goes wrong: codes of the distribution specification, with their statuses.

use std::fmt;

use blobstore::Error;
use bytes::Bytes;
use driver_api::ErrorKind;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::Body;

/// What went wrong, in the words of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    PaginationNumberInvalid,
    RangeInvalid,
    SizeInvalid,
    TagInvalid,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unknown,
    Unsupported,
}

impl Code {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }

    /// The status that goes with it where nothing says otherwise.
    const fn status(self) -> StatusCode {
        match self {
            Self::BlobUploadInvalid
            | Self::DigestInvalid
            | Self::ManifestBlobUnknown
            | Self::ManifestInvalid
            | Self::NameInvalid
            | Self::PaginationNumberInvalid
            | Self::SizeInvalid
            | Self::TagInvalid => StatusCode::BAD_REQUEST,
            Self::BlobUnknown | Self::BlobUploadUnknown | Self::ManifestUnknown | Self::NameUnknown => {
                StatusCode::NOT_FOUND
            }
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
            Self::RangeInvalid => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What a client is told. Boxed, for it is rare and has a lot to say.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    status: StatusCode,
    message: String,
    /// One for each error that is told.
    details: Vec<Value>,
    headers: HeaderMap,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self(Box::new(Parts {
            code,
            status: code.status(),
            message: message.to_string(),
            details: vec![Value::Null],
            headers: HeaderMap::new(),
        }))
    }

    /// A path or a method that the API does not have.
    pub(crate) fn method_not_allowed(allowed: &[Method]) -> Self {
        let methods = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let error = Self::new(Code::Unsupported, format_args!("only {methods} can be done here"));
        match HeaderValue::from_str(&methods) {
            Ok(allow) => error.with_header(ALLOW, allow),
            Err(_) => error,
        }
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    pub(crate) fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.0.headers.extend(headers);
        self
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<Value>) -> Self {
        self.0.details = vec![detail.into()];
        self
    }

    /// The same error, once for each detail.
    fn with_details(mut self, details: Vec<Value>) -> Self {
        if !details.is_empty() {
            self.0.details = details;
        }
        self
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// What it tells, for an answer of another form.
    pub(crate) fn into_parts(self) -> (String, StatusCode, HeaderMap) {
        (self.0.message, self.0.status, self.0.headers)
    }

    /// The answer that says it.
    pub(crate) fn into_response(self) -> Response<Body> {
        let Parts { code, status, message, details, headers } = *self.0;
        let errors: Vec<_> = details
            .into_iter()
            .map(|detail| match detail {
                Value::Null => json!({ "code": code.as_str(), "message": message }),
                detail => json!({ "code": code.as_str(), "message": message, "detail": detail }),
            })
            .collect();
        let text = Bytes::from(json!({ "errors": errors }).to_string());
        let mut response = Response::new(Body::full(text));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BlobUnknown(digest) => Self::new(Code::BlobUnknown, message).with_detail(digest.to_string()),
            Error::ManifestUnknown(_, reference) => Self::new(Code::ManifestUnknown, message).with_detail(reference),
            Error::RepositoryUnknown(name) => {
                Self::new(Code::NameUnknown, message).with_detail(json!({ "name": name.as_str() }))
            }
            Error::UploadUnknown(_) => Self::new(Code::BlobUploadUnknown, message),
            Error::UploadBusy(_) => Self::new(Code::BlobUploadInvalid, message)
                .with_status(StatusCode::CONFLICT)
                .with_header(RETRY_AFTER, HeaderValue::from_static("1")),
            Error::UploadElsewhere { .. } => Self::new(Code::RangeInvalid, message),
            Error::DigestMismatch { .. } => Self::new(Code::DigestInvalid, message),
            Error::SizeMismatch { .. } => Self::new(Code::SizeInvalid, message),
            Error::ManifestInvalid(_) => Self::new(Code::ManifestInvalid, message),
            Error::ReferencesUnknown(digests) => {
                let details = digests.iter().map(|digest| digest.to_string().into()).collect();
                Self::new(Code::ManifestBlobUnknown, "the manifest names what is not in its repository; push it first")
                    .with_details(details)
            }
            Error::DeleteDisabled => Self::new(Code::Unsupported, message),
            Error::Storage(error) => Self::of_storage(&error),
            // Which file is damaged is the operator's business.
            other => {
                tracing::error!(error = %other, "a request failed");
                Self::new(Code::Unknown, "what is stored is damaged; the log of the registry says where")
            }
        }
    }
}

impl ApiError {
    /// Clients are not told of the backend: what it is, where, and what it says.
    fn of_storage(error: &driver_api::Error) -> Self {
        let unavailable = |message: &str| {
            Self::new(Code::Unavailable, message).with_header(RETRY_AFTER, HeaderValue::from_static("5"))
        };
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded | ErrorKind::Cancelled | ErrorKind::Conflict => {
                tracing::warn!(%error, "the storage is not available");
                unavailable("the storage of the registry is not available: try again later")
            }
            ErrorKind::NoSpace => {
                tracing::error!(%error, "the storage is full");
                unavailable("the storage of the registry is full")
            }
            ErrorKind::Unsupported => {
                tracing::debug!(%error, "the storage refused a request");
                Self::new(Code::Unsupported, "the storage of the registry does not do this")
            }
            _ => {
                tracing::error!(%error, "a request failed");
                Self::new(Code::Unknown, "the storage of the registry failed; its log says why")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use blobstore::Digest;

    use super::*;

    fn text(error: ApiError) -> (StatusCode, String) {
        let response = error.into_response();
        let status = response.status();
        (status, String::from_utf8(response.into_body().as_bytes().unwrap().to_vec()).unwrap())
    }

    #[test]
    fn each_missing_reference_is_an_error_of_its_own() {
        let digests = vec![Digest::of(b"a"), Digest::of(b"b")];
        let (status, text) = text(Error::ReferencesUnknown(digests.clone()).into());
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let value: Value = serde_json::from_str(&text).unwrap();
        let errors = value["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().zip(&digests).all(|(error, digest)| error["detail"] == digest.to_string()));
        assert!(errors.iter().all(|error| error["code"] == "MANIFEST_BLOB_UNKNOWN"));
    }

    #[test]
    fn the_storage_is_the_operators_business() {
        for kind in [ErrorKind::Unavailable, ErrorKind::PermissionDenied, ErrorKind::NoSpace, ErrorKind::Misconfigured]
        {
            let error = driver_api::Error::new(kind, "secret-bucket is not there");
            let (status, text) = text(Error::Storage(error).into());
            assert!(status.is_server_error(), "{status}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn an_unknown_method_tells_those_that_are_known() {
        let response = ApiError::method_not_allowed(&[Method::GET, Method::HEAD]).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[ALLOW]),
            (405, &HeaderValue::from_static("GET, HEAD"))
        );
    }
}
