//! The requests themselves: a pool of connections, a limit on every wait, and failures that tell what can have happened.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use azure_core::headers::{HeaderName, HeaderValue, Headers};
use azure_core::{Body, Context, Policy, PolicyResult, Request, Response, StatusCode};
use bytes::Bytes;
use driver_api::{Error, ErrorKind, Result, async_trait};
use futures_util::{Stream, TryStreamExt};
use tokio::time::{Sleep, sleep, timeout};

use crate::client::answer::Answer;
use crate::client::failure::{Failure, Refusal};
use crate::client::whole::{Xml, readable};
use crate::options::AzureOptions;

/// How long a connection waits for its next request. Servers on Node, Azurite among them, close one after 5 seconds, and of a
/// request that meets the close nobody knows whether it was done.
const IDLE: Duration = Duration::from_secs(4);
/// The longest answer to an error that is read.
const LONGEST_ERROR: usize = 16 * 1024;

/// Also the end of the crate's pipeline, in the place of its own: that one would write the request to the log with what
/// authorizes it (the `Debug` of its headers hides every header but this one), opens a connection for each request, and waits
/// for ever.
#[derive(Debug)]
pub(super) struct Transport {
    client: reqwest::Client,
    answer_timeout: Duration,
    upload_rate: u64,
}

impl Transport {
    pub(super) fn new(options: &AzureOptions) -> Result<Arc<Self>> {
        let client = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .pool_max_idle_per_host(options.idle_connections)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .danger_accept_invalid_certs(options.accept_invalid_certificates)
            .http1_only()
            .user_agent(concat!("driver-azure/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::new(ErrorKind::Other, "no HTTP client can be made").with_source(error))?;
        Ok(Arc::new(Self { client, answer_timeout: options.answer_timeout, upload_rate: options.upload_rate }))
    }

    #[cfg(feature = "entra")]
    pub(super) const fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }

    /// Sends a request of the crate.
    pub(super) async fn execute(&self, request: &Request) -> Result<Response, Failure> {
        let (outgoing, length) = translate(request)?;
        let Answer { status, headers, body } = self.send(outgoing, length).await?;
        let status = StatusCode::try_from(status).map_err(|_| senseless(status))?;
        Ok(Response::new(status, received(&headers), Box::pin(body.map_err(broken))))
    }

    /// Sends a request as it is, whose body has `length` bytes. An answer that is no success is a failure.
    pub(super) async fn send(&self, request: reqwest::Request, length: u64) -> Result<Answer, Failure> {
        let patience = self.answer_timeout + Duration::from_secs(length / self.upload_rate);
        let mut answer = match timeout(patience, self.client.execute(request)).await {
            Ok(answer) => answer.map_err(failure)?,
            Err(_) => return Err(Failure::Lost(format!("the service did not answer within {patience:?}"))),
        };
        if !answer.status().is_success() {
            return Err(Failure::Refused(self.refusal(answer).await));
        }
        let (status, headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
        let body = Patient { patience: self.answer_timeout, waiting: None, stream: answer.bytes_stream() };
        Ok(Answer { status, headers, body: Box::pin(body) })
    }

    /// Takes the code from the header, or from the body, which alone has it where a gateway strips headers.
    async fn refusal(&self, answer: reqwest::Response) -> Refusal {
        let header = |name| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        let (status, request_id, date) = (answer.status().as_u16(), header("x-ms-request-id"), header("date"));
        let code = match header("x-ms-error-code") {
            Some(code) => code,
            None => code_in(&self.error_body(answer).await),
        };
        Refusal { status, code, request_id, date }
    }

    async fn error_body(&self, mut answer: reqwest::Response) -> Vec<u8> {
        let mut body = Vec::new();
        let read = async {
            while body.len() < LONGEST_ERROR
                && let Ok(Some(piece)) = answer.chunk().await
            {
                body.extend_from_slice(&piece);
            }
        };
        // An error whose text does not come is still an error.
        let _ = timeout(self.answer_timeout, read).await;
        body
    }
}

#[async_trait]
impl Policy for Transport {
    async fn send(&self, context: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let answer = self.execute(request).await.map_err(broken)?;
        if context.get::<Xml>().is_some() { readable(answer).await.map_err(broken) } else { Ok(answer) }
    }
}

/// A failure on its way through the crate.
pub(super) fn broken(failure: Failure) -> azure_core::Error {
    azure_core::Error::new(azure_core::error::ErrorKind::Other, failure)
}

/// A request that cannot be made.
pub(super) fn unusable(what: &str) -> Failure {
    Failure::Unusable(format!("the request has no usable {what}"))
}

fn translate(request: &Request) -> Result<(reqwest::Request, u64), Failure> {
    let method = reqwest::Method::from_bytes(request.method().as_ref().as_bytes()).map_err(|_| unusable("method"))?;
    let mut outgoing = reqwest::Request::new(method, request.url().clone());
    for (name, value) in request.headers().iter() {
        let name = reqwest::header::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = reqwest::header::HeaderValue::from_str(value.as_str());
        outgoing.headers_mut().insert(name.map_err(|_| unusable("header"))?, value.map_err(|_| unusable("header"))?);
    }
    let Body::Bytes(body) = request.body() else { return Err(unusable("body")) };
    let length = body.len() as u64;
    *outgoing.body_mut() = Some(body.clone().into());
    Ok((outgoing, length))
}

fn received(headers: &reqwest::header::HeaderMap) -> Headers {
    let mut received = Headers::new();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            received.insert(HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value.to_owned()));
        }
    }
    received
}

fn failure(error: reqwest::Error) -> Failure {
    let unsent = error.is_connect();
    let unusable = error.is_builder();
    // The URL can hold a signature.
    let error = error.without_url();
    let message = format!("the service was not reached: {}", chain(&error));
    if unsent {
        Failure::Unsent(message)
    } else if unusable {
        Failure::Unusable(message)
    } else {
        Failure::Lost(format!("the connection to the service broke: {}", chain(&error)))
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn senseless(status: u16) -> Failure {
    Failure::Senseless(format!("the service answered with the unknown status {status}"))
}

fn code_in(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map(|(code, _)| code.to_owned()).unwrap_or_default()
}

/// A body that ends in an error where the next piece does not come in time.
struct Patient<S> {
    patience: Duration,
    /// The end of the wait for a piece that was asked for. Between the pieces it does not run: a slow reader is no stall.
    waiting: Option<Pin<Box<Sleep>>>,
    stream: S,
}

impl<S> Stream for Patient<S>
where
    S: Stream<Item = Result<Bytes, reqwest::Error>> + Unpin,
{
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(item) = Pin::new(&mut this.stream).poll_next(task) {
            this.waiting = None;
            return Poll::Ready(item.map(|piece| piece.map_err(failure)));
        }
        let limit = this.waiting.get_or_insert_with(|| Box::pin(sleep(this.patience)));
        match limit.as_mut().poll(task) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let message = format!("the service stopped in the middle of an answer for {:?}", this.patience);
                Poll::Ready(Some(Err(Failure::Lost(message))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_error_can_come_from_its_body() {
        let body = br#"<?xml version="1.0"?><Error><Code>ServerBusy</Code><Message>no</Message></Error>"#;
        assert_eq!(code_in(body), "ServerBusy");
        assert_eq!(code_in(b"<html>bad gateway</html>"), "");
    }
}
