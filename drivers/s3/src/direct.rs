//! Requests that the driver signs and sends by itself: a HEAD, a listing and a put, which are asked most.
//!
//! Amazon's client takes as much time for a HEAD as a service on the same machine needs to answer it (docs/benchmarks.md):
//! settings are merged anew for each request, and some twenty steps look at it. Here are the client's own rules for the endpoint,
//! its signer and its connections, and nothing between them.

use std::borrow::Cow;
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

/// Signs requests, and sends them.
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
        self.send("HEAD", self.url_of(key).await?, &[], SdkBody::empty()).await
    }

    /// Stores an object, of which `headers` tell what is to be told of it.
    pub(crate) async fn put(
        &self,
        key: &str,
        headers: &[(Cow<'static, str>, String)],
        body: SdkBody,
    ) -> Answer<HttpResponse> {
        self.send("PUT", self.url_of(key).await?, headers, body).await
    }

    /// Asks something of the bucket; the text of the answer.
    pub(crate) async fn query(&self, parameters: &[(&str, &str)]) -> Answer<String> {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded_value(value))).collect();
        let url = format!("{}/?{}", self.place().await?.url, parameters.join("&"));
        text_of(self.send("GET", url, &[], SdkBody::empty()).await?).await
    }

    async fn place(&self) -> Answer<&Place> {
        self.found.get_or_try_init(|| find(self.place.clone())).await
    }

    async fn url_of(&self, key: &str) -> Answer<String> {
        Ok(format!("{}/{}", self.place().await?.url, encoded_key(key)))
    }

    /// A good answer; its body is still to come.
    async fn send(
        &self,
        method: &'static str,
        url: String,
        headers: &[(Cow<'static, str>, String)],
        body: SdkBody,
    ) -> Answer<HttpResponse> {
        let mut request = self.signed(method, url, headers, body).await?;
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

    /// The request with its signature. The bytes of a body are signed where they are in one piece, as the client has it.
    async fn signed(
        &self,
        method: &'static str,
        url: String,
        headers: &[(Cow<'static, str>, String)],
        body: SdkBody,
    ) -> Answer<HttpRequest> {
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
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
        let bytes = body.bytes().map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
        let signable = SignableRequest::new(method, &url, headers.iter().copied(), bytes);
        let signature = signable.and_then(|signable| sign(signable, &parameters.into()));
        let (of_signature, _) = signature.map_err(|error| not_signed(&error))?.into_parts().0.into_parts();
        let mut request = HttpRequest::new(body);
        request.set_method(method).map_err(|error| not_signed(&error))?;
        request.set_uri(url).map_err(|error| not_signed(&error))?;
        let of_signature = of_signature.iter().map(|header| (header.name(), header.value(), header.sensitive()));
        let others = headers.into_iter().chain([("user-agent", self.user_agent.as_str())]);
        for (name, value, is_sensitive) in of_signature.chain(others.map(|(name, value)| (name, value, false))) {
            let mut value = HeaderValue::from_str(value).map_err(|error| not_signed(&error))?;
            value.set_sensitive(is_sensitive);
            request.headers_mut().try_insert(name.to_owned(), value).map_err(|error| not_signed(&error))?;
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
    place_of(&endpoint)
        .ok_or_else(|| Failure::unsendable("the bucket wants signatures of a kind that the driver has not"))
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
    use std::time::Duration;

    use aws_sdk_s3::presigning::PresigningConfig;
    use driver_api::ErrorKind;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::S3Driver;
    use crate::client::Clients;
    use crate::options::{Credentials, S3Options, Secret};

    fn options(bucket: &str) -> S3Options {
        let credentials = Credentials::Key {
            access_key: "key".to_owned(),
            secret_key: Secret::new("secret"),
            session_token: Some(Secret::new("token")),
        };
        S3Options { region: Some("eu-west-1".to_owned()), credentials, ..S3Options::new(bucket) }
    }

    fn at(endpoint: &str, path_style: bool) -> S3Options {
        S3Options { endpoint: Some(endpoint.to_owned()), path_style, ..options("plain") }
    }

    /// The URL of a HEAD as Amazon's client makes it, and for which region and service it is signed.
    async fn as_client_has_it(options: &S3Options, key: &str) -> String {
        let clients = Clients::new(options).unwrap();
        let request = clients.requests.head_object().bucket(&options.bucket).key(key);
        let signed = request.presigned(PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()).await.unwrap();
        let (url, query) = signed.uri().split_once('?').unwrap();
        let scope = query.split('&').find(|pair| pair.starts_with("X-Amz-Credential")).unwrap();
        let scope: Vec<_> = scope.split("%2F").skip(2).take(2).collect();
        format!("{url} {}", scope.join(" "))
    }

    async fn as_we_have_it(options: &S3Options, key: &str) -> String {
        let direct = Clients::new(options).unwrap().direct;
        let url = direct.url_of(key).await.unwrap();
        let request = direct.signed("HEAD", url, &[], SdkBody::empty()).await.unwrap();
        let scope: Vec<_> = request.headers().get("authorization").unwrap().split('/').skip(2).take(2).collect();
        format!("{} {}", request.uri(), scope.join(" "))
    }

    #[tokio::test]
    async fn requests_go_where_the_client_sends_them() {
        let settings = [
            options("plain"),
            options("with.dots"),
            at("http://127.0.0.1:3900", true),
            at("https://storage.example:8443/", false),
            at("https://storage.example/below/", true),
            S3Options { accelerate: true, dual_stack: true, ..options("plain") },
            S3Options { fips: true, ..options("plain") },
            options("arn:aws:s3:eu-west-1:123456789012:accesspoint:mine"),
            S3Options { region: None, ..at("http://127.0.0.1:3900", true) },
        ];
        for options in settings {
            for key in ["a", "b/c", "~/a b%/\u{fc}+~", "a*'(!)&=?#"] {
                assert_eq!(as_we_have_it(&options, key).await, as_client_has_it(&options, key).await, "{options:?}");
            }
        }
    }

    #[tokio::test]
    async fn requests_tell_who_asks() {
        let options = S3Options { user_agent: Some("mine".to_owned()), ..options("plain") };
        let direct = Clients::new(&options).unwrap().direct;
        let headers = [(Cow::Borrowed("x-amz-acl"), "private".to_owned())];
        let request = direct.signed("PUT", "http://a/b".to_owned(), &headers, SdkBody::from("abc")).await.unwrap();
        let header = |name: &str| request.headers().get(name).unwrap().to_owned();
        assert!(header("user-agent").starts_with("driver-s3/") && header("user-agent").ends_with(" app/mine"));
        assert_eq!(header("x-amz-security-token"), "token");
        assert_eq!(header("x-amz-acl"), "private");
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(header("x-amz-content-sha256"), sum);
        let signed = "SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token,";
        assert!(header("authorization").contains(signed), "{}", header("authorization"));
    }

    #[tokio::test]
    async fn a_bucket_that_wants_another_kind_of_signature_is_told() {
        let driver = S3Driver::new(options("arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap")).unwrap();
        let error = driver.check_connection().await.unwrap_err();
        assert!(error.message().contains("nothing can be asked of Amazon S3 in eu-west-1"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_it() {
        let answer = |bytes| HttpResponse::new(200.try_into().unwrap(), SdkBody::from(vec![b'<'; bytes]));
        assert_eq!(text_of(answer(MAX_BODY)).await.unwrap().len(), MAX_BODY);
        assert_eq!(text_of(answer(MAX_BODY + 1)).await.unwrap_err().into_error().kind(), ErrorKind::Unavailable);
    }

    /// Answers one request; whether there was one.
    async fn answer(connection: &mut TcpStream, status: &str) -> bool {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match connection.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return false,
            }
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        connection.write_all(answer.as_bytes()).await.is_ok()
    }

    #[tokio::test]
    async fn a_server_that_failed_is_not_asked_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let direct = Clients::new(&at(&format!("http://{}", listener.local_addr().unwrap()), true)).unwrap().direct;
        let (answered, mut first) = tokio::join!(direct.head("a"), async {
            let mut first = listener.accept().await.unwrap().0;
            assert!(answer(&mut first, "404 Not Found").await);
            first
        });
        assert!(answered.unwrap_err().is_missing_key());
        // One that answers, if only that there is nothing, is asked again.
        let (failed, _) = tokio::join!(direct.head("a"), answer(&mut first, "503 Slow Down"));
        failed.unwrap_err();
        // Over the same connection, nobody would answer.
        let both = async {
            tokio::join!(direct.head("a"), async {
                let mut second = listener.accept().await.unwrap().0;
                answer(&mut second, "200 OK").await
            })
        };
        let (answered, _) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
        assert!(answered.is_ok());
    }
}
