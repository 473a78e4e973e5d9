//! Servers that speak S3, behind this project's driver.

use conformance::Target;
use driver_s3::{Credentials, S3Driver, S3Options, Secret};

use super::Failure;
use driver_api::{Result, Storage, layers};

/// Where an S3 server is, and how to get in.
#[derive(Clone)]
pub(super) struct S3Service {
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) bucket: String,
    pub(super) access_key: String,
    pub(super) secret_key: String,
    /// Whether it takes conditions on writes and deletes for what they are.
    pub(super) conditional_writes: bool,
}

impl S3Service {
    /// What the suite runs on: a directory of its own in the bucket.
    pub(super) fn target(&self) -> Result<Target, Failure> {
        let again = self.clone();
        Ok(Target::shared(self.storage()?)?.with_reopen(move || {
            let storage = again.storage();
            async move { storage }
        }))
    }

    /// With the retries that a configuration without layers gets.
    fn storage(&self) -> Result<Storage> {
        let options = S3Options {
            region: Some(self.region.clone()),
            endpoint: Some(self.endpoint.clone()),
            path_style: true,
            credentials: Credentials::Key {
                access_key: self.access_key.clone(),
                secret_key: Secret::new(&*self.secret_key),
                session_token: None,
            },
            conditional_writes: self.conditional_writes,
            ..S3Options::new(&*self.bucket)
        };
        Ok(Storage::new(S3Driver::new(options)?).layered(layers::Retry::default()))
    }
}
