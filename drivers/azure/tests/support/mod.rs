//! Azurite for the tests: brought up by `ci/services`, which fails loudly where it cannot, and shared by all tests, each of
//! which has a root directory of its own.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Each test binary uses a part of this.

pub(crate) mod proxy;

use std::sync::OnceLock;

use azure_storage::{CloudLocation, StorageCredentials};
use azure_storage_blobs::prelude::{ClientBuilder, ContainerClient};
use driver_api::{StoragePath, Url};
use driver_azure::{AzureDriver, AzureOptions, Credentials, Secret};

/// Where Azurite is and how to get in.
#[derive(Debug, Clone)]
pub(crate) struct Azurite {
    pub(crate) endpoint: Url,
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) container: String,
}

impl Azurite {
    /// The running one.
    pub(crate) fn get() -> &'static Self {
        static AZURITE: OnceLock<Azurite> = OnceLock::new();
        AZURITE.get_or_init(|| {
            let engine = engines::Engine::start("azurite");
            Self {
                endpoint: Url::parse(&engine.get("BLOBSTORE_AZURE_ENDPOINT")).unwrap(),
                account: engine.get("BLOBSTORE_AZURE_ACCOUNT"),
                key: engine.get("BLOBSTORE_AZURE_KEY"),
                container: engine.get("BLOBSTORE_AZURE_CONTAINER"),
            }
        })
    }

    /// Settings for a root directory that nobody else has.
    pub(crate) fn options(&self) -> AzureOptions {
        let key = Credentials::SharedKey(Secret::new(&*self.key));
        let mut options = AzureOptions::new(&*self.account, &*self.container, key);
        options.service_url = Some(self.endpoint.clone());
        let root = format!("/test-{:032x}", fastrand::u128(..));
        options.root = StoragePath::parse(&root).unwrap();
        options
    }

    /// The container without the driver.
    pub(crate) fn bare(&self) -> ContainerClient {
        let location = CloudLocation::Custom {
            account: self.account.clone(),
            uri: self.endpoint.as_str().trim_end_matches('/').to_owned(),
        };
        let key = azure_core::auth::Secret::new(self.key.clone());
        ClientBuilder::with_location(location, StorageCredentials::access_key(self.account.clone(), key))
            .container_client(&*self.container)
    }
}

/// A driver over an empty root directory.
pub(crate) fn driver() -> AzureDriver {
    AzureDriver::new(&Azurite::get().options()).unwrap()
}
