//! Signed URLs.

use std::time::Duration;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::presigning::PresigningConfig;
use driver_api::{Error, ErrorKind, Result, StoragePath, Url, UrlMethod, UrlOptions};

use crate::bucket::Bucket;

/// As long as a signature can be valid.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Bucket {
    pub(crate) async fn sign(&self, path: &StoragePath, options: &UrlOptions) -> Result<Url> {
        // Signatures live for whole seconds, and the URL for at least as long as was asked for.
        let whole = Duration::from_secs(options.lifetime.as_secs() + u64::from(options.lifetime.subsec_nanos() > 0));
        let lifetime = whole.max(Duration::from_secs(1));
        let signing = PresigningConfig::expires_in(lifetime)
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, "the lifetime of the URL").with_source(error))?;
        let (bucket, key) = (self.options.bucket.as_str(), self.keys.file(path));
        let signed = match options.method {
            UrlMethod::Get => {
                let request = self.clients.urls.get_object().bucket(bucket).key(key);
                request.presigned(signing).await.map_err(|error| not_signed(&error))
            }
            UrlMethod::Head => {
                let request = self.clients.urls.head_object().bucket(bucket).key(key);
                request.presigned(signing).await.map_err(|error| not_signed(&error))
            }
        };
        let signed = signed.map_err(|error| error.with_path(path))?;
        Url::parse(signed.uri())
            .map_err(|error| Error::new(ErrorKind::Other, "the signed URL can't be read").with_source(error))
    }
}

/// Signing asks nobody, but for the credentials that the environment has; whoever has them may be back soon.
fn not_signed(error: &(dyn std::error::Error + 'static)) -> Error {
    let message = format!("the URL could not be signed: {}", DisplayErrorContext(error));
    Error::new(ErrorKind::Unavailable, message)
}
