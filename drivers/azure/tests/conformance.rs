//! The whole contract, on Azurite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

mod support;

use conformance::Instance;
use driver_api::{Error, ErrorKind, StoragePath};
use driver_azure::AzureDriver;
use futures_util::StreamExt;

use support::Azurite;

conformance::suite!(|| async { instance() });

fn instance() -> Instance {
    let mut options = Azurite::get().options();
    // Small blocks, so that writers use several of them for files of moderate size.
    options.block_size = 256 * 1024;
    let open = {
        let options = options.clone();
        move || AzureDriver::new(&options).expect("settings that work")
    };
    let (root, foreign_root) = (options.root.clone(), options.root);
    Instance::new(open())
        .with_reopen(open)
        .with_leftovers(move || leftovers(root.clone()))
        .with_foreign_entries(move |directory| plant(foreign_root.clone(), directory))
}

/// Names that are no paths: with a space, with an empty component, and with a tilde that is not the driver's.
const PLANTED: [&str; 3] = ["a name", "/empty", "~backup"];

/// Every blob below the root, but what was planted.
async fn leftovers(root: StoragePath) -> Result<Vec<String>, Error> {
    let prefix = format!("{}/", root.as_str().trim_start_matches('/'));
    let mut pages = Azurite::get().bare().list_blobs().prefix(prefix).into_stream();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(other)?;
        let left = page.blobs.blobs().map(|blob| blob.name.clone());
        names.extend(left.filter(|name| !PLANTED.iter().any(|planted| name.ends_with(planted))));
    }
    Ok(names)
}

async fn plant(root: StoragePath, directory: StoragePath) -> Result<(), Error> {
    let directory = root.join(&directory)?;
    for name in PLANTED {
        let name = format!("{}/{name}", directory.as_str().trim_start_matches('/'));
        Azurite::get().bare().blob_client(name).put_block_blob("foreign").await.map_err(other)?;
    }
    Ok(())
}

fn other(error: azure_core::Error) -> Error {
    Error::new(ErrorKind::Other, error.to_string())
}
