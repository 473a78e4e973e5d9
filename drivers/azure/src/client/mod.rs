//! The one place that knows the crates `azure_*`: requests to one container, in this driver's own types.
//!
//! One method is one request (where it says nothing else), retried by nobody here. Their quirks end here; `docs/azure.md` has
//! what a move to another crate would need.

mod answer;
mod authorization;
mod connection;
mod direct;
mod failure;
#[cfg(feature = "entra")]
mod tokens;
mod transport;
mod whole;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::SystemTime;

use azure_core::prelude::{
    Delimiter, IfMatchCondition, IfSourceMatchCondition, MaxResults, Metadata, NextMarker, Prefix,
};
use azure_core::{ClientOptions, Context, RetryOptions, TransportOptions};
use azure_storage_blobs::blob::{BlobProperties, BlockListType, CopyStatus};
use azure_storage_blobs::container::operations::BlobItem;
use azure_storage_blobs::prelude::{Blob, BlobBlockType, BlobClient, BlockList, ClientBuilder, ContainerClient};
use bytes::Bytes;
use driver_api::{ByteRange, Condition, Error, ErrorKind, Result, Url, Version};
use futures_util::StreamExt;

pub(crate) use self::answer::BodyStream;
pub(crate) use self::connection::connection_string;
use self::direct::Direct;
pub(crate) use self::direct::LAST_OFFSET;
pub(crate) use self::failure::{Effect, Failure};
use self::transport::Transport;
use self::whole::Xml;
use crate::options::AzureOptions;

/// The requests to one container.
#[derive(Debug)]
pub(crate) struct Container {
    container: ContainerClient,
    direct: Direct,
}

/// A blob as the service describes it.
#[derive(Debug, Clone)]
pub(crate) struct BlobFacts {
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
    pub(crate) version: Version,
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) copy: Option<CopyState>,
}

/// How far a copy that made a blob has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CopyState {
    /// It is under way, by this id.
    Pending(String),
    Done,
    Failed,
}

/// What a write answers with.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) modified: SystemTime,
    pub(crate) version: Version,
}

/// A read that has begun: the blob, and the bytes as they come.
pub(crate) struct Download {
    pub(crate) facts: BlobFacts,
    pub(crate) body: BodyStream,
}

/// One answer to a listing.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) items: Vec<Listed>,
    pub(crate) next: Option<String>,
}

/// A name in a listing.
#[derive(Debug)]
pub(crate) enum Listed {
    Blob(String, BlobFacts),
    /// What several names have in common, up to a `/`.
    Prefix(String),
}

/// Which names a listing is about.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) prefix: String,
    /// Whether names are cut at the next `/`.
    pub(crate) delimited: bool,
    pub(crate) metadata: bool,
    pub(crate) page: NonZeroU32,
}

/// A block that was written and not yet made part of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) id: Bytes,
    pub(crate) size: u64,
}

impl Container {
    /// Opens nothing and asks nothing.
    pub(crate) fn new(options: &AzureOptions) -> Result<Self> {
        let endpoint = options.endpoint()?;
        let transport = Transport::new(options)?;
        let (credentials, authorization) = connection::credentials(options, &transport)?;
        // As the last of the policies that run at every attempt it stands before the crate's own transport, which it
        // replaces by never calling it.
        let policies = ClientOptions::new(TransportOptions::new_custom_policy(transport.clone()))
            .retry(RetryOptions::none())
            .per_retry_policies(vec![transport.clone() as _]);
        let location = azure_storage::CloudLocation::Custom {
            account: options.account.clone(),
            uri: endpoint.as_str().trim_end_matches('/').to_owned(),
        };
        let container = ClientBuilder::with_location(location, credentials)
            .client_options(policies)
            .container_client(&options.container);
        let direct = Direct::new(transport, authorization, endpoint, &options.container);
        Ok(Self { container, direct })
    }

    pub(crate) fn signs_urls(&self) -> bool {
        self.direct.authorization().signs_urls()
    }

    pub(crate) fn endpoint(&self) -> &Url {
        self.direct.service()
    }

    pub(crate) fn name(&self) -> &str {
        self.container.container_name()
    }

    fn blob(&self, name: &str) -> BlobClient {
        self.container.blob_client(name)
    }

    pub(crate) async fn get(
        &self,
        name: &str,
        range: ByteRange,
        version: Option<&Version>,
    ) -> Result<Download, Failure> {
        let answer = self.direct.get(name, range, version).await?;
        if answer.is_empty_part() {
            return Err(Failure::beyond_the_end());
        }
        let mut facts = answer.facts()?;
        let other = || Failure::Senseless("the service answered with another range than it was asked for".to_owned());
        facts.size = answer.whole_length(range).ok_or_else(other)?;
        Ok(Download { facts, body: answer.body })
    }

    pub(crate) async fn head(&self, name: &str) -> Result<BlobFacts, Failure> {
        self.direct.head(name).await?.facts()
    }

    pub(crate) async fn put(
        &self,
        name: &str,
        body: Bytes,
        metadata: &[(&'static str, String)],
        condition: &Condition,
    ) -> Result<Published, Failure> {
        self.direct.put(name, body, metadata, condition).await?.published()
    }

    pub(crate) async fn put_block(&self, name: &str, id: Bytes, body: Bytes) -> Result<(), Failure> {
        self.blob(name).put_block(id, body).await.map_err(failure)?;
        Ok(())
    }

    /// Makes the blob of exactly these blocks, all of which must have been put since its last change.
    pub(crate) async fn put_block_list(
        &self,
        name: &str,
        ids: impl Iterator<Item = Bytes>,
        metadata: &[(&'static str, String)],
        condition: &Condition,
    ) -> Result<Published, Failure> {
        let blocks = BlockList { blocks: ids.map(BlobBlockType::new_uncommitted).collect() };
        let mut request = self.blob(name).put_block_list(blocks).metadata(metadata_of(metadata));
        if let Some(condition) = conditional(condition) {
            request = request.if_match(condition);
        }
        let answer = request.await.map_err(failure)?;
        Ok(Published { modified: answer.last_modified.into(), version: version(&answer.etag) })
    }

    /// The blocks that were put at `name` and are in no blob, in no order.
    pub(crate) async fn uncommitted(&self, name: &str) -> Result<Vec<Block>, Failure> {
        let request = self.blob(name).get_block_list().block_list_type(BlockListType::Uncommitted);
        match request.context(in_xml()).await {
            Ok(answer) => Ok(answer
                .block_with_size_list
                .blocks
                .into_iter()
                .filter_map(|block| match block.block_list_type {
                    BlobBlockType::Uncommitted(id) => Some(Block { id: id.bytes(), size: block.size_in_bytes }),
                    _ => None,
                })
                .collect()),
            Err(error) => match failure(error) {
                missing if missing.is_missing() => Ok(Vec::new()),
                failure => Err(failure),
            },
        }
    }

    /// Begins to copy exactly the version `version` of the blob `from`, and tells how far it is.
    pub(crate) async fn copy(
        &self,
        from: &str,
        version: &Version,
        to: &str,
        metadata: &[(&'static str, String)],
    ) -> Result<CopyState, Failure> {
        let mut source = self.blob(from).url().map_err(failure)?;
        if let Some(signature) = self.direct.authorization().of_urls() {
            source.set_query(Some(signature.reveal()));
        }
        let request = self
            .blob(to)
            .copy(source)
            .metadata(metadata_of(metadata))
            .if_source_match(IfSourceMatchCondition::Match(quoted(version)));
        let answer = request.await.map_err(failure)?;
        Ok(copy_state(answer.copy_status, answer.copy_id.to_string()))
    }

    /// Ends a copy to `to` that is under way. What was there before it is gone all the same.
    pub(crate) async fn abort_copy(&self, to: &str, copy: &str) -> Result<(), Failure> {
        self.direct.abort_copy(to, copy).await.map(drop)
    }

    pub(crate) async fn delete(&self, name: &str, version: Option<&Version>) -> Result<(), Failure> {
        let mut request = self.blob(name).delete();
        if let Some(version) = version {
            request = request.if_match(matching(version));
        }
        request.await.map_err(failure)?;
        Ok(())
    }

    /// One page of a listing, from where `next` of the page before says.
    pub(crate) async fn list(&self, listing: &Listing, next: Option<String>) -> Result<Page, Failure> {
        let mut request =
            self.container.list_blobs().max_results(MaxResults::from(listing.page)).include_metadata(listing.metadata);
        if !listing.prefix.is_empty() {
            request = request.prefix(Prefix::from(listing.prefix.clone()));
        }
        if listing.delimited {
            request = request.delimiter(Delimiter::new("/"));
        }
        if let Some(next) = next {
            request = request.marker(NextMarker::new(next));
        }
        let answer = request.context(in_xml()).into_stream().next().await;
        let no_answer = || Failure::Senseless("the service gave no answer".to_owned());
        let answer = answer.ok_or_else(no_answer)?.map_err(failure)?;
        let items = answer.blobs.items.into_iter().map(|item| match item {
            BlobItem::Blob(blob) => {
                let facts = facts(&blob);
                Listed::Blob(blob.name, facts)
            }
            BlobItem::BlobPrefix(prefix) => Listed::Prefix(prefix.name),
        });
        Ok(Page { items: items.collect(), next: answer.next_marker.map(|next| next.as_str().to_owned()) })
    }

    /// Whether the account has a hierarchical namespace; none where the service does not tell.
    pub(crate) async fn is_hierarchical(&self) -> Option<bool> {
        self.direct.account().await.ok()?.header("x-ms-is-hns-enabled").map(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A URL with which anybody can read the blob until `expiry`.
    pub(crate) async fn signed_url(&self, name: &str, expiry: SystemTime) -> Result<Url> {
        use azure_storage::prelude::BlobSasPermissions;
        let blob = self.blob(name);
        let permissions = BlobSasPermissions { read: true, ..BlobSasPermissions::default() };
        let signed = async {
            let signature = blob.shared_access_signature(permissions, expiry.into()).await?;
            blob.generate_signed_blob_url(&signature)
        };
        signed.await.map_err(|_| Error::new(ErrorKind::Other, "the URL cannot be signed with these credentials"))
    }
}

/// The context of a request whose answer is XML.
fn in_xml() -> Context {
    let mut context = Context::new();
    context.insert(Xml);
    context
}

/// The failure that the transport found, or else what the crate could not make of the answer. What the crate says of itself
/// is left out: it can quote headers and tokens.
fn failure(error: azure_core::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        if let Some(failure) = found.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = found.source();
    }
    Failure::Senseless(format!("the answer of the service was not understood ({})", error.kind()))
}

fn facts(blob: &Blob) -> BlobFacts {
    let BlobProperties { last_modified, etag, content_length, copy_status, copy_id, .. } = &blob.properties;
    BlobFacts {
        size: *content_length,
        modified: (*last_modified).into(),
        version: version(etag.as_ref()),
        metadata: blob.metadata.clone().unwrap_or_default(),
        copy: copy_status
            .map(|status| copy_state(status, copy_id.clone().map(|id| id.to_string()).unwrap_or_default())),
    }
}

fn copy_state(status: CopyStatus, id: String) -> CopyState {
    match status {
        CopyStatus::Pending => CopyState::Pending(id),
        CopyStatus::Success => CopyState::Done,
        CopyStatus::Aborted | CopyStatus::Failed => CopyState::Failed,
    }
}

/// An etag stands in quotes in headers and without them in listings.
fn version(etag: &str) -> Version {
    Version::new(etag.trim_matches('"'))
}

fn quoted(version: &Version) -> String {
    format!("\"{}\"", version.as_str())
}

fn matching(version: &Version) -> IfMatchCondition {
    IfMatchCondition::Match(quoted(version))
}

fn conditional(condition: &Condition) -> Option<IfMatchCondition> {
    match condition {
        Condition::None => None,
        Condition::IfAbsent => Some(IfMatchCondition::NotMatch("*".to_owned())),
        Condition::IfMatch(version) => Some(matching(version)),
    }
}

fn metadata_of(pairs: &[(&'static str, String)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in pairs {
        metadata.insert(*name, value.clone());
    }
    metadata
}

/// How far a clock is from the `Date` of an answer.
pub(crate) fn clock_difference(date: &str, now: SystemTime) -> Option<std::time::Duration> {
    let date: SystemTime = azure_core::date::parse_rfc1123(date).ok()?.into();
    now.duration_since(date).or_else(|_| date.duration_since(now)).ok()
}
