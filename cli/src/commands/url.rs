//! `blobstore url`

use std::time::Duration;

use clap::Args;
use driver_api::{StoragePath, UrlMethod, UrlOptions};

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::output::print;
use crate::{interrupt, values};

/// Make a URL with which anybody can read a file
///
/// Whether the file exists is not looked up. Embedded drivers have no such URLs.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file
    path: StoragePath,
    /// For how long the URL works (20m, 1h30m)
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = values::duration())]
    lifetime: Duration,
    /// Make it for HEAD instead of GET
    #[arg(long)]
    head: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let storage = arguments.backend.open().await?;
    let method = if arguments.head { UrlMethod::Head } else { UrlMethod::Get };
    let mut options = UrlOptions::default().with_lifetime(arguments.lifetime);
    options.method = method;
    match storage.url_for(&context, &arguments.path, options).await? {
        Some(url) => print(&format!("{url}\n")),
        None => Err(Failure::new(format!("the driver {} has no URLs that others can use", storage.name()))),
    }
}
