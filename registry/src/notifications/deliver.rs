//! From a queue to an endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use url::Url;

use super::envelope::MEDIA_TYPE;
use super::options::{EndpointOptions, shown};
use super::queue::Queue;
use super::tally::Tally;

/// How much of an answer is read, so that its connection can be used again.
const DRAINED_BYTES: usize = 16 * 1024;

/// What is sent where.
pub(super) struct Postman {
    client: Client,
    headers: HeaderMap,
    url: Url,
    threshold: u32,
    backoff: Duration,
    name: String,
}

/// Headers and addresses have secrets in them.
impl fmt::Debug for Postman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postman").field("name", &self.name).field("url", &shown(&self.url)).finish_non_exhaustive()
    }
}

impl Postman {
    pub(super) fn new(options: &EndpointOptions, url: Url) -> reqwest::Result<Self> {
        let mut headers = options.header_map();
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(MEDIA_TYPE));
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(options.timeout())
            // Events go one at a time.
            .pool_max_idle_per_host(1)
            .build()?;
        let (threshold, backoff) = (options.threshold(), options.backoff());
        Ok(Self { client, headers, url, threshold, backoff, name: options.name.clone() })
    }

    /// Delivers what is in the queue until it is complete and empty.
    ///
    /// An event is sent until it is taken: at once as long as fewer than `threshold` attempts in a row failed, then once in each
    /// `backoff`. Where the queue outlives the process it is left as it is when it is closed and the endpoint does not answer.
    pub(super) async fn run(self, queue: Arc<Queue>, tally: Arc<Tally>) {
        let mut failures = 0u32;
        while let Some(head) = queue.head().await {
            while queue.has(&head) {
                if failures >= self.threshold {
                    if queue.is_closed() && queue.is_lasting() {
                        return;
                    }
                    tokio::time::sleep(self.backoff).await;
                }
                match self.send(head.content.clone()).await {
                    Ok(status) => {
                        let is_success = status.is_success() || status.is_redirection();
                        tally.answered(status, is_success);
                        if is_success {
                            self.note_success(failures);
                            failures = 0;
                            queue.remove(&head).await;
                            break;
                        }
                        failures = failures.saturating_add(1);
                        self.note_failure(failures, &status);
                    }
                    Err(error) => {
                        tally.unanswered();
                        failures = failures.saturating_add(1);
                        self.note_failure(failures, &Chain(&error.without_url()));
                    }
                }
            }
        }
    }

    async fn send(&self, content: Bytes) -> reqwest::Result<StatusCode> {
        let mut response =
            self.client.post(self.url.clone()).headers(self.headers.clone()).body(content).send().await?;
        let status = response.status();
        // What it says beside the status is nobody's business; whether it is said to the end neither.
        let mut left = DRAINED_BYTES;
        while let Ok(Some(chunk)) = response.chunk().await {
            match left.checked_sub(chunk.len()) {
                Some(less) => left = less,
                None => break,
            }
        }
        Ok(status)
    }

    /// The first failure is told, and the one after which the endpoint is left alone: not each.
    fn note_failure(&self, failures: u32, error: &dyn fmt::Display) {
        let endpoint = &self.name;
        if failures == self.threshold {
            let seconds = self.backoff.as_secs_f64();
            tracing::error!(endpoint, %error, failures, "an endpoint takes no notifications: from now on, one try every {seconds} s");
        } else if failures == 1 {
            tracing::warn!(endpoint, %error, "a notification was not delivered and is sent again");
        }
    }

    fn note_success(&self, failures: u32) {
        if failures >= self.threshold {
            tracing::info!(endpoint = self.name, failures, "an endpoint takes notifications again");
        }
    }
}

/// An error with what it is due to.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0.source();
        while let Some(source) = error {
            write!(f, ": {source}")?;
            error = source.source();
        }
        Ok(())
    }
}
