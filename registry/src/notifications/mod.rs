//! What is told to others when something was done.
//!
//! A [`Broadcaster`] tells every event to every endpoint that wants it, at least once and in order. An event is on its way
//! through memory for the moment that it takes to write it to the journal of the endpoint, a thousand of them at once if need be;
//! from then on neither a kill nor a loss of power takes it, until the endpoint has it. An endpoint may be told the same event
//! twice, by the same id: where the process ended between the answer and the note of it. Without a directory for journals
//! everything is in memory, bounded, and lost with the process.

mod broadcaster;
mod deliver;
mod envelope;
mod journal;
mod options;
mod queue;
mod tally;

pub use broadcaster::{Broadcaster, NotificationError};
pub use envelope::MEDIA_TYPE;
pub use options::{EndpointOptions, EventOptions, IgnoreOptions, Mistake, NotificationOptions, SpoolOptions};
pub use tally::Numbers;

use blobstore::{Descriptor, Digest, Reference, RepositoryName, Tag};
use uuid::Uuid;

/// Something that was done.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// What.
    pub action: Action,
    /// Where.
    pub repository: RepositoryName,
    /// By which tag, where by one.
    pub tag: Option<Tag>,
    /// With what: none where a tag was taken away.
    pub target: Option<Target>,
    /// Where it can be had.
    pub url: Option<String>,
    /// What the manifest names, where somebody wants to know it.
    pub references: Vec<Reference>,
    /// By which request.
    pub request: Request,
    /// By whom, where that is known.
    pub actor: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Something was read.
    Pull,
    /// Something has come.
    Push,
    /// A blob of another repository can be read here.
    Mount {
        /// Of that one.
        from: RepositoryName,
    },
    /// Something was taken away.
    Delete,
}

impl Action {
    /// What it is called.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Mount { .. } => "mount",
            Self::Delete => "delete",
        }
    }
}

/// With what something was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All that is known of it.
    Descriptor(Descriptor),
    /// Its name alone: it is gone.
    Digest(Digest),
}

/// The request by which something was done.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the request is called in the log.
    pub id: Uuid,
    /// Where it came from: an address, of the other end of the connection with its port, or the one that proxies tell.
    pub client: Option<String>,
    /// The host that it was for.
    pub host: Option<String>,
    /// Its method.
    pub method: String,
    /// What its sender calls itself.
    pub user_agent: Option<String>,
}

/// Listens to what is done. It must take no time: a request waits for it.
pub trait Notifier: std::fmt::Debug + Send + Sync {
    /// Takes note of something that was done.
    fn notify(&self, event: Event);

    /// Whether events about manifests should have what those name.
    fn wants_references(&self) -> bool {
        false
    }
}

/// Who tells an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The host and the port of the registry.
    pub address: String,
    /// The process: another one after each start.
    pub instance: Uuid,
}
