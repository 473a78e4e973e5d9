//! What an operator chooses: the account, the container, the credentials, and the numbers.

use std::fmt;
use std::time::Duration;

use driver_api::{Error, ErrorKind, Result, StoragePath, Url};

/// A text that no output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How the driver shows the service that it may use the account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// One of the two keys of the account, in base64. The only credentials with which the driver signs URLs.
    SharedKey(Secret),
    /// A shared access signature for the container or the account: the query of its URL, with or without the `?`. It needs
    /// the permissions to read, add, create, write, delete and list.
    Sas(Secret),
    /// An application of Entra ID, by its secret.
    #[cfg(feature = "entra")]
    ClientSecret {
        /// The directory (tenant) of the application.
        tenant: String,
        /// The id of the application (client).
        client: String,
        /// Its secret.
        secret: Secret,
        /// Where tokens are issued; another one than the public cloud's in a sovereign cloud.
        authority: Url,
    },
    /// Entra ID by what the machine offers: environment variables, a managed identity, or the Azure CLI.
    #[cfg(feature = "entra")]
    DefaultChain,
}

impl Credentials {
    /// What cannot work about them, seen without asking anybody. The secret is not shown.
    fn mistake(&self) -> Option<&'static str> {
        match self {
            Self::SharedKey(key) => {
                let is_key = azure_core::base64::decode(key.reveal()).is_ok_and(|key| !key.is_empty());
                (!is_key).then_some("the account key is not base64; copy it whole, with the `=` at its end")
            }
            Self::Sas(token) => {
                // The crate's error would quote the token.
                let is_signature = token.reveal().contains("sig=")
                    && azure_storage::StorageCredentials::sas_token(token.reveal()).is_ok();
                (!is_signature).then_some("the shared access signature has no `sig`")
            }
            #[cfg(feature = "entra")]
            Self::ClientSecret { authority, .. } => (!is_plain(authority))
                .then_some("the authority begins with http:// or https:// and has nothing to hide"),
            #[cfg(feature = "entra")]
            Self::DefaultChain => None,
        }
    }
}

/// The settings of an [`AzureDriver`](crate::AzureDriver).
///
/// ```
/// use driver_azure::{AzureOptions, Credentials, Secret};
/// let key = Credentials::SharedKey(Secret::new("c2VjcmV0"));
/// let mut options = AzureOptions::new("myaccount", "registry", key);
/// options.realm = "core.chinacloudapi.cn".into();
/// assert_eq!(options.endpoint()?.as_str(), "https://myaccount.blob.core.chinacloudapi.cn/");
/// # Ok::<(), driver_api::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AzureOptions {
    /// The storage account.
    pub account: String,
    /// The container. It must exist.
    pub container: String,
    /// How the driver shows that it may.
    pub credentials: Credentials,
    /// The domain of the cloud: `core.windows.net`, `core.chinacloudapi.cn`, `core.usgovcloudapi.net`.
    pub realm: String,
    /// Where the service is, if not at `https://ACCOUNT.blob.REALM`; for emulators the account is part of the path.
    pub service_url: Option<Url>,
    /// The directory of the container that is the driver's `/`; at most 100 bytes and 40 components.
    pub root: StoragePath,
    /// Whether certificates that nobody vouches for are accepted. Only for tests.
    pub accept_invalid_certificates: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the service may take to answer a request that it has, or to send the next piece of an answer. A request with
    /// a body has as much more as its bytes take at `upload_rate`.
    pub answer_timeout: Duration,
    /// The bytes in a second below which an upload takes too long.
    pub upload_rate: u64,
    /// How long the service may take to copy a blob within the account, as a move does.
    pub copy_timeout: Duration,
    /// How many idle connections are kept.
    pub idle_connections: usize,
    /// The most requests of one call in flight: deletes of a tree or a batch, and blocks of a writer as far as memory allows.
    pub concurrency: usize,
    /// The largest put that is one request, in bytes, between 64 KiB and 256 MiB. A larger one is sent in blocks, side by side.
    pub single_put: u64,
    /// The size of a writer's first blocks, in bytes, between 64 KiB and 256 MiB. A writer holds about five of them in
    /// memory; a file that is smaller is stored by one request. Blocks grow with the file.
    pub block_size: u64,
}

impl AzureOptions {
    /// The public cloud, the whole container, and numbers that suit a registry.
    pub fn new(account: impl Into<String>, container: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            account: account.into(),
            container: container.into(),
            credentials,
            realm: "core.windows.net".to_owned(),
            service_url: None,
            root: StoragePath::root(),
            accept_invalid_certificates: false,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            upload_rate: 64 * 1024,
            copy_timeout: Duration::from_secs(300),
            idle_connections: 64,
            concurrency: 16,
            single_put: 64 * 1024 * 1024,
            block_size: crate::plan::DEFAULT_BLOCK,
        }
    }

    /// Reads a connection string, as the portal shows it: `AccountName` with `AccountKey` or `SharedAccessSignature`, and
    /// `EndpointSuffix` or `BlobEndpoint`; or `UseDevelopmentStorage=true`.
    ///
    /// Errors: InvalidArgument, which names the part that is wrong or missing and never its value.
    pub fn from_connection_string(text: &str, container: impl Into<String>) -> Result<Self> {
        crate::client::connection_string(text, container.into())
    }

    /// Where the service is.
    ///
    /// Errors: InvalidArgument where account and realm make no host name.
    pub fn endpoint(&self) -> Result<Url> {
        match &self.service_url {
            Some(url) => Ok(url.clone()),
            None => Url::parse(&format!("https://{}.blob.{}", self.account, self.realm))
                .map_err(|error| invalid(format!("the account and the realm make no host name: {error}"))),
        }
    }

    /// All that cannot work: the name of the setting, and why. Nothing is asked of the service.
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        let account = &self.account;
        let in_clouds = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        // Emulators take others too.
        let elsewhere = |byte: u8| self.service_url.is_some() && (byte.is_ascii_alphanumeric() || byte == b'-');
        if account.is_empty() || !account.bytes().all(|byte| in_clouds(byte) || elsewhere(byte)) {
            mistakes
                .push(("account", "this is no name of a storage account: lower-case letters and digits".to_owned()));
        }
        if !is_container_name(&self.container) {
            let message = "this is no name of a container: 3 to 63 lower-case letters, digits and single hyphens";
            mistakes.push(("container", message.to_owned()));
        }
        match self.endpoint() {
            Ok(url) if is_plain(&url) => {}
            Ok(_) => {
                let message =
                    "the service URL begins with http:// or https:// and has no query and no user name or password";
                mistakes.push(("service_url", message.to_owned()));
            }
            Err(error) => mistakes.push(("realm", error.message().to_owned())),
        }
        if self.root.as_str().len() > 100 || self.root.components().count() > 40 {
            let message = "the root directory has more than 100 bytes or more than 40 components";
            mistakes.push(("root", message.to_owned()));
        }
        for (setting, bytes) in [("block_size", self.block_size), ("single_put", self.single_put)] {
            if !(crate::plan::LEAST_BLOCK..=crate::plan::LARGEST_FIRST_BLOCK).contains(&bytes) {
                mistakes.push((setting, format!("{bytes} bytes are not between 64 KiB and 256 MiB")));
            }
        }
        for (setting, value) in [("concurrency", self.concurrency as u64), ("upload_rate", self.upload_rate)] {
            if value == 0 {
                mistakes.push((setting, "it is at least 1".to_owned()));
            }
        }
        mistakes.extend(self.credentials.mistake().map(|why| ("credentials", why.to_owned())));
        mistakes
    }

    /// Refuses what cannot work, before anything is opened.
    pub(crate) fn check(&self) -> Result<()> {
        match self.mistakes().into_iter().next() {
            None => Ok(()),
            Some((setting, why)) => Err(invalid(format!("{setting}: {why}"))),
        }
    }
}

/// Whether a URL can be shown: a query can have a signature, and a name or a password is no way in.
fn is_plain(url: &Url) -> bool {
    let has_user = !url.username().is_empty() || url.password().is_some();
    matches!(url.scheme(), "http" | "https") && url.query().is_none() && !has_user
}

fn is_container_name(name: &str) -> bool {
    let of_the_alphabet = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(of_the_alphabet)
        && !name.contains("--")
        && !name.starts_with('-')
        && !name.ends_with('-')
}

pub(crate) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> AzureOptions {
        AzureOptions::new("account", "container", Credentials::SharedKey(Secret::new("a2V5")))
    }

    #[test]
    fn refuses_what_cannot_work_before_anything_is_opened() {
        assert!(options().check().is_ok());
        type Change = fn(&mut AzureOptions);
        let wrong: [(&str, Change); 15] = [
            ("account", |o| o.account = "My-Account".into()),
            ("container", |o| o.container = "a--b".into()),
            // Names in it have no `/`.
            ("root container", |o| o.container = "$root".into()),
            ("short container", |o| o.container = "ab".into()),
            ("scheme", |o| o.service_url = Url::parse("ftp://host/").ok()),
            ("password", |o| o.service_url = Url::parse("https://user:c2VjcmV0@host/").ok()),
            ("upload rate", |o| o.upload_rate = 0),
            ("root", |o| o.root = StoragePath::parse(&format!("/{}", "r".repeat(100))).unwrap()),
            ("deep root", |o| o.root = StoragePath::parse(&"/r".repeat(41)).unwrap()),
            ("block size", |o| o.block_size = 1),
            ("single put", |o| o.single_put = 1 << 40),
            ("concurrency", |o| o.concurrency = 0),
            ("realm", |o| o.realm = "two words".into()),
            ("key", |o| o.credentials = Credentials::SharedKey(Secret::new("c2VjcmV0!"))),
            ("signature", |o| o.credentials = Credentials::Sas(Secret::new("sv=c2VjcmV0"))),
        ];
        for (what, change) in wrong {
            let mut options = options();
            change(&mut options);
            assert_eq!(options.mistakes().len(), 1, "{what}");
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{what}");
            assert!(!format!("{error:?}").contains("c2VjcmV0"), "{error:?}");
        }
    }

    #[test]
    fn no_debug_print_shows_a_secret() {
        assert!(!format!("{:?}", options()).contains("a2V5"));
    }
}
