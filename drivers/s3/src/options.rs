//! The settings of the driver.

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::AppName;
use driver_api::{Error, ErrorKind, Result, Url};

use crate::keys::Keys;
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
    /// How many parts of one upload are on their way at once while they have `part_size`; of longer ones as many as have no
    /// more bytes together, and at least one. Memory is these, and one part more.
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

    /// All that can't work: the name of the setting, and why. Nothing is asked of the service.
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        if self.bucket.is_empty() {
            mistakes.push(("bucket", "a bucket is needed".to_owned()));
        }
        // The end of the names of directory buckets, by S3's rules for names; no other bucket may have it.
        if self.bucket.ends_with("--x-s3") {
            let message =
                "a directory bucket lists in no order, which this driver can't use: choose a general purpose bucket";
            mistakes.push(("bucket", message.to_owned()));
        }
        if self.region.is_none() && self.endpoint.is_none() {
            mistakes.push(("region", "a region is needed where there is no endpoint".to_owned()));
        }
        for (setting, endpoint) in [("endpoint", &self.endpoint), ("url_endpoint", &self.url_endpoint)] {
            mistakes.extend(endpoint.as_deref().and_then(wrong_endpoint).map(|why| (setting, why.to_owned())));
        }
        if let Err(error) = Keys::new(&self.root) {
            mistakes.push(("root", error.message().to_owned()));
        }
        if self.user_agent.as_ref().is_some_and(|name| AppName::new(name.clone()).is_err()) {
            let message = "the name has letters, digits and the characters of a token of HTTP, and no space";
            mistakes.push(("user_agent", message.to_owned()));
        }
        let numbers = [
            ("part_size", self.part_size, MIN_PART, MAX_PART),
            ("part_concurrency", self.part_concurrency as u64, 1, 1000),
            ("object_bytes", self.object_bytes, 1, MAX_OBJECT),
            ("copy_threshold", self.copy_threshold, 0, MAX_PART),
            ("copy_part_size", self.copy_part_size, MIN_PART, MAX_PART),
            ("copy_concurrency", self.copy_concurrency as u64, 1, 1000),
            ("upload_rate", self.timeouts.upload_rate, 1, u64::MAX),
        ];
        let outside = numbers.into_iter().filter(|(_, value, least, most)| !(least..=most).contains(&value));
        mistakes.extend(
            outside
                .map(|(setting, value, least, most)| (setting, format!("{value} is not between {least} and {most}"))),
        );
        mistakes
    }

    /// Refuses what can't work.
    pub(crate) fn validate(&self) -> Result<()> {
        match self.mistakes().into_iter().next() {
            None => Ok(()),
            Some((setting, why)) => Err(Error::new(ErrorKind::InvalidArgument, format!("{setting}: {why}"))),
        }
    }
}

/// What is wrong with an endpoint. It is not shown: there may be a password in it.
fn wrong_endpoint(endpoint: &str) -> Option<&'static str> {
    match Url::parse(endpoint) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            let is_plain = matches!(url.path(), "" | "/")
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none();
            (!is_plain).then_some("an endpoint has a host and a port, and nothing behind it")
        }
        _ => Some("an endpoint begins with http:// or https:// and has a host"),
    }
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
            S3Options { bucket: "fast--use1-az4--x-s3".to_owned(), ..options() },
            S3Options { region: None, ..options() },
            S3Options { endpoint: Some("minio:9000".to_owned()), ..options() },
            S3Options { endpoint: Some("http://host/path".to_owned()), ..options() },
            S3Options { part_size: MIN_PART - 1, ..options() },
            S3Options { part_concurrency: 0, ..options() },
            S3Options { object_bytes: MAX_OBJECT + 1, ..options() },
            S3Options { copy_threshold: MAX_PART + 1, ..options() },
            S3Options { copy_part_size: 1, ..options() },
            S3Options { root: "a//b".to_owned(), ..options() },
            S3Options { user_agent: Some("two words".to_owned()), ..options() },
        ];
        for options in wrong {
            assert_eq!(options.mistakes().len(), 1, "{options:?}");
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
