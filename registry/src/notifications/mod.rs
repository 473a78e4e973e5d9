//! What is told to others when something was done.

use blobstore::{Descriptor, Digest, RepositoryName, Tag};
use uuid::Uuid;

use crate::call::Peer;

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
    /// Who sent it.
    pub peer: Peer,
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
}
