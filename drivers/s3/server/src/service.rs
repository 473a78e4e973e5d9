//! The operations of S3 over memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream;
use http::HeaderMap;
use http::header::{DATE, HeaderValue};
use parking_lot::Mutex;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use crate::content::Content;
use crate::listing::{Begin, Item, Query, encoded, page};
use crate::objects::{Conditions, Headers, Object, in_whole_seconds, precondition_failed};
use crate::server::ServerOptions;
use crate::uploads::{Part as StoredPart, PendingUpload, Upload};

/// All buckets of a server; a clone is another handle.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    state: Arc<Mutex<State>>,
    options: Arc<ServerOptions>,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    uploads_begun: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<String, Object>,
    /// By key and then by id, which is by initiation.
    uploads: BTreeMap<(String, String), Upload>,
    /// The keys that no batch deletes, and the error code that each is told to be left for.
    pub(crate) undeletable: BTreeMap<String, &'static str>,
}

impl Bucket {
    pub(crate) fn pending(&self) -> Vec<PendingUpload> {
        let pending = self.uploads.iter().map(|((key, upload_id), upload)| PendingUpload {
            key: key.clone(),
            upload_id: upload_id.clone(),
            parts: upload.parts.iter().map(|(number, part)| (*number, part.content.size())).collect(),
        });
        pending.collect()
    }

    pub(crate) fn end_uploads(&mut self) {
        self.uploads.clear();
    }

    fn object(&self, key: &str) -> S3Result<&Object> {
        self.objects.get(key).ok_or_else(|| s3_error!(NoSuchKey))
    }

    fn upload(&mut self, key: &str, upload_id: &str) -> S3Result<&mut Upload> {
        self.uploads.get_mut(&(key.to_owned(), upload_id.to_owned())).ok_or_else(|| s3_error!(NoSuchUpload))
    }
}

impl Store {
    pub(crate) fn new(options: ServerOptions) -> Self {
        Self { state: Arc::default(), options: Arc::new(options) }
    }

    pub(crate) fn create_bucket(&self, bucket: &str) {
        self.state.lock().buckets.insert(bucket.to_owned(), Bucket::default());
    }

    /// Runs `action` on a bucket; none where there is no such bucket.
    pub(crate) fn with_bucket<T>(&self, bucket: &str, action: impl FnOnce(&mut Bucket) -> T) -> Option<T> {
        self.state.lock().buckets.get_mut(bucket).map(action)
    }

    fn bucket<T>(&self, bucket: &str, action: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        self.with_bucket(bucket, action).ok_or_else(|| s3_error!(NoSuchBucket))?
    }

    /// The conditions of a write, where they are honoured.
    fn write_conditions(&self, if_match: Option<IfMatch>, if_none_match: Option<IfNoneMatch>) -> Conditions {
        if self.options.honours_conditions { Conditions { if_match, if_none_match } } else { Conditions::default() }
    }

    /// The object that a copy reads.
    fn source(&self, source: &CopySource, conditions: &Conditions) -> S3Result<Object> {
        let CopySource::Bucket { bucket, key, .. } = source else { return Err(s3_error!(NotImplemented)) };
        self.bucket(bucket, |bucket| {
            let object = bucket.object(key)?;
            // A source that is not as it should be is 412 for a copy, whatever the condition.
            conditions.allow_read(object).map_err(|_| precondition_failed())?;
            Ok(object.clone())
        })
    }

    fn check_copied(&self, size: u64) -> S3Result<()> {
        if size > self.options.copy_maximum {
            return Err(s3_error!(
                InvalidRequest,
                "The specified copy source is larger than the maximum allowable size"
            ));
        }
        Ok(())
    }

    fn limit(&self, asked: Option<i32>) -> usize {
        asked.map_or(self.options.page, |asked| usize::try_from(asked).unwrap_or(0).min(self.options.page))
    }
}

/// The answer dated by the moment at which the object was stored, as the service's one clock has it.
fn dated<T>(output: T, stored: SystemTime) -> S3Response<T> {
    let mut date = Vec::new();
    let mut headers = HeaderMap::new();
    if in_whole_seconds(stored).format(TimestampFormat::HttpDate, &mut date).is_ok()
        && let Ok(date) = HeaderValue::from_bytes(&date)
    {
        headers.insert(DATE, date);
    }
    S3Response::with_headers(output, headers)
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The source range of a copied part, `bytes=first-last`.
fn copied_range(range: Option<&str>, size: u64) -> S3Result<std::ops::Range<u64>> {
    match range {
        None => Ok(0..size),
        Some(text) => match Range::parse(text) {
            Ok(Range::Int { first, last: Some(last) }) if last < size => Ok(first..last + 1),
            _ => Err(s3_error!(InvalidRange, "The range of the copy source is not within it")),
        },
    }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&request.input.bucket, |_| Ok(S3Response::new(HeadBucketOutput::default())))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        // A missing bucket is known before the body has come.
        self.bucket(&input.bucket, |_| Ok(()))?;
        let content = Content::receive(input.body).await?;
        let conditions = self.write_conditions(input.if_match, input.if_none_match);
        let headers = Headers {
            content_type: input.content_type,
            metadata: input.metadata,
            storage_class: input.storage_class,
            encryption: input.server_side_encryption,
            kms_key_id: input.ssekms_key_id,
            acl: input.acl,
        };
        let object = Object::new(content, SystemTime::now(), headers);
        let (e_tag, stored) = (object.e_tag(), object.modified);
        self.bucket(&input.bucket, |bucket| {
            conditions.allow_write(bucket.objects.get(&input.key))?;
            bucket.objects.insert(input.key, object);
            Ok(())
        })?;
        Ok(dated(PutObjectOutput { e_tag: Some(e_tag), ..PutObjectOutput::default() }, stored))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let object = self.bucket(&input.bucket, |bucket| bucket.object(&input.key).cloned())?;
        conditions.allow_read(&object)?;
        let whole = object.content.size();
        let (content, content_range) = match input.range {
            None => (object.content.clone(), None),
            Some(range) => {
                let range = range.check(whole)?;
                let told = format!("bytes {}-{}/{whole}", range.start, range.end - 1);
                (object.content.slice(range), Some(told))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(size(content.size())),
            content_range,
            e_tag: Some(object.e_tag()),
            last_modified: Some(object.last_modified()),
            content_type: object.headers.content_type,
            metadata: object.headers.metadata,
            storage_class: object.headers.storage_class,
            body: Some(StreamingBlob::wrap(stream::iter(content.pieces().map(Ok::<_, std::io::Error>)))),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let object = self.bucket(&input.bucket, |bucket| bucket.object(&input.key).cloned())?;
        conditions.allow_read(&object)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(size(object.content.size())),
            e_tag: Some(object.e_tag()),
            last_modified: Some(object.last_modified()),
            content_type: object.headers.content_type,
            metadata: object.headers.metadata,
            storage_class: object.headers.storage_class,
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let conditions = self.write_conditions(input.if_match, None);
        self.bucket(&input.bucket, |bucket| {
            conditions.allow_write(bucket.objects.get(&input.key))?;
            bucket.objects.remove(&input.key);
            Ok(S3Response::new(DeleteObjectOutput::default()))
        })
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let Delete { objects, quiet } = request.input.delete;
        if objects.is_empty() || objects.len() > 1000 {
            return Err(s3_error!(MalformedXML, "A request deletes 1 to 1000 objects"));
        }
        self.bucket(&request.input.bucket, |bucket| {
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in objects {
                if let Some(code) = bucket.undeletable.get(&object.key) {
                    let code = Some((*code).to_owned());
                    errors.push(Error { code, key: Some(object.key), ..Error::default() });
                    continue;
                }
                bucket.objects.remove(&object.key);
                deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
            }
            let deleted = (quiet != Some(true)).then_some(deleted);
            let errors = (!errors.is_empty()).then_some(errors);
            Ok(S3Response::new(DeleteObjectsOutput { deleted, errors, ..DeleteObjectsOutput::default() }))
        })
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let conditions =
            Conditions { if_match: input.copy_source_if_match, if_none_match: input.copy_source_if_none_match };
        let source = self.source(&input.copy_source, &conditions)?;
        self.check_copied(source.content.size())?;
        let replaces =
            input.metadata_directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let headers = Headers {
            content_type: if replaces { input.content_type } else { source.headers.content_type },
            metadata: if replaces { input.metadata } else { source.headers.metadata },
            storage_class: input.storage_class,
            encryption: input.server_side_encryption,
            kms_key_id: input.ssekms_key_id,
            acl: input.acl,
        };
        let copy = Object::new(source.content, SystemTime::now(), headers);
        let result = CopyObjectResult {
            e_tag: Some(copy.e_tag()),
            last_modified: Some(copy.last_modified()),
            ..CopyObjectResult::default()
        };
        self.bucket(&input.bucket, |bucket| {
            bucket.objects.insert(input.key, copy);
            Ok(())
        })?;
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let begin = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => Begin::parse(token).ok_or_else(|| s3_error!(InvalidArgument, "no such token"))?,
            (None, Some(key)) => Begin::After(key),
            (None, None) => Begin::First,
        };
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
            begin,
            limit: self.limit(input.max_keys),
        };
        let url = input.encoding_type.as_ref().is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
        let mut output = ListObjectsV2Output::default();
        self.bucket(&input.bucket, |bucket| {
            let page = page(&bucket.objects, &query);
            let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
            output.key_count = i32::try_from(page.items.len()).ok();
            for item in page.items {
                match item {
                    Item::Key(key, object) => contents.push(s3s::dto::Object {
                        key: Some(encoded(key, url)),
                        size: Some(size(object.content.size())),
                        e_tag: Some(object.e_tag()),
                        last_modified: Some(object.last_modified()),
                        ..s3s::dto::Object::default()
                    }),
                    Item::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(encoded(prefix, url)) }),
                }
            }
            output.contents = Some(contents);
            output.common_prefixes = Some(prefixes);
            output.is_truncated = Some(page.next.is_some());
            output.next_continuation_token = page.next;
            Ok(())
        })?;
        output.name = Some(input.bucket);
        output.prefix = input.prefix.map(|prefix| encoded(&prefix, url));
        output.max_keys = i32::try_from(self.limit(input.max_keys)).ok();
        output.delimiter = input.delimiter;
        output.encoding_type = input.encoding_type;
        Ok(S3Response::new(output))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let headers = Headers {
            content_type: input.content_type,
            metadata: input.metadata,
            storage_class: input.storage_class,
            encryption: input.server_side_encryption,
            kms_key_id: input.ssekms_key_id,
            acl: input.acl,
        };
        let upload = Upload { initiated: SystemTime::now(), headers, parts: BTreeMap::new() };
        let mut state = self.state.lock();
        state.uploads_begun += 1;
        let upload_id = format!("upload-{:08}", state.uploads_begun);
        let bucket = state.buckets.get_mut(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        bucket.uploads.insert((input.key.clone(), upload_id.clone()), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload_id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        check_part_number(input.part_number)?;
        self.bucket(&input.bucket, |bucket| bucket.upload(&input.key, &input.upload_id).map(drop))?;
        let part = StoredPart::new(Content::receive(input.body).await?);
        let e_tag = Some(ETag::Strong(part.etag()));
        self.bucket(&input.bucket, |bucket| {
            bucket.upload(&input.key, &input.upload_id)?.parts.insert(input.part_number, part);
            Ok(())
        })?;
        Ok(S3Response::new(UploadPartOutput { e_tag, ..UploadPartOutput::default() }))
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = request.input;
        check_part_number(input.part_number)?;
        let conditions =
            Conditions { if_match: input.copy_source_if_match, if_none_match: input.copy_source_if_none_match };
        let source = self.source(&input.copy_source, &conditions)?;
        let range = copied_range(input.copy_source_range.as_deref(), source.content.size())?;
        self.check_copied(range.end - range.start)?;
        let part = StoredPart::new(source.content.slice(range));
        let result = CopyPartResult {
            e_tag: Some(ETag::Strong(part.etag())),
            last_modified: Some(in_whole_seconds(part.modified)),
            ..CopyPartResult::default()
        };
        self.bucket(&input.bucket, |bucket| {
            bucket.upload(&input.key, &input.upload_id)?.parts.insert(input.part_number, part);
            Ok(())
        })?;
        Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let named = input.multipart_upload.and_then(|named| named.parts).unwrap_or_default();
        let conditions = self.write_conditions(input.if_match, input.if_none_match);
        let e_tag = self.bucket(&input.bucket, |bucket| {
            let object = bucket.upload(&input.key, &input.upload_id)?.complete(&named, &self.options)?;
            conditions.allow_write(bucket.objects.get(&input.key))?;
            bucket.uploads.remove(&(input.key.clone(), input.upload_id));
            let e_tag = object.e_tag();
            bucket.objects.insert(input.key.clone(), object);
            Ok(e_tag)
        })?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(e_tag),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        self.bucket(&input.bucket, |bucket| {
            bucket.upload(&input.key, &input.upload_id)?;
            bucket.uploads.remove(&(input.key, input.upload_id));
            Ok(S3Response::new(AbortMultipartUploadOutput::default()))
        })
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let limit = self.limit(input.max_parts);
        let after = input.part_number_marker.unwrap_or(0);
        let mut output = ListPartsOutput::default();
        self.bucket(&input.bucket, |bucket| {
            let upload = bucket.upload(&input.key, &input.upload_id)?;
            let mut rest = upload.parts.range(after + 1..);
            let parts: Vec<_> = rest
                .by_ref()
                .take(limit)
                .map(|(number, part)| Part {
                    part_number: Some(*number),
                    size: Some(size(part.content.size())),
                    e_tag: Some(ETag::Strong(part.etag())),
                    last_modified: Some(in_whole_seconds(part.modified)),
                    ..Part::default()
                })
                .collect();
            output.is_truncated = Some(rest.next().is_some());
            output.next_part_number_marker = parts.last().and_then(|part| part.part_number);
            output.parts = Some(parts);
            Ok(())
        })?;
        output.bucket = Some(input.bucket);
        output.key = Some(input.key);
        output.upload_id = Some(input.upload_id);
        Ok(S3Response::new(output))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let limit = self.limit(input.max_uploads);
        let prefix = input.prefix.clone().unwrap_or_default();
        // An upload id alone marks nothing.
        let after = input.key_marker.clone().map(|key| (key, input.upload_id_marker.clone()));
        let is_behind = |(key, id): &(String, String)| match &after {
            None => true,
            Some((marker, None)) => key > marker,
            Some((marker, Some(upload))) => (key, id) > (marker, upload),
        };
        let mut output = ListMultipartUploadsOutput::default();
        self.bucket(&input.bucket, |bucket| {
            let mut rest = bucket.uploads.iter().filter(|(id, _)| id.0.starts_with(&prefix) && is_behind(id));
            let uploads: Vec<_> = rest
                .by_ref()
                .take(limit)
                .map(|((key, upload_id), upload)| MultipartUpload {
                    key: Some(key.clone()),
                    upload_id: Some(upload_id.clone()),
                    initiated: Some(in_whole_seconds(upload.initiated)),
                    ..MultipartUpload::default()
                })
                .collect();
            output.is_truncated = Some(rest.next().is_some());
            output.next_key_marker = uploads.last().and_then(|upload| upload.key.clone());
            output.next_upload_id_marker = uploads.last().and_then(|upload| upload.upload_id.clone());
            output.uploads = Some(uploads);
            Ok(())
        })?;
        output.bucket = Some(input.bucket);
        output.prefix = input.prefix;
        Ok(S3Response::new(output))
    }
}

fn check_part_number(number: i32) -> S3Result<()> {
    if (1..=10_000).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}
