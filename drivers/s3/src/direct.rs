//! Requests that the driver signs and sends by itself: a HEAD and a listing, of which a service has the least to do.
//!
//! Amazon's client takes as much time for a HEAD as a service on the same machine needs to answer it (docs/benchmarks.md):
//! settings are merged anew for each request, and some twenty steps look at it. Here are the client's own rules for the endpoint,
//! its signer and its connections, and nothing between them. What has a body to send or to check stays with the client.

use std::sync::LazyLock;
use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Endpoint, ParamsBuilder, ResolveEndpoint};
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use bytes::BytesMut;
use http::HeaderValue;
use tokio::sync::OnceCell;

use crate::bucket::Answer;
use crate::errors::{Failure, NO_CREDENTIALS, Told};
use crate::keys::{encoded_key, encoded_value};
use crate::xml;

/// The SHA-256 of no bytes, which a request without a body is signed with.
const SUM_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The most bytes of an answer. A thousand keys of 1024 bytes, each byte written as three, with all that is told of them, take
/// less than 5 MB.
const MAX_BODY: usize = 16 << 20;

/// How S3 wants requests to be signed: the path as it is, the sum of the body in a header of its own.
static SETTINGS: LazyLock<SigningSettings> = LazyLock::new(|| {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings
});

/// Signs requests without a body, and sends them.
pub(crate) struct Direct {
    connector: SharedHttpConnector,
    credentials: SharedCredentialsProvider,
    place: ParamsBuilder,
    found: OnceCell<Place>,
    user_agent: String,
}

/// Where the bucket is, and for whom a signature is valid there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Without a slash at its end.
    url: String,
    region: String,
    service: String,
}

impl Direct {
    /// Requests to the bucket whose endpoint is found by `place`.
    pub(crate) fn new(
        connector: SharedHttpConnector,
        credentials: SharedCredentialsProvider,
        place: ParamsBuilder,
        application: Option<&str>,
    ) -> Self {
        let application = application.map(|name| format!(" app/{name}")).unwrap_or_default();
        let user_agent = format!("driver-s3/{}{application}", env!("CARGO_PKG_VERSION"));
        Self { connector, credentials, place, found: OnceCell::new(), user_agent }
    }

    /// Asks for what is told of the object with this key, but not for its bytes.
    pub(crate) async fn head(&self, key: &str) -> Answer<HttpResponse> {
        let url = format!("{}/{}", self.place().await?.url, encoded_key(key));
        self.send("HEAD", url).await
    }

    /// Asks something of the bucket; the text of the answer.
    pub(crate) async fn query(&self, parameters: &[(&str, &str)]) -> Answer<String> {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded_value(value))).collect();
        let url = format!("{}/?{}", self.place().await?.url, parameters.join("&"));
        text_of(self.send("GET", url).await?).await
    }

    async fn place(&self) -> Answer<&Place> {
        self.found.get_or_try_init(|| find(self.place.clone())).await
    }

    /// A good answer; its body is still to come.
    async fn send(&self, method: &'static str, url: String) -> Answer<HttpResponse> {
        let mut request = self.signed(method, url).await?;
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| Failure::of(SdkError::<HeadObjectError>::dispatch_failure(error)))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        // Behind one address stand many servers; the next request is to meet another one than that which failed.
        if answer.status().is_server_error()
            && let Some(connection) = connection.get()
        {
            connection.poison();
        }
        Err(refusal(answer).await)
    }

    async fn signed(&self, method: &'static str, url: String) -> Answer<HttpRequest> {
        let place = self.place().await?;
        let credentials = self.credentials.provide_credentials().await;
        let identity = credentials.map_err(|error| Failure::unsent(NO_CREDENTIALS, &error))?.into();
        let not_signed = |error: &(dyn std::error::Error + 'static)| Failure::unsent("it can't be signed", error);
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&place.region)
            .name(&place.service)
            .time(SystemTime::now())
            .settings(SETTINGS.clone())
            .build()
            .map_err(|error| not_signed(&error))?;
        let body = SignableBody::Precomputed(SUM_OF_NOTHING.to_owned());
        let signable =
            SignableRequest::new(method, &url, std::iter::empty(), body).map_err(|error| not_signed(&error))?;
        let signature = sign(signable, &parameters.into()).map_err(|error| not_signed(&error))?;
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method(method).map_err(|error| not_signed(&error))?;
        request.set_uri(url).map_err(|error| not_signed(&error))?;
        let (headers, _) = signature.into_parts().0.into_parts();
        let headers = headers.iter().map(|header| (header.name(), header.value(), header.sensitive()));
        for (name, value, is_sensitive) in headers.chain([("user-agent", self.user_agent.as_str(), false)]) {
            let mut value = HeaderValue::from_str(value).map_err(|error| not_signed(&error))?;
            value.set_sensitive(is_sensitive);
            request.headers_mut().try_insert(name, value).map_err(|error| not_signed(&error))?;
        }
        Ok(request)
    }
}

/// Finds the endpoint by Amazon's rules.
async fn find(place: ParamsBuilder) -> Answer<Place> {
    let not_found = |error: &(dyn std::error::Error + 'static)| Failure::unsent("there is no endpoint", error);
    let params = place.build().map_err(|error| not_found(&error))?;
    let endpoint = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).await;
    let endpoint = endpoint.map_err(|error| not_found(error.as_ref()))?;
    place_of(&endpoint).ok_or_else(|| Failure::unsendable("the bucket wants signatures of a kind that the driver has not"))
}

/// None where the endpoint takes signatures of another kind.
fn place_of(endpoint: &Endpoint) -> Option<Place> {
    let scheme = endpoint.auth_schemes().iter().find(|scheme| scheme.name() == "sigv4")?;
    let text = |property: &str| scheme.get(property).and_then(|value| value.as_string()).map(str::to_owned);
    Some(Place {
        url: endpoint.url().trim_end_matches('/').to_owned(),
        region: text("signingRegion")?,
        service: text("signingName")?,
    })
}

/// What the service did not do, by its code where it tells one.
async fn refusal(answer: HttpResponse) -> Failure {
    let status = answer.status().as_u16();
    let request_id = answer.request_id().map(str::to_owned);
    let told = match text_of(answer).await {
        Ok(text) => xml::error(&text),
        // The status says enough to go on with.
        Err(_) => Told::default(),
    };
    Failure::refused(status, told, request_id)
}

/// The whole body of an answer.
async fn text_of(answer: HttpResponse) -> Answer<String> {
    let mut body = ByteStream::new(answer.into_body());
    let mut text = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Failure::broken(&error))?;
        if text.len() + piece.len() > MAX_BODY {
            return Err(Failure::misunderstood());
        }
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text.into()).map_err(|_| Failure::misunderstood())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::S3Options;

    /// The URL of a HEAD as Amazon's client makes it, without what signs it.
    async fn of_client(options: &S3Options, key: &str) -> String {
        let clients = crate::client::Clients::new(options).unwrap();
        let hour = aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(3600)).unwrap();
        let request = clients.requests.head_object().bucket(&options.bucket).key(key);
        let signed = request.presigned(hour).await.unwrap();
        let (url, query) = signed.uri().split_once('?').unwrap();
        let scope = query.split('&').find(|pair| pair.starts_with("X-Amz-Credential")).unwrap();
        let scope: Vec<_> = scope.split("%2F").skip(2).take(2).collect();
        format!("{url} {}", scope.join(" "))
    }

    async fn ours(options: &S3Options, key: &str) -> String {
        let clients = crate::client::Clients::new(options).unwrap();
        let place = clients.direct.place().await.unwrap();
        let request = clients.direct.signed("HEAD", format!("{}/{}", place.url, encoded_key(key))).await.unwrap();
        let signed = request.headers().get("authorization").unwrap();
        let scope: Vec<_> = signed.split('/').skip(2).take(2).collect();
        format!("{} {}", request.uri(), scope.join(" "))
    }

    #[tokio::test]
    async fn requests_go_where_the_client_sends_them() {
        let key = |bucket: &str| S3Options {
            region: Some("eu-west-1".to_owned()),
            credentials: crate::options::Credentials::Key {
                access_key: "key".to_owned(),
                secret_key: crate::options::Secret::new("secret"),
                session_token: None,
            },
            ..S3Options::new(bucket)
        };
        let at = |endpoint: &str, path_style| S3Options {
            endpoint: Some(endpoint.to_owned()),
            path_style,
            ..key("plain")
        };
        let settings = [
            key("plain"),
            key("with.dots"),
            at("http://127.0.0.1:3900", true),
            at("https://storage.example:8443/", false),
            at("https://storage.example/below/", true),
            S3Options { accelerate: true, dual_stack: true, ..key("plain") },
            S3Options { fips: true, ..key("plain") },
            key("arn:aws:s3:eu-west-1:123456789012:accesspoint:mine"),
            S3Options { region: None, ..at("http://127.0.0.1:3900", true) },
        ];
        for options in settings {
            for key in ["a", "b/c", "~/a b%/ü+~", "a*'(!)&=?#"] {
                assert_eq!(ours(&options, key).await, of_client(&options, key).await, "{key} of {options:?}");
            }
        }
    }

    #[tokio::test]
    async fn another_kind_of_signature_is_refused() {
        let options = S3Options {
            region: Some("us-east-1".to_owned()),
            ..S3Options::new("arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap")
        };
        let clients = crate::client::Clients::new(&options).unwrap();
        assert!(clients.direct.head("a").await.unwrap_err().was_never_sent());
    }
}
