//! Manifests, by their digests and by tags.

use blobstore::{Digest, MAX_MANIFEST_BYTES, Manifest, Reference, RepositoryName, Tag};
use driver_api::Context;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use http::{HeaderMap, StatusCode};

use super::{Answer, Done, empty, etag, header, insert_digest};
use crate::body::{BodyError, RequestBody};
use crate::call::Call;
use crate::error::{ApiError, Code};
use crate::notifications::{Action, Target};
use crate::range::has_already;
use crate::registry::{Registry, without_body};
use crate::route::ManifestName;

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

/// How many tags one request may push: what fits into a request line of 8 KiB whatever they are called.
const MOST_TAGS: usize = 46;

impl Registry {
    /// What is stored is served, whatever the client says that it accepts.
    pub(super) async fn get_manifest(&self, call: &Call, name: RepositoryName, reference: ManifestName) -> Answer {
        let (digest, manifest) = self.find_manifest(&call.context, &name, &reference).await?;
        let etag = etag(&digest);
        let mut response = if has_already(&call.headers, &etag) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            let media_type = header(&manifest.descriptor().media_type);
            let mut response = super::json(call, manifest.content().clone(), media_type);
            response.headers_mut().insert(CONTENT_LENGTH, manifest.descriptor().size.into());
            response
        };
        insert_digest(response.headers_mut(), &digest);
        response.headers_mut().insert(ETAG, header(etag));
        if call.is_head() {
            return Ok(without_body(response));
        }
        if response.status().is_success() {
            let named = if self.wants_references() { named(&manifest) } else { Vec::new() };
            self.notify_of_manifest(call, Action::Pull, &name, reference.tag(), manifest.descriptor().clone(), named);
        }
        Ok(response)
    }

    /// The manifest that is called so, and its digest.
    pub(crate) async fn find_manifest(
        &self,
        context: &Context,
        name: &RepositoryName,
        reference: &ManifestName,
    ) -> blobstore::Result<(Digest, Manifest)> {
        let repository = self.namespace().repository(name.clone());
        let digest = match reference {
            ManifestName::Digest(digest) => *digest,
            ManifestName::Tag(tag) => repository.tags().get(context, tag).await?,
        };
        match (repository.manifests().get(context, &digest).await, reference) {
            // A tag that names what is not there is as good as none.
            (Err(blobstore::Error::ManifestUnknown(name, _)), ManifestName::Tag(tag)) => {
                Err(blobstore::Error::ManifestUnknown(name, tag.to_string()))
            }
            (found, _) => Ok((digest, found?)),
        }
    }

    pub(super) async fn put_manifest(
        &self,
        call: &Call,
        name: RepositoryName,
        reference: ManifestName,
        body: &mut RequestBody,
    ) -> Answer {
        let media_type =
            call.header(&CONTENT_TYPE).map(|kind| kind.split(';').next().unwrap_or(kind).trim().to_owned());
        let (digest, tags) = self.pushed_names(call, reference)?;
        let content = body.collect(MAX_MANIFEST_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge(_) => {
                ApiError::new(Code::ManifestInvalid, error).with_status(StatusCode::PAYLOAD_TOO_LARGE)
            }
            BodyError::Slow(_) => ApiError::new(Code::SizeInvalid, error).with_status(StatusCode::REQUEST_TIMEOUT),
            BodyError::Broken(_) => ApiError::new(Code::SizeInvalid, error),
        })?;
        let manifests = self.namespace().repository(name.clone()).manifests();
        let parsed =
            self.wants_references().then(|| Manifest::parse(media_type.as_deref(), content.clone()).ok()).flatten();
        let pushed = manifests.put(&call.context, media_type.as_deref(), content, digest.as_ref(), &tags).await?;
        let called = digest.unwrap_or(pushed.descriptor.digest);
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, call.base.header(format_args!("{name}/manifests/{called}")));
        insert_digest(&mut headers, &called);
        if let Some(subject) = &pushed.subject {
            headers.insert(OCI_SUBJECT, header(subject));
        }
        if !tags.is_empty() && digest.is_some() {
            headers.insert(OCI_TAG, header(tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", ")));
        }
        let named = parsed.as_ref().map(named).unwrap_or_default();
        match tags.as_slice() {
            [] => self.notify_of_manifest(call, Action::Push, &name, None, pushed.descriptor.clone(), named),
            tags => tags.iter().for_each(|tag| {
                self.notify_of_manifest(call, Action::Push, &name, Some(tag), pushed.descriptor.clone(), named.clone());
            }),
        }
        let mut response = empty(StatusCode::CREATED);
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// What a manifest is called that is pushed: by the path, and by the parameters `tag`.
    fn pushed_names(&self, call: &Call, reference: ManifestName) -> Result<(Option<Digest>, Vec<Tag>), ApiError> {
        let (digest, mut tags) = match reference {
            ManifestName::Tag(tag) => (None, vec![tag]),
            ManifestName::Digest(digest) => (Some(digest), Vec::new()),
        };
        for tag in call.query.all("tag") {
            let tag: Tag = tag.parse().map_err(|error| ApiError::new(Code::TagInvalid, error).with_detail(tag))?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        if tags.len() > MOST_TAGS {
            let error = ApiError::new(Code::TagInvalid, format_args!("at most {MOST_TAGS} tags can be pushed at once"));
            return Err(error.with_status(StatusCode::URI_TOO_LONG));
        }
        Ok((digest, tags))
    }

    pub(super) async fn delete_manifest(&self, call: &Call, name: RepositoryName, reference: ManifestName) -> Answer {
        let repository = self.namespace().repository(name.clone());
        let done = match &reference {
            ManifestName::Tag(tag) => {
                repository.tags().delete(&call.context, tag).await?;
                Done { repository: &name, tag: Some(tag), target: None, url: None, references: Vec::new() }
            }
            ManifestName::Digest(digest) => {
                repository.manifests().delete(&call.context, digest).await?;
                let target = Some(Target::Digest(*digest));
                Done { repository: &name, tag: None, target, url: None, references: Vec::new() }
            }
        };
        self.notify(call, Action::Delete, done);
        Ok(empty(StatusCode::ACCEPTED))
    }

    fn wants_references(&self) -> bool {
        self.options().notifier.as_ref().is_some_and(|notifier| notifier.wants_references())
    }

    fn notify_of_manifest(
        &self,
        call: &Call,
        action: Action,
        name: &RepositoryName,
        tag: Option<&Tag>,
        descriptor: blobstore::Descriptor,
        references: Vec<Reference>,
    ) {
        if self.options().notifier.is_some() {
            let url = Some(call.base.of_path(format_args!("{name}/manifests/{}", descriptor.digest)));
            let target = Some(Target::Descriptor(descriptor));
            self.notify(call, action, Done { repository: name, tag, target, url, references });
        }
    }
}

/// What a manifest names.
fn named(manifest: &Manifest) -> Vec<Reference> {
    manifest.blobs().iter().chain(manifest.manifests()).cloned().collect()
}
