//! Requests that the driver signs and sends by itself: a HEAD, a listing and a put, which are asked most.
//!
//! Amazon's client takes as much time for a HEAD as a service on the same machine needs to answer it (docs/benchmarks.md):
//! settings are merged anew for each request, and some twenty steps look at it. Here are the client's own rules for the endpoint,
//! its signer and its connections, and nothing between them.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Endpoint, ParamsBuilder, ResolveEndpoint};
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use bytes::BytesMut;
use tokio::sync::OnceCell;

use crate::bucket::{Answer, http_date, within};
use crate::clock::ServiceClock;
use crate::errors::{Failure, Told};
use crate::keys::{encoded_key, encoded_value};
use crate::xml;

/// The most bytes of an answer. A thousand keys of 1024 bytes, each byte written as three, with all that is told of them, take
/// less than 5 MB.
const MAX_BODY: usize = 16 << 20;

/// The most bytes of what a refusal tells, and how long it is waited for.
const MAX_REASON: usize = 64 << 10;
const LONGEST_REASON: Duration = Duration::from_secs(2);

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
    clock: ServiceClock,
}

/// Where the bucket is, and for whom a signature is valid there.
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
        Self { connector, credentials, place, found: OnceCell::new(), user_agent, clock: ServiceClock::default() }
    }

    /// Asks for what is told of the object with this key, but not for its bytes.
    pub(crate) async fn head(&self, key: &str, limit: Duration) -> Answer<HttpResponse> {
        let request = self.signed("HEAD", self.url_of(key).await?, Vec::new(), SdkBody::empty()).await?;
        within(limit, self.send(request)).await
    }

    /// Stores an object, of which `headers` tell what is to be told of it.
    pub(crate) async fn put(
        &self,
        key: &str,
        headers: Vec<(Cow<'static, str>, String)>,
        body: SdkBody,
        limit: Duration,
    ) -> Answer<HttpResponse> {
        let request = self.signed("PUT", self.url_of(key).await?, headers, body).await?;
        within(limit, self.send(request)).await
    }

    /// Asks something of the bucket; the text of the answer.
    pub(crate) async fn query(&self, parameters: &[(&str, &str)], limit: Duration) -> Answer<String> {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded_value(value))).collect();
        let url = format!("{}/?{}", self.place().await?.url, parameters.join("&"));
        let request = self.signed("GET", url, Vec::new(), SdkBody::empty()).await?;
        let answer = within(limit, async { text_of(self.send(request).await?, MAX_BODY).await }).await;
        // A bucket is there or is missing by a code of its own. Another 404 comes from something in between, and is not to pass
        // for an empty directory.
        answer.map_err(|failure| if failure.is_missing_key() { Failure::misunderstood() } else { failure })
    }

    async fn place(&self) -> Answer<&Place> {
        self.found.get_or_try_init(|| find(self.place.clone())).await
    }

    async fn url_of(&self, key: &str) -> Answer<String> {
        Ok(format!("{}/{}", self.place().await?.url, encoded_key(key)))
    }

    /// A good answer; its body is still to come.
    async fn send(&self, mut request: HttpRequest) -> Answer<HttpResponse> {
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let answer = self.connector.call(request).await.map_err(Failure::of_connection)?;
        let headers = answer.headers();
        self.clock.learn(http_date(headers.get("date")), headers.contains_key("age"));
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
        headers: Vec<(Cow<'static, str>, String)>,
        body: SdkBody,
    ) -> Answer<HttpRequest> {
        let place = self.place().await?;
        let credentials = self.credentials.provide_credentials().await;
        let identity = credentials.map_err(|error| Failure::unsigned(&error))?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&place.region)
            .name(&place.service)
            .time(self.clock.now())
            .settings(SETTINGS.clone())
            .build()
            .map_err(unsignable)?;
        let mut request = HttpRequest::new(body);
        request.set_method(method).map_err(unsignable)?;
        request.set_uri(url).map_err(unsignable)?;
        // The signature leaves out who asks.
        let asking = (Cow::Borrowed("user-agent"), self.user_agent.clone());
        for (name, value) in headers.into_iter().chain([asking]) {
            request.headers_mut().try_insert(name, value).map_err(unsignable)?;
        }
        let bytes = request.body().bytes().map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
        let signable = SignableRequest::new(method, request.uri(), request.headers().iter(), bytes);
        let signature = signable.and_then(|signable| sign(signable, &parameters.into())).map_err(unsignable)?;
        for (name, value) in signature.output().headers() {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned()).map_err(unsignable)?;
        }
        Ok(request)
    }
}

fn unsignable(error: impl std::error::Error + 'static) -> Failure {
    Failure::unsendable("the request can't be signed", &error)
}

/// Finds the endpoint by Amazon's rules.
async fn find(place: ParamsBuilder) -> Answer<Place> {
    const NO_ENDPOINT: &str = "there is no endpoint";
    let params = place.build().map_err(|error| Failure::unsendable(NO_ENDPOINT, &error))?;
    let endpoint = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).await;
    let endpoint = endpoint.map_err(|error| Failure::unsendable(NO_ENDPOINT, error.as_ref()))?;
    place_of(&endpoint).ok_or_else(Failure::unsupported_signature)
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

/// What the service did not do, by its code where it tells one in time. The status says enough to go on with.
async fn refusal(answer: HttpResponse) -> Failure {
    let status = answer.status().as_u16();
    let request_id = answer.request_id().map(str::to_owned);
    let told = match tokio::time::timeout(LONGEST_REASON, text_of(answer, MAX_REASON)).await {
        Ok(Ok(text)) => xml::error(&text),
        _ => Told::default(),
    };
    Failure::refused(status, told, request_id)
}

/// The whole body of an answer, which may have so many bytes.
async fn text_of(answer: HttpResponse, max_bytes: usize) -> Answer<String> {
    let mut body = ByteStream::new(answer.into_body());
    let mut text = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Failure::broken(&error))?;
        if text.len() + piece.len() > max_bytes {
            return Err(Failure::misunderstood());
        }
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text.into()).map_err(|_| Failure::misunderstood())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_s3::presigning::PresigningConfig;
    use driver_api::{Condition, ErrorKind};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::S3Driver;
    use crate::bucket::{Bucket, Head, Listed};
    use crate::client::Clients;
    use crate::options::{Credentials, S3Options, Secret, Timeouts};

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
        let request = direct.signed("HEAD", url, Vec::new(), SdkBody::empty()).await.unwrap();
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
        let headers = vec![(Cow::Borrowed("x-amz-acl"), "private".to_owned())];
        let request = direct.signed("PUT", "http://a/b".to_owned(), headers, SdkBody::from("abc")).await.unwrap();
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
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.message().contains("nothing can be asked of Amazon S3 in eu-west-1"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_it() {
        let answer = |bytes| HttpResponse::new(200.try_into().unwrap(), SdkBody::from(vec![b'<'; bytes]));
        assert_eq!(text_of(answer(9), 9).await.unwrap().len(), 9);
        assert_eq!(text_of(answer(10), 9).await.unwrap_err().into_error().kind(), ErrorKind::Unavailable);
    }

    /// A service that says what it is told to.
    struct Service {
        listener: TcpListener,
        bucket: Bucket,
    }

    impl Service {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let timeouts = Timeouts { answer: Duration::from_secs(20), ..Timeouts::default() };
            Self { listener, bucket: Bucket::new(S3Options { timeouts, ..at(&endpoint, true) }).unwrap() }
        }

        async fn accept(&self) -> TcpStream {
            self.listener.accept().await.unwrap().0
        }

        async fn say(&self, text: &str) {
            answer(&mut self.accept().await, text).await;
        }

        /// How `asking` fails where these are the answers.
        async fn failure_of<T>(&self, asking: impl Future<Output = Answer<T>>, answers: &[&str]) -> Failure {
            let answering = async {
                for text in answers {
                    self.say(text).await;
                }
            };
            tokio::join!(asking, answering).0.err().unwrap()
        }
    }

    /// Answers one request, which it tells.
    async fn answer(connection: &mut TcpStream, answer: &str) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(connection.read_u8().await.unwrap());
        }
        connection.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    }

    #[tokio::test]
    async fn a_server_that_failed_is_not_asked_again() {
        let service = Service::start().await;
        let head = || service.bucket.clients.direct.head("a", Duration::from_secs(20));
        let (answered, mut first) = tokio::join!(head(), async {
            let mut first = service.accept().await;
            answer(&mut first, "404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
            first
        });
        assert!(answered.unwrap_err().is_missing_key());
        // One that answers, if only that there is nothing, is asked again.
        let (failed, _) = tokio::join!(head(), answer(&mut first, "503 Slow Down\r\ncontent-length: 0\r\n\r\n"));
        failed.unwrap_err();
        // Over the same connection, nobody would answer.
        let (answered, _) = tokio::join!(head(), async {
            answer(&mut service.accept().await, "200 OK\r\ncontent-length: 0\r\n\r\n").await
        });
        assert!(answered.is_ok());
    }

    #[tokio::test]
    async fn an_absence_is_told_by_the_service_or_it_is_none() {
        let service = Service::start().await;
        let page = "<Error><Code>NoSuchBucket</Code><Message>It is not there</Message></Error>";
        let absent =
            |length, body| format!("404 Not Found\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        for (text, kind) in [
            (absent(page.len(), page), ErrorKind::Misconfigured),
            (absent(page.len(), &page[..20]), ErrorKind::Unavailable),
            (absent(18, "404 page not found"), ErrorKind::Unavailable),
            (absent(0, ""), ErrorKind::Unavailable),
        ] {
            let listed = Listed { limit: 1, ..Listed::default() };
            let head = head_of_five_bytes();
            let kinds = [
                service.failure_of(service.bucket.list(&listed, None), &[&text]).await,
                service.failure_of(service.bucket.get("a", None, None), &[&text]).await,
                service.failure_of(service.bucket.put("a", &[], HashMap::new(), &Condition::None), &[&text]).await,
                service.failure_of(service.bucket.copy("a", &head, "b"), &[&text]).await,
                service.failure_of(service.bucket.delete("a", None), &[&text]).await,
            ];
            assert_eq!(kinds.map(|failure| failure.into_error().kind()), [kind; 5], "{text}");
        }
    }

    fn head_of_five_bytes() -> Head {
        let (modified, metadata) = (std::time::SystemTime::UNIX_EPOCH, HashMap::new());
        Head { size: 5, modified, etag: Some("tag".to_owned()), content_type: None, metadata }
    }

    #[tokio::test]
    async fn a_delete_is_not_done_by_a_page_of_something_in_between() {
        let service = Service::start().await;
        let framed = "connection: close\r\ncontent-length: 3\r\n\r\nabc";
        let chunked = "connection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        for body in [framed, chunked] {
            let answer = format!("200 OK\r\n{body}");
            assert!(service.failure_of(service.bucket.delete("a", None), &[&answer]).await.is_unsure(), "{body}");
        }
    }

    #[tokio::test]
    async fn a_listing_that_goes_on_where_it_was_is_no_listing() {
        let service = Service::start().await;
        let page = "<ListBucketResult><IsTruncated>true</IsTruncated>\
             <NextContinuationToken>again</NextContinuationToken></ListBucketResult>";
        let answer = format!("200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}", page.len());
        let listed = Listed { limit: 1, ..Listed::default() };
        let (first, _) = tokio::join!(service.bucket.list(&listed, None), service.say(&answer));
        let token = first.unwrap().next.unwrap();
        let repeated = service.failure_of(service.bucket.list(&listed, Some(&token)), &[&answer]).await;
        assert_eq!(repeated.into_error().kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn a_head_that_is_refused_without_a_word_asks_for_the_reason() {
        let service = Service::start().await;
        let bare = "400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        for (code, kind) in
            [("ExpiredToken", ErrorKind::PermissionDenied), ("AuthorizationHeaderMalformed", ErrorKind::Misconfigured)]
        {
            let page = format!("<Error><Code>{code}</Code></Error>");
            let told = format!("400 Bad Request\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}", page.len());
            let failure = service.failure_of(service.bucket.head("a"), &[bare, &told]).await;
            assert_eq!(failure.into_error().kind(), kind, "{code}");
        }
    }

    #[tokio::test]
    async fn what_refuses_and_then_says_no_more_has_refused() {
        let service = Service::start().await;
        let put = service.bucket.put("a", &[], HashMap::new(), &Condition::IfAbsent);
        let (answered, _) = tokio::join!(put, async {
            let mut connection = service.accept().await;
            let request = answer(&mut connection, "412 Precondition Failed\r\ncontent-length: 9\r\n\r\n").await;
            assert!(request.contains("\r\ncontent-length: 0\r\n") && request.contains("\r\nif-none-match: *\r\n"));
            connection
        });
        let failure = answered.err().unwrap();
        assert!(failure.is_unmet_condition() && !failure.is_unsure());
    }

    #[tokio::test]
    async fn a_wrong_clock_is_forgiven() {
        let service = Service::start().await;
        let date = "Sat, 28 Nov 2020 08:00:00 GMT";
        let refused = format!("403 Forbidden\r\nconnection: close\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n");
        for is_known in [false, true] {
            let head = service.bucket.clients.direct.head("a", Duration::from_secs(20));
            let (_, request) = tokio::join!(head, async { answer(&mut service.accept().await, &refused).await });
            assert_eq!(request.contains("Credential=key/20201128/"), is_known, "{request}");
        }
    }
}
