//! The requests that the driver makes, each in one place: what they send, how long they may take, what they answer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, Delete, EncodingType, ObjectCannedAcl, ObjectIdentifier,
    ServerSideEncryption, StorageClass,
};
use bytes::Bytes;
use driver_api::{Condition, Error, ErrorKind, FileInfo, Result, StoragePath, Version};

use crate::body;
use crate::client::Clients;
use crate::errors::{Failure, kind_of_code};
use crate::keys::{Keys, copy_source};
use crate::options::{Acl, Encryption, S3Options};
use crate::page::{RawPage, page_of};
use crate::publish::Nonce;

/// The result of a request.
pub(crate) type Answer<T> = Result<T, Failure>;

/// The most keys in one listing, and in one delete.
pub(crate) const PAGE: usize = 1000;

/// What the names of headers begin with that tell of an object what its writer wants told.
const METADATA: &str = "x-amz-meta-";

/// A bucket as the driver uses it.
pub(crate) struct Bucket {
    pub(crate) clients: Clients,
    pub(crate) keys: Keys,
    pub(crate) options: S3Options,
}

/// What the head of an object tells.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
    pub(crate) etag: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: HashMap<String, String>,
}

impl Head {
    pub(crate) fn info(&self, path: &StoragePath) -> FileInfo {
        info(path, self.size, self.modified, self.etag.as_deref())
    }
}

/// A file as the driver tells of it.
pub(crate) fn info(path: &StoragePath, size: u64, modified: SystemTime, etag: Option<&str>) -> FileInfo {
    let info = FileInfo::new(path.clone(), size, modified);
    match etag {
        Some(etag) => info.with_version(Version::new(etag)),
        None => info,
    }
}

/// A time of the service. Headers have whole seconds; listings of some services have more, which is cut off, so that both
/// tell the same.
pub(crate) fn time(time: &DateTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(time.secs()).unwrap_or(0))
}

/// What a put answers with.
pub(crate) struct Stored {
    pub(crate) etag: String,
    /// The time of the answer, by the service's clock.
    pub(crate) at: SystemTime,
}

/// A part of an upload that the service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadedPart {
    pub(crate) etag: String,
    pub(crate) size: u64,
}

/// Which objects a listing is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    pub(crate) prefix: String,
    pub(crate) start_after: Option<String>,
    /// Whether what lies deeper is rolled up.
    pub(crate) rolled_up: bool,
    pub(crate) limit: usize,
}

/// A request that makes an object, with the class and the encryption of the settings. The client has a type of its own for
/// each such request.
macro_rules! stored_as_set {
    ($bucket:expr, $request:expr) => {
        $request
            .set_storage_class($bucket.storage_class())
            .set_server_side_encryption($bucket.encryption())
            .set_ssekms_key_id($bucket.kms_key())
            .set_acl($bucket.acl())
    };
}

impl Bucket {
    pub(crate) fn new(options: S3Options) -> Result<Self> {
        options.validate()?;
        Ok(Self { clients: Clients::new(&options)?, keys: Keys::new(&options.root)?, options })
    }

    fn name(&self) -> &str {
        &self.options.bucket
    }

    /// Waits for an answer of the client, and no longer than `limit`.
    async fn answer<T, E>(&self, limit: Duration, sending: impl Future<Output = Result<T, SdkError<E>>>) -> Answer<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        within(limit, async { sending.await.map_err(Failure::of) }).await.map_err(Failure::with_a_body)
    }

    pub(crate) async fn head(&self, key: &str) -> Answer<Head> {
        match self.clients.direct.head(key, self.options.timeouts.answer).await {
            Ok(answer) => head_of(&answer),
            // One more request tells what is wrong, as it is wrong with all of them.
            Err(failure) if failure.is_bare_refusal() => {
                let listed = Listed { prefix: key.to_owned(), limit: 1, ..Listed::default() };
                Err(self.list(&listed, None).await.err().unwrap_or(failure))
            }
            Err(failure) => Err(failure),
        }
    }

    pub(crate) async fn get(
        &self,
        key: &str,
        range: Option<String>,
        if_match: Option<&Version>,
    ) -> Answer<GetObjectOutput> {
        let request = self.clients.requests.get_object().bucket(self.name()).key(key).set_range(range);
        let request = request.set_if_match(if_match.map(|version| version.as_str().to_owned()));
        let answer = self.answer(self.options.timeouts.answer, request.send()).await?;
        // Bytes without a time are no object: a proxy's page, or an error that was sent as a success.
        if answer.last_modified.is_none() {
            return Err(Failure::incomplete("time"));
        }
        Ok(answer)
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        pieces: &[Bytes],
        metadata: HashMap<String, String>,
        condition: &Condition,
    ) -> Answer<Stored> {
        let size: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let (if_absent, if_match) = condition_headers(condition);
        let mut headers: Vec<(Cow<'static, str>, _)> = vec![
            ("content-length".into(), size.to_string()),
            ("content-type".into(), "application/octet-stream".to_owned()),
        ];
        let told = metadata.into_iter().map(|(name, value)| (format!("{METADATA}{name}").into(), value));
        headers.extend(told);
        // A kept session is nobody's to read, and too short-lived for a class that bills a month.
        let of_files = |value: Option<String>| value.filter(|_| self.keys.path(key).is_some());
        let wanted = [
            ("if-none-match", if_absent),
            ("if-match", if_match),
            ("x-amz-storage-class", of_files(self.storage_class().map(|class| class.as_str().to_owned()))),
            ("x-amz-server-side-encryption", self.encryption().map(|encryption| encryption.as_str().to_owned())),
            ("x-amz-server-side-encryption-aws-kms-key-id", self.kms_key()),
            ("x-amz-acl", of_files(self.acl().map(|acl| acl.as_str().to_owned()))),
        ];
        headers.extend(wanted.into_iter().filter_map(|(name, value)| Some((name.into(), value?))));
        let body = body::of_pieces(pieces).into_inner();
        let answer = self.clients.direct.put(key, headers, body, self.options.timeouts.moving(size)).await;
        let answer = answer.map_err(Failure::with_a_body)?;
        let etag = answer.headers().get("etag").ok_or_else(|| Failure::incomplete("entity tag"))?;
        // A put tells no other time of what it stored.
        Ok(Stored { etag: etag.to_owned(), at: http_date(answer.headers().get("date")).unwrap_or_else(now) })
    }

    pub(crate) async fn delete(&self, key: &str, if_match: Option<&Version>) -> Answer<()> {
        let request = self.clients.requests.delete_object().bucket(self.name()).key(key);
        let request = request.set_if_match(if_match.map(|version| version.as_str().to_owned()));
        let sending = request.customize().interceptor(NoBody).send();
        self.answer(self.options.timeouts.answer, sending).await.map(drop)
    }

    /// Deletes at most [`PAGE`] objects; answers with the keys that are left, and why.
    pub(crate) async fn delete_batch(&self, keys: Vec<String>) -> Answer<Vec<(String, Error)>> {
        let objects = keys.into_iter().filter_map(|key| ObjectIdentifier::builder().key(key).build().ok());
        let delete = Delete::builder().set_objects(Some(objects.collect())).quiet(true).build();
        let delete = delete.map_err(|_| Failure::incomplete("objects to delete"))?;
        let request = self.clients.requests.delete_objects().bucket(self.name()).delete(delete);
        let answer = self.answer(self.options.timeouts.answer, request.send()).await?;
        Ok(answer.errors.unwrap_or_default().into_iter().filter_map(left).collect())
    }

    pub(crate) async fn list(&self, listed: &Listed, token: Option<&str>) -> Answer<RawPage> {
        let limit = listed.limit.min(PAGE).to_string();
        let beginning = listed.start_after.as_deref().filter(|_| token.is_none());
        let mut parameters = vec![
            ("list-type", "2"),
            ("prefix", listed.prefix.as_str()),
            ("max-keys", limit.as_str()),
            // Foreign keys may have characters that XML can't.
            ("encoding-type", "url"),
        ];
        parameters.extend(listed.rolled_up.then_some(("delimiter", "/")));
        parameters.extend(beginning.map(|key| ("start-after", key)));
        parameters.extend(token.map(|token| ("continuation-token", token)));
        let page = page_of(&self.clients.direct.query(&parameters, self.options.timeouts.answer).await?)?;
        // Whoever follows it would never come to an end.
        if page.next.is_some() && page.next.as_deref() == token {
            return Err(Failure::misunderstood());
        }
        Ok(page)
    }

    /// Copies a whole object within the bucket, if it is still the one with this tag.
    pub(crate) async fn copy(&self, from: &str, head: &Head, to: &str) -> Answer<()> {
        let request = self
            .clients
            .requests
            .copy_object()
            .bucket(self.name())
            .key(to)
            .copy_source(copy_source(self.name(), from))
            .set_copy_source_if_match(head.etag.clone());
        let request = stored_as_set!(self, request);
        let answer = self.answer(self.options.timeouts.moving(head.size), request.send()).await?;
        let copied = answer.copy_object_result.and_then(|result| result.e_tag);
        copied.map(drop).ok_or_else(|| Failure::incomplete("entity tag"))
    }

    pub(crate) async fn create_upload(&self, key: &str, nonce: &Nonce, content_type: Option<&str>) -> Answer<String> {
        let request = self
            .clients
            .requests
            .create_multipart_upload()
            .bucket(self.name())
            .key(key)
            .set_content_type(content_type.map(str::to_owned))
            .set_metadata(Some(nonce.metadata()));
        let request = stored_as_set!(self, request);
        let answer = self.answer(self.options.timeouts.answer, request.send()).await?;
        answer.upload_id.ok_or_else(|| Failure::incomplete("upload id"))
    }

    pub(crate) async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        pieces: &[Bytes],
    ) -> Answer<UploadedPart> {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        let request = self
            .clients
            .requests
            .upload_part()
            .bucket(self.name())
            .key(key)
            .upload_id(upload_id)
            .part_number(number)
            .content_length(length(size))
            .body(body::of_pieces(pieces));
        let answer = self.answer(self.options.timeouts.moving(size), request.send()).await?;
        answer.e_tag.map(|etag| UploadedPart { etag, size }).ok_or_else(|| Failure::incomplete("entity tag"))
    }

    /// Copies `range` of the object at `from` into a part.
    pub(crate) async fn copy_part(
        &self,
        (from, etag): (&str, Option<&str>),
        (key, upload_id): (&str, &str),
        number: i32,
        range: std::ops::Range<u64>,
    ) -> Answer<UploadedPart> {
        let size = range.end - range.start;
        let request = self
            .clients
            .requests
            .upload_part_copy()
            .bucket(self.name())
            .key(key)
            .upload_id(upload_id)
            .part_number(number)
            .copy_source(copy_source(self.name(), from))
            .set_copy_source_if_match(etag.map(str::to_owned))
            .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1));
        let answer = self.answer(self.options.timeouts.moving(size), request.send()).await?;
        let etag = answer.copy_part_result.and_then(|result| result.e_tag);
        etag.map(|etag| UploadedPart { etag, size }).ok_or_else(|| Failure::incomplete("entity tag"))
    }

    pub(crate) async fn complete_upload(
        &self,
        key: &str,
        upload_id: &str,
        parts: impl IntoIterator<Item = &UploadedPart>,
        condition: &Condition,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let parts = (1..)
            .zip(parts)
            .map(|(number, part)| CompletedPart::builder().part_number(number).e_tag(&part.etag).build());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let (if_absent, if_match) = condition_headers(condition);
        let request = self
            .clients
            .requests
            .complete_multipart_upload()
            .bucket(self.name())
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(parts)
            .set_if_none_match(if_absent)
            .set_if_match(if_match);
        let answer = self.answer(self.options.timeouts.assembly, request.send()).await?;
        if answer.e_tag.is_none() {
            return Err(Failure::incomplete("entity tag"));
        }
        Ok(answer)
    }

    /// Aborts an upload; one that is not there any more is aborted.
    pub(crate) async fn abort_upload(&self, key: &str, upload_id: &str) -> Answer<()> {
        let request = self.clients.requests.abort_multipart_upload().bucket(self.name()).key(key).upload_id(upload_id);
        let sending = request.customize().interceptor(NoBody).send();
        match self.answer(self.options.timeouts.answer, sending).await {
            Err(failure) if !failure.is_missing_upload() => Err(failure),
            _ => Ok(()),
        }
    }

    /// A page of the uploads whose keys begin with the root prefix, behind `marker`, a key with an upload id. S3 takes no
    /// notice of an upload id without its key.
    pub(crate) async fn list_uploads(&self, marker: Option<&(String, String)>) -> Answer<ListMultipartUploadsOutput> {
        let (key, upload_id) = marker.cloned().unzip();
        let request = self
            .clients
            .requests
            .list_multipart_uploads()
            .bucket(self.name())
            .prefix(self.keys.root())
            .set_key_marker(key)
            .set_upload_id_marker(upload_id)
            .encoding_type(EncodingType::Url);
        self.answer(self.options.timeouts.answer, request.send()).await
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.options.storage_class.as_deref().map(StorageClass::from)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.options.encryption.as_ref().map(|encryption| match encryption {
            Encryption::Aes256 => ServerSideEncryption::Aes256,
            Encryption::Kms { .. } => ServerSideEncryption::AwsKms,
        })
    }

    fn kms_key(&self) -> Option<String> {
        match &self.options.encryption {
            Some(Encryption::Kms { key_id }) => key_id.clone(),
            _ => None,
        }
    }

    fn acl(&self) -> Option<ObjectCannedAcl> {
        self.options.acl.map(|acl| match acl {
            Acl::Private => ObjectCannedAcl::Private,
            Acl::PublicRead => ObjectCannedAcl::PublicRead,
            Acl::PublicReadWrite => ObjectCannedAcl::PublicReadWrite,
            Acl::AuthenticatedRead => ObjectCannedAcl::AuthenticatedRead,
            Acl::AwsExecRead => ObjectCannedAcl::AwsExecRead,
            Acl::BucketOwnerRead => ObjectCannedAcl::BucketOwnerRead,
            Acl::BucketOwnerFullControl => ObjectCannedAcl::BucketOwnerFullControl,
        })
    }
}

/// Waits for an answer, and no longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, answer: impl Future<Output = Answer<T>>) -> Answer<T> {
    // What a client makes of a request is large, and would be part of every future above.
    tokio::time::timeout(limit, Box::pin(answer)).await.unwrap_or_else(|_| Err(Failure::timed_out(limit)))
}

fn head_of(answer: &HttpResponse) -> Answer<Head> {
    let header = |name: &str| answer.headers().get(name);
    let text = |name: &str| header(name).map(str::to_owned);
    let metadata = answer
        .headers()
        .iter()
        .filter_map(|(name, value)| name.strip_prefix(METADATA).map(|name| (name.to_owned(), value.to_owned())));
    Ok(Head {
        size: header("content-length")
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| Failure::incomplete("length"))?,
        modified: http_date(header("last-modified")).ok_or_else(|| Failure::incomplete("time"))?,
        etag: text("etag"),
        content_type: text("content-type"),
        metadata: metadata.collect(),
    })
}

/// An object that a batch did not delete; none where it is not there, which is what was asked for.
fn left(error: aws_sdk_s3::types::Error) -> Option<(String, Error)> {
    let kind = error.code.as_deref().and_then(kind_of_code).unwrap_or(ErrorKind::Other);
    if kind == ErrorKind::NotFound {
        return None;
    }
    let told = [error.code, error.message].into_iter().flatten().collect::<Vec<_>>().join(": ");
    Some((error.key.unwrap_or_default(), Error::new(kind, told)))
}

/// The values of `If-None-Match` and `If-Match`.
fn condition_headers(condition: &Condition) -> (Option<String>, Option<String>) {
    match condition {
        Condition::None => (None, None),
        Condition::IfAbsent => (Some("*".to_owned()), None),
        Condition::IfMatch(version) => (None, Some(version.as_str().to_owned())),
    }
}

fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Takes a success with a body for what it is where S3 answers without one: the answer of something else.
#[derive(Debug)]
struct NoBody;

impl Intercept for NoBody {
    fn name(&self) -> &'static str {
        "NoBody"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let is_framed = answer.status().as_u16() != 204 && answer.headers().get("transfer-encoding").is_some();
        let has_body = is_framed || answer.headers().get("content-length").is_some_and(|length| length != "0");
        if answer.status().is_success() && has_body {
            return Err("the answer has a body where S3 sends none".into());
        }
        Ok(())
    }
}

/// The time in a header.
pub(crate) fn http_date(header: Option<&str>) -> Option<SystemTime> {
    DateTime::from_str(header?, DateTimeFormat::HttpDate).ok().as_ref().map(time)
}

/// This machine's time, in whole seconds as the service's times are.
fn now() -> SystemTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    SystemTime::UNIX_EPOCH + Duration::from_secs(since)
}
