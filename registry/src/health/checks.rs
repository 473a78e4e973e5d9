//! What can be checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use driver_api::{Context, ErrorKind, Storage, StoragePath};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tokio::net::TcpStream;
use url::Url;

use super::options::{HealthOptions, HttpCheck, TcpCheck, interval, timeout};

/// Something that is checked again and again.
#[derive(Debug)]
pub(super) struct Check {
    /// What it is called in reports.
    pub(super) name: String,
    pub(super) what: What,
    pub(super) interval: Duration,
    /// How long it may take.
    pub(super) timeout: Duration,
    /// After how many failures in a row it fails; never 0.
    pub(super) threshold: u32,
}

#[derive(Debug)]
pub(super) enum What {
    Storage(Storage),
    /// The file is not there.
    File(PathBuf),
    Http(Box<Asked>),
    Tcp(String),
    #[cfg(test)]
    Scripted(tests::Script),
}

/// What another server is asked, and what it should answer.
pub(super) struct Asked {
    client: Client,
    url: Url,
    headers: HeaderMap,
    status: StatusCode,
}

/// Headers and addresses have secrets in them.
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Asked {
    async fn send(&self) -> reqwest::Result<StatusCode> {
        Ok(self.client.head(self.url.clone()).headers(self.headers.clone()).send().await?.status())
    }
}

pub(super) fn from_options(options: &HealthOptions, storage: Option<(&str, Storage)>) -> Result<Vec<Check>, String> {
    let mut checks = Vec::new();
    if options.storagedriver.enabled
        && let Some((driver, storage)) = storage
    {
        let interval = interval(options.storagedriver.interval);
        checks.push(Check {
            name: format!("storagedriver_{driver}"),
            what: What::Storage(storage),
            interval,
            // One that does not answer at all is failing as well.
            timeout: interval.max(Duration::from_secs(10)),
            threshold: options.storagedriver.threshold.max(1),
        });
    }
    for check in &options.file {
        checks.push(Check {
            name: check.file.display().to_string(),
            what: What::File(check.file.clone()),
            interval: interval(check.interval),
            timeout: timeout(None),
            threshold: 1,
        });
    }
    for check in &options.http {
        checks.push(Check::http(check)?);
    }
    checks.extend(options.tcp.iter().map(Check::tcp));
    Ok(checks)
}

impl Check {
    fn http(options: &HttpCheck) -> Result<Self, String> {
        let url =
            Url::parse(&options.uri).map_err(|error| format!("the address of a health check is none: {error}"))?;
        let code = options.statuscode.filter(|code| *code != 0).unwrap_or(200);
        let status = StatusCode::from_u16(code).map_err(|_| format!("{code} is no status"))?;
        let mut headers = HeaderMap::new();
        for (name, values) in &options.headers {
            for value in values {
                let unfit = || format!("the header {name:?} of a health check cannot be sent, or not with that value");
                let header = HeaderName::try_from(name.as_str()).map_err(|_| unfit())?;
                let mut value = HeaderValue::try_from(value.clone().reveal()).map_err(|_| unfit())?;
                value.set_sensitive(true);
                headers.append(header, value);
            }
        }
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(timeout(options.timeout))
            .build()
            .map_err(|error| format!("health checks over HTTP cannot be made: {error}"))?;
        let mut shown = url.clone();
        // What has no host has no password either.
        let _ = shown.set_username("").and_then(|()| shown.set_password(None));
        shown.set_query(None);
        Ok(Self {
            name: shown.into(),
            what: What::Http(Box::new(Asked { client, url, headers, status })),
            interval: interval(options.interval),
            timeout: timeout(options.timeout),
            threshold: options.threshold.max(1),
        })
    }

    fn tcp(options: &TcpCheck) -> Self {
        Self {
            name: options.addr.clone(),
            what: What::Tcp(options.addr.clone()),
            interval: interval(options.interval),
            timeout: timeout(options.timeout),
            threshold: options.threshold.max(1),
        }
    }

    pub(super) const fn is_of_storage(&self) -> bool {
        matches!(self.what, What::Storage(_))
    }

    /// Checks once.
    pub(super) async fn run(&self) -> Result<(), String> {
        match tokio::time::timeout(self.timeout, self.what.run()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("there was no answer within {} s", self.timeout.as_secs_f64())),
        }
    }
}

impl What {
    async fn run(&self) -> Result<(), String> {
        match self {
            Self::Storage(storage) => match storage.stat(&Context::background(), &StoragePath::root()).await {
                Ok(_) => Ok(()),
                // It answered: nothing has been stored yet.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            Self::File(path) => match tokio::fs::symlink_metadata(path).await {
                Ok(_) => Err("file exists".to_owned()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            Self::Http(asked) => match asked.send().await {
                Ok(status) if status == asked.status => Ok(()),
                Ok(status) => Err(format!("the answer was {status} and not {}", asked.status)),
                Err(error) if error.is_timeout() => Err("there was no answer in time".to_owned()),
                Err(error) => Err(error.without_url().to_string()),
            },
            Self::Tcp(address) => match TcpStream::connect(address).await {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            #[cfg(test)]
            Self::Scripted(script) => script(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    pub(in crate::health) type Script = fn() -> Result<(), String>;
}
