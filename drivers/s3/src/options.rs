//! The settings of the driver.

use std::fmt;
use std::time::Duration;

use driver_api::{Error, ErrorKind, Result, Url};

use crate::part_plan::{MAX_OBJECT, MAX_PART, MIN_PART};

/// Settings of an [`S3Driver`](crate::S3Driver).
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The bucket; it must exist.
    pub bucket: String,
    /// The region that requests are signed for. Needed unless there is an endpoint; then it is `us-east-1` where none is given.
    pub region: Option<String>,
    /// Where a service other than Amazon's is: `https://host:port`, or `http://` for tests. Amazon's own for the region where
    /// none is given.
    pub endpoint: Option<String>,
    /// Where signed URLs point to, if not to the endpoint.
    pub url_endpoint: Option<String>,
    /// Whether the bucket stands in the path of a URL and not in its host name; most services other than Amazon need it.
    pub path_style: bool,
    /// What requests are signed with.
    pub credentials: Credentials,
    /// What all keys begin with. At most 100 bytes and 40 components.
    pub root: String,
    /// Whether the service honours `If-Match` and `If-None-Match` on writes and deletes, as Amazon does. Some take the headers
    /// and ignore them; then conditions must not be offered.
    pub conditional_writes: bool,
    /// The bytes of the first parts of an upload; later ones are larger. 5 MiB to 5 GiB.
    pub part_size: u64,
    /// How many parts of one upload are on their way at once. Memory is this many parts, and one more.
    pub part_concurrency: usize,
    /// The largest file. Parts grow so that it can be reached; up to 10,000 times 5 GiB.
    pub object_bytes: u64,
    /// The largest file that is copied in one request; larger ones are copied in parts. Up to 5 GiB.
    pub copy_threshold: u64,
    /// The bytes of each part of such a copy. 5 MiB to 5 GiB.
    pub copy_part_size: u64,
    /// How many parts of one copy are on their way at once.
    pub copy_concurrency: usize,
    /// The storage class of what is written; the bucket's own where none is given.
    pub storage_class: Option<String>,
    /// The server-side encryption of what is written; the bucket's own where none is given.
    pub encryption: Option<Encryption>,
    /// Who else may read what is written; the bucket's own rules where none is given.
    pub acl: Option<Acl>,
    /// A name to add to the `User-Agent` of requests.
    pub user_agent: Option<String>,
    /// Whether to use Amazon's endpoints with IPv6.
    pub dual_stack: bool,
    /// Whether to use Amazon's accelerated endpoints.
    pub accelerate: bool,
    /// Whether to use Amazon's FIPS endpoints.
    pub fips: bool,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How many idle connections are kept for the next requests.
    pub idle_connections: usize,
}

impl S3Options {
    /// The settings for a bucket, with credentials from the environment, on Amazon.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: None,
            endpoint: None,
            url_endpoint: None,
            path_style: false,
            credentials: Credentials::Environment,
            root: String::new(),
            conditional_writes: false,
            part_size: 8 << 20,
            part_concurrency: 4,
            object_bytes: 5 << 40,
            copy_threshold: 32 << 20,
            copy_part_size: 32 << 20,
            copy_concurrency: 32,
            storage_class: None,
            encryption: None,
            acl: None,
            user_agent: None,
            dual_stack: false,
            accelerate: false,
            fips: false,
            timeouts: Timeouts::default(),
            idle_connections: 64,
        }
    }

    /// Refuses what can't work.
    pub(crate) fn validate(&self) -> Result<()> {
        let within = |name: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(refused(format!("{name} is {value}, and can be {least} to {most}")))
        };
        if self.bucket.is_empty() {
            return Err(refused("a bucket is needed"));
        }
        if self.region.is_none() && self.endpoint.is_none() {
            return Err(refused("a region or an endpoint is needed"));
        }
        for endpoint in [&self.endpoint, &self.url_endpoint].into_iter().flatten() {
            check_endpoint(endpoint)?;
        }
        within("part_size", self.part_size, MIN_PART, MAX_PART)?;
        within("part_concurrency", self.part_concurrency as u64, 1, 1000)?;
        within("object_bytes", self.object_bytes, 1, MAX_OBJECT)?;
        within("copy_threshold", self.copy_threshold, 0, MAX_PART)?;
        within("copy_part_size", self.copy_part_size, MIN_PART, MAX_PART)?;
        within("copy_concurrency", self.copy_concurrency as u64, 1, 1000)?;
        within("upload_rate", self.timeouts.upload_rate, 1, u64::MAX)
    }
}

fn check_endpoint(endpoint: &str) -> Result<()> {
    match Url::parse(endpoint) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.username().is_empty();
            if plain {
                Ok(())
            } else {
                Err(refused(format!("the endpoint {:?} has more than a host and a port", url.host_str())))
            }
        }
        _ => Err(refused("an endpoint begins with http:// or https:// and has a host")),
    }
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// What requests are signed with.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Whatever the environment has: variables, a profile, a role of the machine or the container.
    Environment,
    /// A key.
    Key {
        /// The id of the key.
        access_key: String,
        /// Its secret.
        secret_key: Secret,
        /// The token of a session that the key is for.
        session_token: Option<Secret>,
    },
}

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A server-side encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With keys that S3 manages.
    Aes256,
    /// With a key of KMS; the account's default key where none is named.
    Kms {
        /// The id of the key.
        key_id: Option<String>,
    },
}

/// A canned access control list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the list of this name in S3's reference")]
pub enum Acl {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    AwsExecRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
}

/// How long to wait for what. A wait that is over makes the call [`Unavailable`](ErrorKind::Unavailable).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the answer to a request, not counting the time that its body takes.
    pub answer: Duration,
    /// For the next piece of a body that somebody waits for. A reader that takes its time is not waited for.
    pub stall: Duration,
    /// For the answer to what makes the service move bytes: completing an upload.
    pub assembly: Duration,
    /// The bytes in a second below which an upload, or a copy, takes too long.
    pub upload_rate: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            assembly: Duration::from_secs(300),
            upload_rate: 128 << 10,
        }
    }
}

impl Timeouts {
    /// For the answer to a request that moves this many bytes.
    pub(crate) fn moving(&self, bytes: u64) -> Duration {
        self.answer.saturating_add(Duration::from_secs(bytes / self.upload_rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> S3Options {
        S3Options { region: Some("us-east-1".to_owned()), ..S3Options::new("bucket") }
    }

    #[test]
    fn the_defaults_are_valid_and_hold_memory_below_their_promise() {
        let options = options();
        options.validate().unwrap();
        assert!(options.part_size * (options.part_concurrency as u64 + 1) < 64 << 20);
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_is_opened() {
        let wrong = [
            S3Options { bucket: String::new(), ..options() },
            S3Options { region: None, ..options() },
            S3Options { endpoint: Some("minio:9000".to_owned()), ..options() },
            S3Options { endpoint: Some("http://host/path".to_owned()), ..options() },
            S3Options { part_size: MIN_PART - 1, ..options() },
            S3Options { part_concurrency: 0, ..options() },
            S3Options { object_bytes: MAX_OBJECT + 1, ..options() },
            S3Options { copy_threshold: MAX_PART + 1, ..options() },
            S3Options { copy_part_size: 1, ..options() },
        ];
        for options in wrong {
            assert_eq!(options.validate().unwrap_err().kind(), ErrorKind::InvalidArgument, "{options:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials::Key {
            access_key: "AKID".to_owned(),
            secret_key: Secret::new("hidden"),
            session_token: Some(Secret::new("hidden")),
        };
        assert!(!format!("{:?}", S3Options { credentials, ..options() }).contains("hidden"));
    }
}
