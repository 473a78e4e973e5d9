//! Says what is wrong with a connection, in words that tell what to change.

use driver_api::{Error, Result};

use crate::bucket::Bucket;
use crate::client::has_proxy;
use crate::errors::Failure;
use crate::listing::Listed;

/// The setting by its names: without it the bucket's name stands before the host's, and the two may be no host that there is.
const PATH_STYLE: &str = "path_style (`forcepathstyle` in a configuration file)";

impl Bucket {
    /// Lists one key: the request that names each mistake of a configuration by a code of its own.
    pub(crate) async fn check(&self) -> Result<()> {
        let listed = Listed { prefix: self.keys.root().to_owned(), limit: 1, ..Listed::default() };
        self.list(&listed, None).await.map(drop).map_err(|failure| self.explain(failure))
    }

    fn explain(&self, failure: Failure) -> Error {
        let options = &self.options;
        let place = match (&options.endpoint, &options.region) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(region)) => format!("Amazon S3 in {region}"),
            (None, None) => "Amazon S3".to_owned(),
        };
        let proxy = if has_proxy() { ", and at the proxy that the environment names" } else { "" };
        let advice = match failure.code() {
            None if failure.was_never_sent() => {
                format!("nothing can be asked of {place}: look at the credentials, the region and the bucket's name")
            }
            None if failure.never_reached() => {
                format!(
                    "{place} can't be reached: look at the endpoint, the network, the region and {PATH_STYLE}{proxy}"
                )
            }
            None => format!("{place} does not answer as an S3 service does: look at the endpoint{proxy}"),
            Some("NoSuchBucket" | "InvalidBucketName") => {
                format!(
                    "{place} has no bucket {:?}: make it, or look at the endpoint and at {PATH_STYLE}",
                    options.bucket
                )
            }
            Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
                let region = options.region.as_deref().unwrap_or("none");
                format!(
                    "the bucket {:?} is in another region than {region:?}: set the region that it is in",
                    options.bucket
                )
            }
            Some("InvalidAccessKeyId" | "InvalidToken" | "NotSignedUp" | "SignatureDoesNotMatch") => {
                format!("{place} does not know the access key, or the secret is another one: look at the credentials")
            }
            Some("ExpiredToken" | "RequestExpired") => "the credentials have expired: get new ones".to_owned(),
            Some("RequestTimeTooSkewed") => {
                format!("this machine's clock and that of {place} are too far apart: set the clock")
            }
            Some("AccessDenied" | "AllAccessDisabled" | "AccountProblem") => {
                format!(
                    "the key may not list the bucket {:?}: it needs s3:ListBucket. Some services, Garage among them, say so of a \
                     key or a secret that they do not know",
                    options.bucket
                )
            }
            Some(_) => format!(
                "{place} refused to list the bucket {:?}: look at what it says, and at this machine's clock",
                options.bucket
            ),
        };
        let told = failure.into_error();
        let mut error = Error::new(told.kind(), format!("{advice} ({})", told.message()));
        if let Some(request_id) = told.request_id() {
            error = error.with_request_id(request_id);
        }
        error
    }
}
