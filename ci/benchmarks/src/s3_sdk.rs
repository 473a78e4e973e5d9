//! Amazon's own client, used as its documentation does.

use std::path::PathBuf;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

use crate::services::S3Service;
use crate::subject::{Consume, PART, PARTS_AT_ONCE, Subject};
use crate::{Failure, Result};

pub(crate) struct S3Sdk {
    client: Client,
    bucket: String,
    directory: String,
}

impl S3Sdk {
    pub(crate) fn new(service: &S3Service, directory: &str) -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(service.region.clone()))
            .endpoint_url(&service.endpoint)
            .force_path_style(true)
            .credentials_provider(Credentials::new(&service.access_key, &service.secret_key, None, None, "environment"))
            .http_client(http)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        Self {
            client: Client::from_conf(config.build()),
            bucket: service.bucket.clone(),
            directory: directory.to_owned(),
        }
    }

    /// Uploads one part. Its sum is left out of the signature, as the others leave it.
    fn part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        content: Bytes,
    ) -> impl Future<Output = Result<CompletedPart>> + Send + use<> {
        let request = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload).part_number(number);
        let sending = request.body(ByteStream::from(content)).customize().disable_payload_signing().send();
        async move {
            let tag = sending.await?.e_tag;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(tag).build())
        }
    }
}

impl Subject for S3Sdk {
    type Path = String;

    fn path(&self, relative: &str) -> Result<String> {
        Ok(format!("{}/{relative}", self.directory))
    }

    fn directory(&self, relative: &str) -> Result<String> {
        Ok(format!("{}/{relative}/", self.directory))
    }

    async fn put(&self, path: &String, content: Bytes) -> Result<()> {
        self.client.put_object().bucket(&self.bucket).key(path).body(ByteStream::from(content)).send().await?;
        Ok(())
    }

    async fn get(&self, path: &String) -> Result<u64> {
        let answer = self.client.get_object().bucket(&self.bucket).key(path).send().await?;
        Ok(answer.body.collect().await?.into_bytes().len() as u64)
    }

    async fn stat(&self, path: &String) -> Result<u64> {
        let answer = self.client.head_object().bucket(&self.bucket).key(path).send().await?;
        Ok(u64::try_from(answer.content_length.unwrap_or_default())?)
    }

    async fn list(&self, directory: &String) -> Result<usize> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(directory).delimiter("/");
        let (mut pages, mut count) = (request.into_paginator().send(), 0);
        while let Some(page) = pages.next().await {
            count += page?.contents().len();
        }
        Ok(count)
    }

    async fn write_stream(&self, path: &String, chunk: Bytes, count: usize) -> Result<()> {
        let begun = self.client.create_multipart_upload().bucket(&self.bucket).key(path).send().await?;
        let upload = begun.upload_id.ok_or("the upload has no id")?;
        let (mut sending, mut parts, mut number) = (JoinSet::new(), Vec::new(), 0);
        let mut part = BytesMut::with_capacity(PART);
        for written in 1..=count {
            part.extend_from_slice(&chunk);
            if part.len() < PART && written < count {
                continue;
            }
            if sending.len() == PARTS_AT_ONCE {
                parts.extend(sending.join_next().await.transpose()?.transpose()?);
            }
            number += 1;
            let content = std::mem::replace(&mut part, BytesMut::with_capacity(PART)).freeze();
            sending.spawn(self.part(path, &upload, number, content));
        }
        while let Some(sent) = sending.join_next().await {
            parts.push(sent??);
        }
        parts.sort_by_key(|part| part.part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(path).upload_id(upload);
        request.multipart_upload(parts).send().await?;
        Ok(())
    }

    async fn read_stream(&self, path: &String, consume: Consume) -> Result<u64> {
        let mut body = self.client.get_object().bucket(&self.bucket).key(path).send().await?.body;
        let mut length = 0;
        while let Some(chunk) = body.try_next().await? {
            consume(&chunk);
            length += chunk.len() as u64;
        }
        Ok(length)
    }

    async fn delete_tree(&self, directory: &String) -> Result<()> {
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(directory).into_paginator().send();
        while let Some(page) = pages.next().await {
            let keys = page?.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
            let objects = keys.map(|key| Ok(ObjectIdentifier::builder().key(key).build()?));
            let objects = objects.collect::<Result<Vec<_>>>()?;
            if objects.is_empty() {
                continue;
            }
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build()?;
            let answer = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await?;
            if let Some(error) = answer.errors().first() {
                return Err(Failure::from(format!("not deleted: {error:?}")));
            }
        }
        Ok(())
    }

    fn root(&self) -> Option<&PathBuf> {
        None
    }

    fn is_service(&self) -> bool {
        true
    }
}
