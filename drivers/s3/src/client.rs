//! Amazon's client, set up so that it waits no longer than it should and repeats nothing by itself.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::endpoint::{Params, ParamsBuilder};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    AppName, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use driver_api::{Error, ErrorKind, Result};

use crate::credentials;
use crate::direct::Direct;
use crate::endpoint::OneEndpoint;
use crate::options::S3Options;

/// Where no region is given: services other than Amazon's take any, and most call it this.
const DEFAULT_REGION: &str = "us-east-1";

/// How long a connection waits for its next request. Amazon closes idle ones after some 20 seconds, and a request that meets
/// the close may or may not have been done.
const IDLE: Duration = Duration::from_secs(15);

/// The client for requests, the one that signs URLs, and the driver's own requests beside them.
pub(crate) struct Clients {
    pub(crate) requests: Client,
    pub(crate) urls: Client,
    pub(crate) direct: Direct,
}

impl Clients {
    /// Makes the clients. Nothing is connected and no credentials are looked for before the first request.
    pub(crate) fn new(options: &S3Options) -> Result<Self> {
        let region = options.region.as_deref().unwrap_or(DEFAULT_REGION);
        let tls = Provider::Rustls(CryptoMode::Ring);
        // The machine's metadata service is on the machine's own link, behind no proxy.
        let metadata = aws_smithy_http_client::Builder::new().tls_provider(tls.clone()).build_https();
        let credentials = credentials::provider(&options.credentials, region, &metadata);
        let connector = connector(options, tls);
        let config = configured(options, region, credentials.clone(), connector.clone())?;
        let urls = match &options.url_endpoint {
            None => config.clone(),
            Some(endpoint) => config.clone().endpoint_url(endpoint),
        };
        let client = |config: Builder| Client::from_conf(config.endpoint_resolver(OneEndpoint::default()).build());
        let direct = Direct::new(connector, credentials, place(options, region), options.user_agent.as_deref());
        Ok(Self { requests: client(config), urls: client(urls), direct })
    }
}

/// The connections to the service: one pool of them, whoever makes the request.
fn connector(options: &S3Options, tls: Provider) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(options.timeouts.connect).build();
    let connector = Connector::builder()
        .tls_provider(tls)
        .connector_settings(settings)
        .pool_max_idle_per_host(options.idle_connections)
        .pool_idle_timeout(IDLE)
        .proxy_config(ProxyConfig::from_env())
        .build();
    SharedHttpConnector::new(connector)
}

/// Whether the environment names a proxy for requests to the service, or for some of them.
pub(crate) fn has_proxy() -> bool {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    names.into_iter().any(|name| std::env::var_os(name).is_some_and(|proxy| !proxy.is_empty()))
}

/// What Amazon's rules find the endpoint by.
fn place(options: &S3Options, region: &str) -> ParamsBuilder {
    Params::builder()
        .bucket(&options.bucket)
        .region(region)
        .set_endpoint(options.endpoint.clone())
        .force_path_style(options.path_style)
        .accelerate(options.accelerate)
        .use_dual_stack(options.dual_stack)
        .use_fips(options.fips)
}

fn configured(
    options: &S3Options,
    region: &str,
    credentials: SharedCredentialsProvider,
    connector: SharedHttpConnector,
) -> Result<Builder> {
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .force_path_style(options.path_style)
        .accelerate(options.accelerate)
        .use_dual_stack(options.dual_stack)
        .use_fips(options.fips)
        .credentials_provider(credentials)
        .http_client(http_client_fn(move |_, _| connector.clone()))
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
