//! Garage and Azurite, where `ci/services` has started them.

use conformance::Target;
use driver_api::{Result, Storage, Url, layers};
use driver_azure::{AzureDriver, AzureOptions, Credentials, Secret};

use super::s3::S3Service;
use super::{Failure, Opened};

/// The script that installs and starts them, which knows their versions.
const SCRIPT: &str = include_str!("../../../services");

/// The name and version of an engine.
pub(super) fn version(engine: &str) -> String {
    let known = SCRIPT.split_once(&format!("{}_VERSION=", engine.to_uppercase()));
    let version = known.and_then(|(_, version)| version.split_whitespace().next());
    format!("{engine} {}", version.unwrap_or("of an unknown version"))
}

/// It takes the headers of conditional writes and ignores them, so they are not asked for.
pub(super) fn garage() -> Result<Opened, Failure> {
    let service = S3Service {
        endpoint: variable("BLOBSTORE_S3_ENDPOINT")?,
        region: variable("BLOBSTORE_S3_REGION")?,
        bucket: variable("BLOBSTORE_S3_BUCKET")?,
        access_key: variable("BLOBSTORE_S3_ACCESS_KEY")?,
        secret_key: variable("BLOBSTORE_S3_SECRET_KEY")?,
        conditional_writes: false,
    };
    Ok(Opened::new(service.target()?))
}

pub(super) fn azurite() -> Result<Opened, Failure> {
    let key = Credentials::SharedKey(Secret::new(variable("BLOBSTORE_AZURE_KEY")?));
    let mut options =
        AzureOptions::new(variable("BLOBSTORE_AZURE_ACCOUNT")?, variable("BLOBSTORE_AZURE_CONTAINER")?, key);
    options.service_url = Some(Url::parse(&variable("BLOBSTORE_AZURE_ENDPOINT")?)?);
    let open =
        move || -> Result<Storage> { Ok(Storage::new(AzureDriver::new(&options)?).layered(layers::Retry::default())) };
    let storage = open()?;
    Ok(Opened::new(Target::shared(storage)?.with_reopen(move || {
        let storage = open();
        async move { storage }
    })))
}

fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name)
        .map_err(|_| format!("{name} is not set; `ci/compatibility-matrix` starts a service and sets it").into())
}
