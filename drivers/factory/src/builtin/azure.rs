//! `azure`.

use driver_api::{Result, Storage, StoragePath, Url};
use driver_azure::{AzureDriver, AzureOptions, Credentials, Secret};
use serde::Deserialize;

use super::service::{default_layers, given, given_secret, set, set_time, tell};
use crate::opened::Opened;
use crate::registration::{Registration, Remarks};
use crate::values::{ByteSize, ReadableDuration, SecretText};

pub(super) fn registration() -> Registration {
    Registration::validated("azure", options, open).default_layers(default_layers())
}

/// Parameters of `azure`. What is not given is as [`AzureOptions`] has it.
#[derive(Deserialize)]
struct Parameters {
    container: String,
    accountname: Option<String>,
    accountkey: Option<SecretText>,
    credentials: Option<CredentialsKeys>,
    connectionstring: Option<SecretText>,
    realm: Option<String>,
    serviceurl: Option<String>,
    #[serde(default)]
    rootdirectory: String,
    #[serde(default)]
    skipverify: bool,
    #[serde(default, rename = "max_retries")]
    _max_retries: Option<i64>,
    #[serde(default, rename = "retry_delay")]
    _retry_delay: Option<ReadableDuration>,
    connecttimeout: Option<ReadableDuration>,
    answertimeout: Option<ReadableDuration>,
    uploadrate: Option<ByteSize>,
    copytimeout: Option<ReadableDuration>,
    idleconnections: Option<u16>,
    concurrency: Option<u16>,
    singleput: Option<ByteSize>,
    blocksize: Option<ByteSize>,
}

#[derive(Deserialize)]
#[cfg_attr(not(feature = "azure-entra"), expect(dead_code, reason = "keys that are known can be told from slips"))]
struct CredentialsKeys {
    r#type: Kind,
    clientid: Option<String>,
    tenantid: Option<String>,
    secret: Option<SecretText>,
    sas: Option<SecretText>,
    authority: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    SharedKey,
    Sas,
    ClientSecret,
    DefaultCredentials,
}

impl Kind {
    /// Its name, and the keys of `credentials` that go with it.
    fn keys(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::SharedKey => ("shared_key", &[]),
            Self::Sas => ("sas", &["sas"]),
            Self::ClientSecret => ("client_secret", &["clientid", "tenantid", "secret", "authority"]),
            Self::DefaultCredentials => ("default_credentials", &[]),
        }
    }
}

/// The keys that stand for the driver's settings, but for credentials, which have one each.
const KEYS: &[(&str, &str)] = &[
    ("account", "accountname"),
    ("container", "container"),
    ("realm", "realm"),
    ("service_url", "serviceurl"),
    ("root", "rootdirectory"),
    ("concurrency", "concurrency"),
    ("block_size", "blocksize"),
    ("upload_rate", "uploadrate"),
    ("single_put", "singleput"),
];

fn options(mut parameters: Parameters, remarks: &mut Remarks<'_>) -> Option<AzureOptions> {
    let (mut options, secret_key) = match given_secret(parameters.connectionstring.take()) {
        Some(text) => (from_connection_string(&text, &mut parameters, remarks)?, "connectionstring"),
        None => from_keys(&mut parameters, remarks)?,
    };
    match StoragePath::parse(&format!("/{}", parameters.rootdirectory.trim_matches('/'))) {
        Ok(root) => options.root = root,
        Err(error) => remarks.mistake("rootdirectory", error.to_string()),
    }
    options.accept_invalid_certificates = parameters.skipverify;
    set(&mut options.idle_connections, parameters.idleconnections);
    set(&mut options.concurrency, parameters.concurrency);
    set(&mut options.block_size, parameters.blocksize);
    set(&mut options.upload_rate, parameters.uploadrate);
    set(&mut options.single_put, parameters.singleput);
    set_time(&mut options.connect_timeout, "connecttimeout", parameters.connecttimeout, remarks);
    set_time(&mut options.answer_timeout, "answertimeout", parameters.answertimeout, remarks);
    set_time(&mut options.copy_timeout, "copytimeout", parameters.copytimeout, remarks);
    let keys: Vec<_> = KEYS.iter().copied().chain([("credentials", secret_key)]).collect();
    tell(options.mistakes(), &keys, remarks);
    Some(options)
}

/// A connection string says all that the other keys say of account, service and credentials.
fn from_connection_string(text: &str, parameters: &mut Parameters, remarks: &mut Remarks<'_>) -> Option<AzureOptions> {
    for key in ["accountkey", "credentials", "realm", "serviceurl"] {
        if remarks.has(key) {
            remarks.mistake(key, "contradicts `connectionstring`, which says it as well: keep one of them");
        }
    }
    match AzureOptions::from_connection_string(text, std::mem::take(&mut parameters.container)) {
        Ok(options) => {
            if given(parameters.accountname.take()).is_some_and(|name| name != options.account) {
                remarks.mistake("accountname", "contradicts `connectionstring`, which has another account");
            }
            Some(options)
        }
        Err(error) => {
            remarks.mistake("connectionstring", error.message());
            None
        }
    }
}

/// The settings without a connection string, and the key with the secret.
fn from_keys(parameters: &mut Parameters, remarks: &mut Remarks<'_>) -> Option<(AzureOptions, &'static str)> {
    let account = given(parameters.accountname.take());
    if account.is_none() {
        remarks.mistake("accountname", "the key is missing, and there is no `connectionstring`");
    }
    let account_key = given_secret(parameters.accountkey.take());
    let credentials = credentials(account_key, parameters.credentials.take(), remarks);
    let service_url = url("serviceurl", parameters.serviceurl.take(), remarks);
    if service_url.is_some() && remarks.has("realm") {
        remarks.mistake("realm", "contradicts `serviceurl`, which says it as well: keep one of them");
    }
    let (credentials, secret_key) = credentials?;
    let mut options = AzureOptions::new(account?, std::mem::take(&mut parameters.container), credentials);
    options.service_url = service_url;
    set(&mut options.realm, given(parameters.realm.take()));
    Some((options, secret_key))
}

fn credentials(
    account_key: Option<String>,
    keys: Option<CredentialsKeys>,
    remarks: &mut Remarks<'_>,
) -> Option<(Credentials, &'static str)> {
    let kind = keys.as_ref().map_or(Kind::SharedKey, |keys| keys.r#type);
    let (name, own) = kind.keys();
    for key in ["clientid", "tenantid", "secret", "sas", "authority"] {
        let path = format!("credentials.{key}");
        if !own.contains(&key) && remarks.has(&path) {
            remarks.mistake(&path, format!("contradicts the type `{name}`, which has no such key"));
        }
    }
    if kind != Kind::SharedKey && account_key.is_some() {
        remarks.mistake("accountkey", format!("contradicts the type `{name}` of `credentials`: keep one of them"));
    }
    match (kind, keys) {
        (Kind::SharedKey, _) => match account_key {
            Some(key) => Some((Credentials::SharedKey(Secret::new(key)), "accountkey")),
            None => {
                remarks.mistake("accountkey", "the key is missing; `credentials` can have another type");
                None
            }
        },
        (Kind::Sas, keys) => {
            let sas = given_secret(keys?.sas);
            if sas.is_none() {
                remarks.mistake("credentials.sas", "the key is missing");
            }
            Some((Credentials::Sas(Secret::new(sas?)), "credentials.sas"))
        }
        (Kind::ClientSecret | Kind::DefaultCredentials, keys) => {
            Some((entra::credentials(kind, keys?, remarks)?, "credentials"))
        }
    }
}

/// A key whose value is a URL. The value is not shown: there may be a signature in it.
fn url(key: &str, text: Option<String>, remarks: &mut Remarks<'_>) -> Option<Url> {
    let parsed = Url::parse(&given(text)?);
    parsed.map_err(|error| remarks.mistake(key, format!("this is no URL: {error}"))).ok()
}

#[cfg(feature = "azure-entra")]
mod entra {
    use driver_azure::{Credentials, Secret};

    use super::{CredentialsKeys, Kind, Remarks, given, url};

    /// Where tokens for the public cloud are issued.
    const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com/";

    pub(super) fn credentials(kind: Kind, keys: CredentialsKeys, remarks: &mut Remarks<'_>) -> Option<Credentials> {
        if kind == Kind::DefaultCredentials {
            return Some(Credentials::DefaultChain);
        }
        let mut needed = |key: &str, text: Option<String>| {
            let text = given(text);
            if text.is_none() {
                remarks.mistake(&format!("credentials.{key}"), "the key is missing");
            }
            text
        };
        let tenant = needed("tenantid", keys.tenantid);
        let client = needed("clientid", keys.clientid);
        let secret = needed("secret", keys.secret.map(super::SecretText::reveal)).map(Secret::new);
        let authority = given(keys.authority).unwrap_or_else(|| PUBLIC_AUTHORITY.to_owned());
        let authority = url("credentials.authority", Some(authority), remarks);
        Some(Credentials::ClientSecret { tenant: tenant?, client: client?, secret: secret?, authority: authority? })
    }
}

#[cfg(not(feature = "azure-entra"))]
mod entra {
    use driver_azure::Credentials;

    use super::{CredentialsKeys, Kind, Remarks};

    pub(super) fn credentials(kind: Kind, _: CredentialsKeys, remarks: &mut Remarks<'_>) -> Option<Credentials> {
        let (name, _) = kind.keys();
        let message = format!("the type `{name}` is not built in: it needs the feature `azure-entra`");
        remarks.mistake("credentials.type", message);
        None
    }
}

async fn open(options: AzureOptions) -> Result<Opened> {
    let driver = AzureDriver::new(&options)?;
    let checking = driver.clone();
    Ok(Opened::new(Storage::new(driver)).with_check(move |context| {
        let driver = checking.clone();
        async move { driver.check_connection(&context).await }
    }))
}
