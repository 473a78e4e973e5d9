//! Credentials and connection strings, in the crates' terms.

use std::sync::Arc;

use azure_core::auth::Secret as CoreSecret;
#[cfg(feature = "entra")]
use azure_core::auth::TokenCredential;
use azure_storage::{ConnectionString, EndpointProtocol, StorageCredentials};
use driver_api::{Result, Url};

use crate::client::authorization::Authorization;
#[cfg(feature = "entra")]
use crate::client::tokens::{TokenRequests, Tokens};
use crate::client::transport::Transport;
use crate::options::{AzureOptions, Credentials, Secret, invalid};

/// The account that emulators know, with its key; both are published in their documentation.
const EMULATOR_ACCOUNT: &str = azure_storage::clients::EMULATOR_ACCOUNT;
const EMULATOR_KEY: &str = azure_storage::clients::EMULATOR_ACCOUNT_KEY;
const EMULATOR_URL: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// The credentials, for the crate's requests and for our own. Tokens are asked for through `transport`.
#[cfg_attr(not(feature = "entra"), expect(unused_variables, reason = "only tokens are asked for"))]
pub(super) fn credentials(
    options: &AzureOptions,
    transport: &Arc<Transport>,
) -> Result<(StorageCredentials, Authorization)> {
    match &options.credentials {
        Credentials::SharedKey(key) => {
            let authorization = Authorization::shared_key(&options.account, key)?;
            let key = CoreSecret::new(key.reveal().to_owned());
            Ok((StorageCredentials::access_key(&options.account, key), authorization))
        }
        Credentials::Sas(token) => {
            // The crate's error would quote the token.
            let credentials = StorageCredentials::sas_token(token.reveal());
            let credentials = credentials.map_err(|_| invalid("the shared access signature can't be read"))?;
            Ok((credentials, Authorization::signature(token)))
        }
        #[cfg(feature = "entra")]
        Credentials::ClientSecret { tenant, client, secret, authority } => {
            let credential = azure_identity::ClientSecretCredential::new(
                TokenRequests::new(transport.clone()),
                authority.clone(),
                tenant.clone(),
                client.clone(),
                secret.reveal().to_owned(),
            );
            Ok(tokens(credential, transport))
        }
        #[cfg(feature = "entra")]
        Credentials::DefaultChain => {
            let client: Arc<dyn azure_core::HttpClient> = TokenRequests::new(transport.clone());
            let credential = azure_identity::DefaultAzureCredential::create(client.into())
                .map_err(|_| invalid("this machine offers no credentials of Entra ID"))?;
            Ok(tokens(credential, transport))
        }
    }
}

#[cfg(feature = "entra")]
fn tokens(credential: impl TokenCredential + 'static, transport: &Transport) -> (StorageCredentials, Authorization) {
    let tokens: Arc<dyn TokenCredential> = Arc::new(Tokens::new(credential, transport));
    (StorageCredentials::token_credential(tokens.clone()), Authorization::Token(tokens))
}

/// See [`AzureOptions::from_connection_string`].
pub(crate) fn connection_string(text: &str, container: String) -> Result<AzureOptions> {
    // The crate's errors quote the whole text.
    let parts = ConnectionString::new(text)
        .map_err(|_| invalid("the connection string is not a list of NAME=VALUE, separated by `;`"))?;
    if parts.development_storage_proxy_uri.is_some() {
        return Err(invalid(
            "DevelopmentStorageProxyUri is not supported; name the emulator's address as BlobEndpoint",
        ));
    }
    if parts.use_development_storage == Some(true) {
        let key = Credentials::SharedKey(Secret::new(EMULATOR_KEY));
        let mut options = AzureOptions::new(EMULATOR_ACCOUNT, container, key);
        options.service_url = Url::parse(EMULATOR_URL).ok();
        return Ok(options);
    }
    let endpoint = parts.blob_endpoint.map(Url::parse).transpose();
    let endpoint = endpoint.map_err(|error| invalid(format!("BlobEndpoint is no URL: {error}")))?;
    let account = parts.account_name.map(str::to_owned).or_else(|| account_of(endpoint.as_ref()?));
    let account = account.ok_or_else(|| invalid("the connection string has no AccountName"))?;
    let credentials = match (parts.account_key, parts.sas) {
        (Some(_), Some(_)) => {
            return Err(invalid("the connection string has an AccountKey and a SharedAccessSignature; leave out one"));
        }
        (Some(key), None) => Credentials::SharedKey(Secret::new(key)),
        (None, Some(sas)) => Credentials::Sas(Secret::new(sas)),
        (None, None) => return Err(invalid("the connection string has no AccountKey and no SharedAccessSignature")),
    };
    let mut options = AzureOptions::new(account, container, credentials);
    if let Some(suffix) = parts.endpoint_suffix {
        options.realm = suffix.to_owned();
    }
    options.service_url = match (endpoint, parts.default_endpoints_protocol) {
        (Some(endpoint), _) => Some(endpoint),
        (None, Some(EndpointProtocol::Http)) => {
            Url::parse(&format!("http://{}.blob.{}", options.account, options.realm)).ok()
        }
        (None, _) => None,
    };
    Ok(options)
}

/// The account in `https://ACCOUNT.blob.core.windows.net`, where more can stand in between, as in
/// `https://ACCOUNT.z01.blob.storage.azure.net`; and in an emulator's `http://127.0.0.1:10000/ACCOUNT`.
fn account_of(endpoint: &Url) -> Option<String> {
    match endpoint.domain().filter(|host| host.contains(".blob.")) {
        Some(host) => Some(host.split('.').next()?.to_owned()),
        None => endpoint.path_segments()?.next().filter(|account| !account.is_empty()).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_of_the_portal_are_understood() {
        let text =
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.chinacloudapi.cn";
        let options = connection_string(text, "container".into()).unwrap();
        assert_eq!(options.endpoint().unwrap().as_str(), "https://acc.blob.core.chinacloudapi.cn/");
        assert_eq!(options.credentials, Credentials::SharedKey(Secret::new("a2V5")));

        let text = "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=sv=2022-11-02&sig=c2ln";
        let options = connection_string(text, "container".into()).unwrap();
        assert_eq!(options.account, "acc");
        assert_eq!(options.credentials, Credentials::Sas(Secret::new("sv=2022-11-02&sig=c2ln")));

        for (endpoint, account) in [
            ("https://acc.z01.blob.storage.azure.net/", "acc"),
            ("https://acc.privatelink.blob.core.windows.net", "acc"),
            ("http://127.0.0.1:10000/emulated", "emulated"),
        ] {
            let text = format!("BlobEndpoint={endpoint};SharedAccessSignature=sv=2022-11-02&sig=c2ln");
            assert_eq!(connection_string(&text, "container".into()).unwrap().account, account);
        }

        let options = connection_string("UseDevelopmentStorage=true", "container".into()).unwrap();
        assert_eq!(options.endpoint().unwrap().as_str(), EMULATOR_URL);
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        for text in [
            "AccountKey=c2VjcmV0",
            "AccountName=a;AccountKey=c2VjcmV0;what",
            "AccountName=a;BlobEndpoint=c2VjcmV0",
            "AccountName=a;AccountKey=c2VjcmV0;SharedAccessSignature=sig=c2VjcmV0",
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://c2VjcmV0",
            "BlobEndpoint=https://c2VjcmV0.example;SharedAccessSignature=sig=c2VjcmV0",
        ] {
            let error = connection_string(text, "container".into()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("c2VjcmV0"), "{error}");
        }
    }
}
