//! Who may do what.

use blobstore::RepositoryName;
use http::{HeaderMap, HeaderValue};

/// What a request wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To what.
    pub resource: Resource,
    /// What.
    pub action: Action,
}

/// What something can be done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A repository.
    Repository(RepositoryName),
    /// The list of all repositories.
    Catalog,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To read what is there.
    Pull,
    /// To add to it.
    Push,
    /// To take something away.
    Delete,
    /// Anything: what the list of repositories asks for.
    All,
}

impl Action {
    /// Its name in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::All => "*",
        }
    }
}

impl Grant {
    /// To do something to a repository.
    pub const fn repository(name: RepositoryName, action: Action) -> Self {
        Self { resource: Resource::Repository(name), action }
    }
}

/// Who sent a request, as far as it is known, and what else they may do.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Their name.
    pub name: Option<String>,
}

/// Why a request is not allowed.
#[derive(Debug)]
pub enum Refusal {
    /// Who sent it is not known, or not known to be allowed: the value of `WWW-Authenticate`, which says how to prove it.
    Challenge(HeaderValue),
    /// Who sent it is known, and may not.
    Denied,
}

/// How a registry decides who may do what.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum AccessControl {
    /// Everybody may do everything.
    #[default]
    Open,
}

impl AccessControl {
    /// Whether the sender of a request may do all that is `wanted`; who they are, if so.
    pub async fn authorize(&self, headers: &HeaderMap, wanted: &[Grant]) -> Result<Caller, Refusal> {
        let _ = (headers, wanted);
        match self {
            Self::Open => Ok(Caller::default()),
        }
    }
}
