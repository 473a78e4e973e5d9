//! Amazon's client, set up so that it waits no longer than it should and repeats nothing by itself.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    AppName, Builder, Credentials as StaticCredentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use driver_api::{Error, ErrorKind, Result};

use crate::endpoint::OneEndpoint;
use crate::options::{Credentials, S3Options};

/// Where no region is given: services other than Amazon's take any, and most call it this.
const DEFAULT_REGION: &str = "us-east-1";

/// How long a connection waits for its next request. Amazon closes idle ones after some 20 seconds, and a request that meets
/// the close may or may not have been done.
const IDLE: Duration = Duration::from_secs(15);

/// The client for requests, and the one that signs URLs.
pub(crate) struct Clients {
    pub(crate) requests: Client,
    pub(crate) urls: Client,
}

impl Clients {
    /// Makes the clients. Nothing is connected and no credentials are looked for before the first request.
    pub(crate) fn new(options: &S3Options) -> Result<Self> {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .pool_max_idle_per_host(options.idle_connections)
            .pool_idle_timeout(IDLE)
            .build_https();
        let config = configured(options, http)?;
        let urls = match &options.url_endpoint {
            None => config.clone(),
            Some(endpoint) => config.clone().endpoint_url(endpoint),
        };
        let client = |config: Builder| Client::from_conf(config.endpoint_resolver(OneEndpoint::default()).build());
        Ok(Self { requests: client(config), urls: client(urls) })
    }
}

fn configured(options: &S3Options, http: SharedHttpClient) -> Result<Builder> {
    let region = options.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.clone()))
        .force_path_style(options.path_style)
        .accelerate(options.accelerate)
        .use_dual_stack(options.dual_stack)
        .use_fips(options.fips)
        .credentials_provider(credentials(&options.credentials, region, &http))
        .http_client(http)
        // The layer above repeats, and nobody else does.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(options.timeouts.connect).build())
        // The client's own protection takes a slow consumer for a slow service; bodies are watched where they are read.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // Checksums that nobody asked for, and their trailers over plain HTTP, are refused by several services.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(endpoint) = &options.endpoint {
        config = config.endpoint_url(endpoint);
    }
    if let Some(name) = &options.user_agent {
        let name = AppName::new(name.clone())
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, format!("the user agent {name:?}: {error}")))?;
        config = config.app_name(name);
    }
    Ok(config)
}

fn credentials(credentials: &Credentials, region: String, http: &SharedHttpClient) -> SharedCredentialsProvider {
    match credentials {
        Credentials::Key { access_key, secret_key, session_token } => {
            let token = session_token.as_ref().map(|token| token.reveal().to_owned());
            let key = StaticCredentials::new(access_key, secret_key.reveal(), token, None, "configuration");
            SharedCredentialsProvider::new(key)
        }
        Credentials::Environment => SharedCredentialsProvider::new(environment::Chain::new(region, http.clone())),
    }
}

mod environment {
    //! The chain of places where credentials can be, put together at its first use: making it may ask the machine's metadata
    //! service, and nothing is asked before the first request.

    use aws_config::default_provider::credentials::DefaultCredentialsChain;
    use aws_config::provider_config::ProviderConfig;
    use aws_sdk_s3::config::{ProvideCredentials, Region, SharedHttpClient};
    use tokio::sync::OnceCell;

    #[derive(Debug)]
    pub(super) struct Chain {
        region: String,
        http: SharedHttpClient,
        chain: OnceCell<DefaultCredentialsChain>,
    }

    impl Chain {
        pub(super) fn new(region: String, http: SharedHttpClient) -> Self {
            Self { region, http, chain: OnceCell::new() }
        }
    }

    impl ProvideCredentials for Chain {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            aws_credential_types::provider::future::ProvideCredentials::new(async move {
                let chain = self.chain.get_or_init(|| async {
                    let region = Region::new(self.region.clone());
                    let config = ProviderConfig::default().with_http_client(self.http.clone());
                    DefaultCredentialsChain::builder().configure(config).region(region).build().await
                });
                chain.await.provide_credentials().await
            })
        }
    }
}
