//! Uploads: blobs on their way in, in one request or in many.

use blobstore::blob::BlobIngester;
use blobstore::{Algorithm, BlobWriter, Digest, Error, RepositoryName, UploadError, UploadId, UploadOptions};
use driver_api::Context;
use http::header::{LOCATION, RANGE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use time::UtcDateTime;
use url::form_urlencoded;

use super::{Answer, empty, header, insert_digest};
use crate::body::{BodyError, RequestBody};
use crate::call::Call;
use crate::error::{ApiError, Code};
use crate::notifications::Action;
use crate::range::Chunk;
use crate::registry::Registry;
use crate::ticket::Ticket;

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// The parameter of an upload's address that has its ticket.
const STATE: &str = "_state";

impl Registry {
    pub(super) async fn begin_upload(&self, call: &Call, name: RepositoryName, body: &mut RequestBody) -> Answer {
        if let Some((digest, mounted)) = self.mount(call, &name).await? {
            self.notify_of_blob(call, Action::Mount { from: mounted.from }, &name, mounted.descriptor);
            return Ok(created(call, &name, &digest));
        }
        let ticket = Ticket {
            repository: name.clone(),
            id: UploadId::random(),
            offset: 0,
            began: UtcDateTime::now(),
            algorithm: self.algorithm(call)?,
        };
        match call.query.first("digest") {
            None => Ok(self.upload_answer(StatusCode::ACCEPTED, call, &ticket)),
            Some(_) => {
                let digest = digest(call)?;
                self.finish(call, Open { ticket, kept: Kept::Never, signed: None }, digest, body).await
            }
        }
    }

    /// By what the content of an upload will be named, where that is said at its beginning.
    fn algorithm(&self, call: &Call) -> Result<Option<Algorithm>, ApiError> {
        let unknown = || ApiError::new(Code::DigestInvalid, blobstore::DigestError::UnknownAlgorithm);
        let named = call.query.first("digest-algorithm");
        named.map(|name| Algorithm::from_name(name).ok_or_else(unknown)).transpose()
    }

    pub(super) async fn append_upload(
        &self,
        call: &Call,
        name: RepositoryName,
        id: UploadId,
        body: &mut RequestBody,
    ) -> Answer {
        let chunk = Chunk::read(&call.headers, body.declared())?;
        let upload = self.known(call, name, id)?;
        let options = upload.options(chunk, body.declared(), None);
        let _turn = self.turn()?;
        let (mut ticket, mut writer) = self.open(call, upload, options).await?;
        let kept = match self.receive(call, &mut writer, chunk, body).await {
            Ok(()) => keep(&call.context, writer).await?,
            Err(Stopped::Body(error)) => {
                // What has come is kept, so that the client can go on behind it.
                let kept = keep(&call.context, writer).await?;
                ticket.offset = kept;
                return Err(self.elsewhere(cut(error), call, &ticket));
            }
            Err(Stopped::Wrong(error)) => return Err(error),
        };
        ticket.offset = kept;
        Ok(self.upload_answer(StatusCode::ACCEPTED, call, &ticket))
    }

    pub(super) async fn commit_upload(
        &self,
        call: &Call,
        name: RepositoryName,
        id: UploadId,
        body: &mut RequestBody,
    ) -> Answer {
        let digest = digest(call)?;
        let upload = self.known(call, name, id)?;
        self.finish(call, upload, digest, body).await
    }

    /// Takes the last bytes of an upload and makes it a blob.
    async fn finish(&self, call: &Call, upload: Open, digest: Digest, body: &mut RequestBody) -> Answer {
        let chunk = Chunk::read(&call.headers, body.declared())?;
        let options = upload.options(chunk, body.declared(), Some(digest.algorithm()));
        let _turn = self.turn()?;
        let (mut ticket, mut writer) = self.open(call, upload, options).await?;
        match self.receive(call, &mut writer, chunk, body).await {
            Ok(()) => {}
            Err(Stopped::Body(error)) => {
                ticket.offset = keep(&call.context, writer).await?;
                return Err(self.elsewhere(cut(error), call, &ticket));
            }
            Err(Stopped::Wrong(error)) => return Err(error),
        }
        match writer.commit(&call.context, &digest, None).await {
            Ok(descriptor) => {
                self.ended().insert(ticket.id, ());
                self.notify_of_blob(call, Action::Push, &ticket.repository, descriptor);
                Ok(created(call, &ticket.repository, &digest))
            }
            Err(failure) => Err(self.not_committed(call, &ticket, failure).await),
        }
    }

    /// Clears up behind a commit that failed: content that is not what it should be is given up; what the storage could not do
    /// can be asked for again.
    async fn not_committed(&self, call: &Call, ticket: &Ticket, failure: UploadError) -> ApiError {
        let UploadError { error, upload } = failure;
        let Some(writer) = upload else { return error.into() };
        if matches!(error, Error::DigestMismatch { .. }) {
            self.ended().insert(ticket.id, ());
            if let Err(failure) = writer.cancel(&call.context).await {
                tracing::warn!(error = %failure.error, upload = %ticket.id, "an upload that was given up is left to be purged");
            }
        } else if let Err(failure) = writer.close(&call.context).await {
            tracing::warn!(error = %failure.error, upload = %ticket.id, "an upload could not be kept");
        }
        error.into()
    }

    pub(super) async fn cancel_upload(&self, call: &Call, name: RepositoryName, id: UploadId) -> Answer {
        let upload = self.known(call, name, id)?;
        let (ticket, writer) = self.open(call, upload, UploadOptions::default()).await?;
        writer.cancel(&call.context).await.map_err(Error::from)?;
        self.ended().insert(ticket.id, ());
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn upload_status(&self, call: &Call, name: RepositoryName, id: UploadId) -> Answer {
        let upload = self.known(call, name, id)?;
        // Dropped without a byte it stays what it was.
        let (ticket, writer) = self.open(call, upload, UploadOptions::default()).await?;
        let ticket = Ticket { offset: writer.size(), ..ticket };
        Ok(self.upload_answer(StatusCode::NO_CONTENT, call, &ticket))
    }

    /// The right to receive bytes; there are so many of them.
    fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, ApiError> {
        self.uploads().try_acquire().map_err(|_| {
            ApiError::new(Code::TooManyRequests, "too many uploads are going on: try again later")
                .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
        })
    }

    /// The upload that a request is about, as far as the request itself tells.
    fn known(&self, call: &Call, repository: RepositoryName, id: UploadId) -> Result<Open, ApiError> {
        if self.ended().contains_key(&id) {
            return Err(Error::UploadUnknown(id).into());
        }
        let text = call.query.first(STATE);
        let ticket = text.and_then(|text| Ticket::verify(text, &self.options().secret, &repository, id));
        let kept = match &ticket {
            Some(ticket) if ticket.offset == 0 => Kept::Perhaps,
            _ => Kept::Certainly,
        };
        let signed = ticket.as_ref().map(|ticket| ticket.offset);
        let ticket =
            ticket.unwrap_or_else(|| Ticket { repository, id, offset: 0, began: UtcDateTime::now(), algorithm: None });
        Ok(Open { ticket, kept, signed })
    }

    /// Opens an upload for writing.
    async fn open(
        &self,
        call: &Call,
        upload: Open,
        mut options: UploadOptions,
    ) -> Result<(Ticket, BlobWriter), ApiError> {
        let Open { ticket, kept, .. } = upload;
        let blobs = self.namespace().repository(ticket.repository.clone()).blobs();
        let start = options.kept.unwrap_or_default();
        options.announced = Some((ticket.id, ticket.began));
        let opened = match kept {
            Kept::Never => Err(Error::UploadUnknown(ticket.id)),
            Kept::Perhaps | Kept::Certainly => blobs.resume(&call.context, ticket.id, options.clone()).await,
        };
        let opened = match opened {
            Err(Error::UploadUnknown(_)) if kept != Kept::Certainly && start > 0 => {
                Err(Error::UploadElsewhere { expected: start, kept: 0 })
            }
            Err(Error::UploadUnknown(_)) if kept != Kept::Certainly => blobs.create(&call.context, options).await,
            opened => opened,
        };
        match opened {
            Ok(writer) => Ok((Ticket { began: writer.began(), ..ticket }, writer)),
            Err(error @ Error::UploadElsewhere { kept, .. }) => {
                let ticket = Ticket { offset: kept, ..ticket };
                Err(self.elsewhere(error.into(), call, &ticket))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the bytes of a request.
    async fn receive(
        &self,
        call: &Call,
        writer: &mut BlobWriter,
        chunk: Option<Chunk>,
        body: &mut RequestBody,
    ) -> Result<(), Stopped> {
        let before = writer.size();
        while let Some(bytes) = body.next().await.map_err(Stopped::Body)? {
            writer.write(&call.context, bytes).await.map_err(|error| Stopped::Wrong(error.into()))?;
        }
        let received = writer.size() - before;
        match chunk.filter(|chunk| chunk.length != received) {
            None => Ok(()),
            // Nobody knows which of them are the right ones, so that none are kept.
            Some(chunk) => Err(Stopped::Wrong(Error::SizeMismatch { expected: chunk.length, found: received }.into())),
        }
    }

    /// Tells where an upload stands.
    fn upload_answer(&self, status: StatusCode, call: &Call, ticket: &Ticket) -> http::Response<crate::body::Body> {
        let mut response = empty(status);
        *response.headers_mut() = self.upload_headers(call, ticket);
        response
    }

    /// The same error, with the place at which the client can go on.
    fn elsewhere(&self, error: ApiError, call: &Call, ticket: &Ticket) -> ApiError {
        error.with_headers(self.upload_headers(call, ticket))
    }

    fn upload_headers(&self, call: &Call, ticket: &Ticket) -> HeaderMap {
        let Ticket { repository, id, offset, .. } = ticket;
        let path = call.base.of_path(format_args!("{repository}/blobs/uploads/{id}"));
        let state = ticket.sign(&self.options().secret);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair(STATE, &state).finish();
        HeaderMap::from_iter([
            (LOCATION, header(format_args!("{path}?{query}"))),
            (RANGE, header(format_args!("0-{}", offset.saturating_sub(1)))),
            (UPLOAD_UUID, header(id)),
        ])
    }
}

/// An upload that a request is about, which need not exist.
struct Open {
    ticket: Ticket,
    kept: Kept,
    /// How many bytes it had when its ticket was written; none without a ticket.
    signed: Option<u64>,
}

/// Whether something of an upload is in the storage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It begins with this request.
    Never,
    /// Its ticket says that it had no bytes when that was written.
    Perhaps,
    /// Nobody has a ticket that says so.
    Certainly,
}

impl Open {
    fn options(&self, chunk: Option<Chunk>, declared: Option<u64>, algorithm: Option<Algorithm>) -> UploadOptions {
        let mut options = UploadOptions::default();
        options.algorithm = algorithm.or(self.ticket.algorithm).filter(|algorithm| *algorithm != Algorithm::CANONICAL);
        options.size_hint = declared;
        // Where the client says nothing else it goes on behind what its ticket says: one that repeats a request whose answer it
        // lost must not add the same bytes twice. Without bytes nothing can go wrong.
        let behind_ticket = self.signed.filter(|_| declared != Some(0));
        options.kept = chunk.map(|chunk| chunk.start).or(behind_ticket);
        options
    }
}

/// Why not all bytes of a request were taken.
enum Stopped {
    /// They did not come.
    Body(BodyError),
    /// They could not be taken.
    Wrong(ApiError),
}

/// Keeps what has come of an upload; answers with its size.
async fn keep(context: &Context, writer: BlobWriter) -> Result<u64, ApiError> {
    writer.close(context).await.map_err(|failure| failure.error.into())
}

fn cut(error: BodyError) -> ApiError {
    let status = match error {
        BodyError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
        BodyError::Broken(_) | BodyError::TooLarge(_) => StatusCode::BAD_REQUEST,
    };
    ApiError::new(Code::BlobUploadInvalid, error).with_status(status)
}

/// The digest that a request says its content has.
fn digest(call: &Call) -> Result<Digest, ApiError> {
    let missing = || ApiError::new(Code::DigestInvalid, "the parameter `digest` is missing");
    let text = call.query.first("digest").ok_or_else(missing)?;
    text.parse().map_err(|error| ApiError::new(Code::DigestInvalid, error).with_detail(text))
}

/// A blob that can be read now.
fn created(call: &Call, name: &RepositoryName, digest: &Digest) -> http::Response<crate::body::Body> {
    let mut response = empty(StatusCode::CREATED);
    response.headers_mut().insert(LOCATION, call.base.header(format_args!("{name}/blobs/{digest}")));
    insert_digest(response.headers_mut(), digest);
    response
}
