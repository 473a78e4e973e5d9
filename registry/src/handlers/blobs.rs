//! Blobs, as they are read and taken away.

use blobstore::blob::{BlobDeleter, BlobProvider, BlobReader};
use blobstore::{Descriptor, Digest, OCTET_STREAM, Place, RepositoryName};
use bytes::{Bytes, BytesMut};
use driver_api::{Context, Url, UrlMethod, UrlOptions};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LOCATION,
};
use http::{HeaderMap, Response, StatusCode};

use super::{Answer, Done, empty, etag, header, insert_digest};
use crate::body::Body;
use crate::call::{Call, Client};
use crate::error::{ApiError, Code};
use crate::notifications::{Action, Target};
use crate::range::{Wanted, has_already};
use crate::registry::{Registry, without_body};

/// Up to this size content is read before anything is sent, and sent in one piece.
const SMALL_BYTES: u64 = 64 * 1024;

/// What is named by its content never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("max-age=31536000");

impl Registry {
    pub(super) async fn get_blob(&self, call: &Call, name: RepositoryName, digest: Digest) -> Answer {
        let blobs = self.namespace().repository(name.clone()).blobs();
        let etag = etag(&digest);
        let reader = blobs.open(&call.context, &digest).await?;
        let descriptor = reader.descriptor().clone();
        let mut answer = if has_already(&call.headers, &etag) {
            empty(StatusCode::NOT_MODIFIED)
        } else if let Some(url) = self.elsewhere_for(call, &descriptor).await? {
            elsewhere(url.as_str())
        } else {
            self.content(call, &digest, reader).await?
        };
        let headers = answer.headers_mut();
        insert_digest(headers, &digest);
        headers.insert(ETAG, header(&etag));
        headers.insert(CACHE_CONTROL, FOR_EVER);
        // Who asks whether something is there has not pulled it.
        let is_sent = answer.status().is_success() || answer.status() == StatusCode::TEMPORARY_REDIRECT;
        if !call.is_head() && is_sent {
            self.notify_of_blob(call, Action::Pull, &name, descriptor);
        }
        Ok(answer)
    }

    /// Where the client gets a blob instead.
    async fn elsewhere_for(&self, call: &Call, descriptor: &Descriptor) -> Result<Option<Url>, ApiError> {
        let Some(redirects) = &self.options().redirects else { return Ok(None) };
        let method = if call.is_head() { UrlMethod::Head } else { UrlMethod::Get };
        let (path, options) = (Place::Blob(descriptor.digest).path(), UrlOptions::default().with_method(method));
        let client = call.client.map(Client::address);
        let found = redirects.find(self.namespace().storage(), &call.context, &path, options, client).await;
        found.map_err(|error| blobstore::Error::from(error).into())
    }

    /// The content of a blob, or the part of it that is asked for.
    async fn content(&self, call: &Call, digest: &Digest, mut reader: BlobReader) -> Answer {
        let size = reader.descriptor().size;
        let mut headers = HeaderMap::new();
        let status = match Wanted::read(&call.headers, &etag(digest), size) {
            Wanted::Whole => StatusCode::OK,
            Wanted::Part(range) => {
                reader.seek(range)?;
                let part = reader.range();
                headers.insert(
                    CONTENT_RANGE,
                    header(format_args!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))),
                );
                StatusCode::PARTIAL_CONTENT
            }
            Wanted::Nothing => {
                return Err(ApiError::new(Code::RangeInvalid, format_args!("the blob has {size} bytes"))
                    .with_header(CONTENT_RANGE, header(format_args!("bytes */{size}"))));
            }
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCTET_STREAM));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let length = reader.range().end - reader.range().start;
        headers.insert(CONTENT_LENGTH, length.into());
        let body = if call.is_head() || length == 0 {
            Body::empty()
        } else if length <= SMALL_BYTES {
            Body::full(whole(&call.context, reader).await?)
        } else {
            // Before the status is sent, which could not be taken back.
            reader.ready(&call.context).await?;
            Body::blob(call.context.clone(), reader)
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(if call.is_head() { without_body(response) } else { response })
    }

    pub(super) async fn delete_blob(&self, call: &Call, name: RepositoryName, digest: Digest) -> Answer {
        self.namespace().repository(name.clone()).blobs().delete(&call.context, &digest).await?;
        let target = Some(Target::Digest(digest));
        let done = Done { repository: &name, tag: None, target, url: None, references: Vec::new() };
        self.notify(call, Action::Delete, done);
        Ok(empty(StatusCode::ACCEPTED))
    }

    pub(super) fn notify_of_blob(&self, call: &Call, action: Action, name: &RepositoryName, descriptor: Descriptor) {
        if self.options().notifier.is_some() {
            let url = Some(call.base.of_path(format_args!("{name}/blobs/{}", descriptor.digest)));
            let target = Some(Target::Descriptor(descriptor));
            self.notify(call, action, Done { repository: name, tag: None, target, url, references: Vec::new() });
        }
    }
}

/// The bytes of a reader.
async fn whole(context: &Context, mut reader: BlobReader) -> blobstore::Result<Bytes> {
    let first = reader.next_chunk(context).await?.unwrap_or_default();
    if reader.range().is_empty() {
        return Ok(first);
    }
    let mut content = BytesMut::from(first);
    while let Some(chunk) = reader.next_chunk(context).await? {
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}

fn elsewhere(url: &str) -> Response<Body> {
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(LOCATION, header(url));
    response
}
