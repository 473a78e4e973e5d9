//! Services under measurement: where they are, and who takes turns on them.

use crate::Result;
use crate::azure_sdk::AzureSdk;
use crate::contest::{Contestant, Entrant, Work};
use crate::object_store_store::ObjectStoreCrate;
use crate::opendal_store::Opendal;
use crate::ours::Ours;
use crate::s3_sdk::S3Sdk;

/// A service, and the directory in it that everything is made below.
pub(crate) struct Service {
    kind: Kind,
    root: String,
}

enum Kind {
    S3(S3Service),
    Azure(AzureService),
}

/// A bucket, with what gives access to it.
pub(crate) struct S3Service {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// A container, with what gives access to it.
pub(crate) struct AzureService {
    pub(crate) endpoint: String,
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) container: String,
}

impl Service {
    /// The S3 service of the environment.
    pub(crate) fn s3(root: &str) -> Result<Self> {
        let service = S3Service {
            endpoint: variable("BLOBSTORE_S3_ENDPOINT")?,
            region: variable("BLOBSTORE_S3_REGION")?,
            bucket: variable("BLOBSTORE_S3_BUCKET")?,
            access_key: variable("BLOBSTORE_S3_ACCESS_KEY")?,
            secret_key: variable("BLOBSTORE_S3_SECRET_KEY")?,
        };
        Ok(Self { kind: Kind::S3(service), root: root.to_owned() })
    }

    /// The blob service of the environment.
    pub(crate) fn azure(root: &str) -> Result<Self> {
        let service = AzureService {
            endpoint: variable("BLOBSTORE_AZURE_ENDPOINT")?,
            account: variable("BLOBSTORE_AZURE_ACCOUNT")?,
            key: variable("BLOBSTORE_AZURE_KEY")?,
            container: variable("BLOBSTORE_AZURE_CONTAINER")?,
        };
        Ok(Self { kind: Kind::Azure(service), root: root.to_owned() })
    }

    /// Those that take turns, ours first, all below the same directory.
    pub(crate) fn contestants(&self, directory: &str, work: Work) -> Result<Vec<Box<dyn Contestant>>> {
        let directory = &format!("{}/{directory}", self.root);
        Ok(match &self.kind {
            Kind::S3(service) => vec![
                Entrant::boxed("ours", Ours::s3(service, directory)?, work),
                Entrant::boxed("object_store", ObjectStoreCrate::s3(service, directory)?, work),
                Entrant::boxed("opendal", Opendal::s3(service, directory)?, work),
                Entrant::boxed("sdk", S3Sdk::new(service, directory), work),
            ],
            Kind::Azure(service) => {
                let mut contestants = vec![Entrant::boxed("ours", Ours::azure(service, directory)?, work)];
                // It deletes by batches alone, with which Azurite takes minutes, if it answers.
                if !matches!(work, Work::DeleteTree { .. }) {
                    contestants.push(Entrant::boxed(
                        "object_store",
                        ObjectStoreCrate::azure(service, directory)?,
                        work,
                    ));
                }
                contestants.push(Entrant::boxed("opendal", Opendal::azure(service, directory)?, work));
                contestants.push(Entrant::boxed("sdk", AzureSdk::new(service, directory)?, work));
                contestants
            }
        })
    }

    /// Deletes what a row left: an emulator gets slower with all that it has.
    pub(crate) async fn clear(&self, directory: &str) -> Result<()> {
        let ours = match &self.kind {
            Kind::S3(service) => Ours::s3(service, &self.root)?,
            Kind::Azure(service) => Ours::azure(service, &self.root)?,
        };
        ours.clear(directory).await
    }
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| format!("{name} is not set; `ci/bench` starts a service and sets it").into())
}
