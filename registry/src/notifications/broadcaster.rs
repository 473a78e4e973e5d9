//! All endpoints, and the events for them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

use super::deliver::Postman;
use super::envelope::envelope;
use super::journal::Journal;
use super::options::{EndpointOptions, Mistake, NotificationOptions, SpoolOptions, shown};
use super::queue::Queue;
use super::tally::{Numbers, Tally};
use super::{Event, Notifier, Source, Target};

/// Tells events to endpoints: each of them has its own queue, so that none waits for another, and no request for any.
///
/// It ends when it is dropped; [`Broadcaster::stop`] delivers before what can be delivered.
#[derive(Debug)]
pub struct Broadcaster {
    endpoints: Vec<Endpoint>,
    source: Source,
    references: bool,
}

#[derive(Debug)]
struct Endpoint {
    options: EndpointOptions,
    url: String,
    queue: Arc<Queue>,
    tally: Arc<Tally>,
    tasks: Mutex<Option<Tasks>>,
}

#[derive(Debug)]
struct Tasks {
    spool: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

/// Why there are no notifications.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotificationError {
    /// The options have mistakes.
    Mistaken(Vec<Mistake>),
    /// The journal of an endpoint cannot be used.
    Journal {
        /// The name of the endpoint.
        endpoint: String,
        /// Why.
        source: std::io::Error,
    },
    /// Requests to an endpoint cannot be made.
    Client {
        /// The name of the endpoint.
        endpoint: String,
        /// Why.
        source: reqwest::Error,
    },
}

impl fmt::Display for NotificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mistaken(mistakes) => {
                let lines: Vec<_> = mistakes
                    .iter()
                    .map(|mistake| format!("notifications.{}: {}", mistake.key, mistake.message))
                    .collect();
                f.write_str(&lines.join("; "))
            }
            Self::Journal { endpoint, source } => {
                write!(f, "the journal of the notifications for {endpoint:?} cannot be used: {source}")
            }
            Self::Client { endpoint, source } => write!(f, "nothing can be sent to {endpoint:?}: {source}"),
        }
    }
}

impl std::error::Error for NotificationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Mistaken(_) => None,
            Self::Journal { source, .. } => Some(source),
            Self::Client { source, .. } => Some(source),
        }
    }
}

impl Broadcaster {
    /// Begins to deliver: first what journals have from before. It needs a runtime, and reads those journals.
    pub fn start(options: &NotificationOptions, source: Source) -> Result<Self, NotificationError> {
        let mistakes = options.mistakes();
        if !mistakes.is_empty() {
            return Err(NotificationError::Mistaken(mistakes));
        }
        let enabled = || options.endpoints.iter().filter(|endpoint| !endpoint.disabled);
        if let Some(directory) = &options.spool.directory {
            tell_of_strangers(directory, &options.endpoints);
        }
        let endpoints =
            enabled().map(|endpoint| Endpoint::start(endpoint, &options.spool)).collect::<Result<_, _>>()?;
        Ok(Self { endpoints, source, references: options.events.includereferences })
    }

    /// Waits until what was notified so far is in the journals; of endpoints without one, until it is delivered.
    pub async fn flush(&self) {
        for endpoint in &self.endpoints {
            endpoint.queue.flush().await;
        }
    }

    /// Takes no more events, and waits until all are delivered, not longer than `deadline`. What is left then stays in the
    /// journals, and is lost where there is none. Endpoints with a journal that do not answer are not waited for.
    pub async fn stop(&self, deadline: Duration) {
        let until = tokio::time::Instant::now() + deadline;
        let mut stopping = JoinSet::new();
        for endpoint in &self.endpoints {
            endpoint.queue.close();
            if let Some(tasks) = endpoint.tasks.lock().take() {
                stopping.spawn(tasks.stop(Arc::clone(&endpoint.queue), until));
            }
        }
        stopping.join_all().await;
        for endpoint in &self.endpoints {
            let left = endpoint.tally.numbers().pending;
            let name = &endpoint.options.name;
            match (left, endpoint.queue.is_lasting()) {
                (0, _) => {}
                (_, true) => {
                    tracing::info!(endpoint = name, events = left, "notifications are kept until the next start")
                }
                (_, false) => {
                    tracing::warn!(endpoint = name, events = left, "notifications were not delivered and are lost")
                }
            }
        }
    }

    /// The numbers of each endpoint, by its name.
    pub fn numbers(&self) -> Vec<(&str, Numbers)> {
        self.endpoints.iter().map(|endpoint| (endpoint.options.name.as_str(), endpoint.tally.numbers())).collect()
    }

    /// What `/debug/vars` tells of the endpoints: in the spelling of the ancestor, and without the values of headers.
    pub fn vars(&self) -> Value {
        self.endpoints.iter().map(Endpoint::vars).collect()
    }
}

impl Notifier for Broadcaster {
    fn notify(&self, event: Event) {
        let media_type = match &event.target {
            Some(Target::Descriptor(descriptor)) => Some(descriptor.media_type.as_ref()),
            _ => None,
        };
        let action = event.action.as_str();
        let mut told =
            self.endpoints.iter().filter(|endpoint| !endpoint.options.is_ignored(action, media_type)).peekable();
        if told.peek().is_none() {
            return;
        }
        match envelope(&event, Uuid::new_v4(), OffsetDateTime::now_utc(), &self.source) {
            Ok(body) => told.for_each(|endpoint| endpoint.queue.push(body.clone())),
            Err(error) => tracing::error!(%error, "an event cannot be told"),
        }
    }

    fn wants_references(&self) -> bool {
        self.references
    }
}

impl Drop for Broadcaster {
    fn drop(&mut self) {
        for tasks in self.endpoints.iter().filter_map(|endpoint| endpoint.tasks.lock().take()) {
            tasks.spool.abort();
            tasks.delivery.abort();
        }
    }
}

impl Endpoint {
    fn start(options: &EndpointOptions, spool: &SpoolOptions) -> Result<Self, NotificationError> {
        let endpoint = || options.name.clone();
        let url = options
            .address()
            .map_err(|message| NotificationError::Mistaken(vec![Mistake { key: "endpoints".to_owned(), message }]))?;
        let shown = shown(&url);
        let tally = Arc::new(Tally::new(&options.name));
        let journal = match &spool.directory {
            None => None,
            Some(directory) => {
                let journal = Journal::open(&directory.join(directory_name(&options.name)), spool.maxsize.0)
                    .map_err(|source| NotificationError::Journal { endpoint: endpoint(), source })?;
                if journal.pending() > 0 {
                    tracing::info!(endpoint = options.name, events = journal.pending(), "notifications were kept");
                }
                tally.found(journal.pending());
                Some(journal)
            }
        };
        let postman = Postman::new(options, url)
            .map_err(|source| NotificationError::Client { endpoint: endpoint(), source: source.without_url() })?;
        let queue = Arc::new(Queue::new(journal, Arc::clone(&tally)));
        let spool = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.spool().await }
        });
        let delivery = tokio::spawn(postman.run(Arc::clone(&queue), Arc::clone(&tally)));
        let tasks = Mutex::new(Some(Tasks { spool, delivery }));
        Ok(Self { options: options.clone(), url: shown, queue, tally, tasks })
    }

    fn vars(&self) -> Value {
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let hidden = |values: &Vec<_>| vec!["(hidden)"; values.len()];
        let headers: serde_json::Map<_, _> =
            self.options.headers.iter().map(|(name, values)| (name.clone(), json!(hidden(values)))).collect();
        json!(Vars {
            name: &self.options.name,
            url: &self.url,
            headers: Value::Object(headers),
            timeout: nanoseconds(self.options.timeout()),
            threshold: self.options.threshold(),
            backoff: nanoseconds(self.options.backoff()),
            ignored_media_types: &self.options.ignoredmediatypes,
            ignore: json!({ "MediaTypes": self.options.ignore.mediatypes, "Actions": self.options.ignore.actions }),
            metrics: self.tally.numbers(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Vars<'a> {
    #[serde(rename = "name")]
    name: &'a str,
    #[serde(rename = "url")]
    url: &'a str,
    headers: Value,
    timeout: u64,
    threshold: u32,
    backoff: u64,
    ignored_media_types: &'a [String],
    ignore: Value,
    metrics: Numbers,
}

impl Tasks {
    /// Ends once everything is written and delivered, or at `until`.
    async fn stop(self, queue: Arc<Queue>, until: tokio::time::Instant) {
        let Self { mut spool, mut delivery } = self;
        let both = async {
            // Either ends by itself, or panics, which has been told.
            let _ = (&mut spool).await;
            queue.complete();
            let _ = (&mut delivery).await;
        };
        if tokio::time::timeout_at(until, both).await.is_err() {
            spool.abort();
            delivery.abort();
        }
        queue.sync().await;
    }
}

/// The name of the directory of an endpoint: none of its characters means anything to a file system.
fn directory_name(endpoint: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    percent_encoding::utf8_percent_encode(endpoint, KEPT).to_string()
}

/// Tells of journals whose endpoints are not there any more: what is in them is not delivered.
fn tell_of_strangers(directory: &Path, endpoints: &[EndpointOptions]) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let known: Vec<_> = endpoints.iter().map(|endpoint| directory_name(&endpoint.name)).collect();
    for entry in entries.flatten() {
        if entry.path().join("lock").exists() && !known.iter().any(|known| entry.file_name() == known.as_str()) {
            tracing::warn!(
                path = %entry.path().display(),
                "there is a journal of notifications here whose endpoint is not configured"
            );
        }
    }
}
