//! Who may do what.
//!
//! [`AccessControl::authorize`] is asked before anything is done, and answers from what a client sends in `Authorization`:
//!
//! - [`AccessControl::Open`]: everybody may do everything;
//! - [`Htpasswd`]: the users of a file with bcrypt hashes may do everything, and nobody else anything;
//! - [`Token`]: a server of tokens, which the registry trusts by its keys, signs who may do what;
//! - [`Silly`]: whoever sends `Authorization` may do everything. It is there to test clients with.
//!
//! Who is refused is told the same whether or not there is what they ask for: nothing is looked up before. Passwords, hashes
//! and tokens are in no log and in no [`Debug`]; the one exception is the password of a user that the registry itself made.
//!
//! What to write into a configuration is in `docs/access.md`; [`AccessOptions`] are its keys.

mod challenge;
mod credentials;
mod error;
mod file;
mod htpasswd;
mod options;
mod silly;
mod token;

use blobstore::RepositoryName;
use http::{HeaderMap, HeaderValue};

pub use error::AccessError;
pub use htpasswd::Htpasswd;
pub use options::{AccessOptions, HtpasswdOptions, SillyOptions, TokenOptions};
pub use silly::Silly;
pub use token::Token;

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

impl Resource {
    /// Its type in a scope.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Repository(_) => "repository",
            Self::Catalog => "registry",
        }
    }

    /// Its name in a scope.
    fn name(&self) -> &str {
        match self {
            Self::Repository(name) => name.as_str(),
            Self::Catalog => "catalog",
        }
    }
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
    /// The users of a file may do everything.
    Htpasswd(Box<Htpasswd>),
    /// A server of tokens says who may do what.
    Token(Box<Token>),
    /// Whoever says anything may do everything. For tests.
    Silly(Silly),
}

impl AccessControl {
    /// Access as a configuration has it. Reads the files that it names, and makes that of the users where it is missing.
    pub async fn open(options: AccessOptions) -> Result<Self, AccessError> {
        match options {
            AccessOptions::None {} => Ok(Self::Open),
            AccessOptions::Htpasswd(HtpasswdOptions { realm, path }) => {
                Ok(Self::Htpasswd(Box::new(Htpasswd::open(&path, &realm).await?)))
            }
            AccessOptions::Token(options) => Ok(Self::Token(Box::new(Token::open(options).await?))),
            AccessOptions::Silly(options) => Ok(Self::Silly(Silly::new(options)?)),
        }
    }

    /// Whether the sender of a request may do all that is `wanted`; who they are, if so.
    pub async fn authorize(&self, headers: &HeaderMap, wanted: &[Grant]) -> Result<Caller, Refusal> {
        self.authorize_wishing(headers, wanted, &[]).await
    }

    /// The same; who is refused is told to ask also for what is `wished`, which the request can do without.
    pub async fn authorize_wishing(
        &self,
        headers: &HeaderMap,
        wanted: &[Grant],
        wished: &[Grant],
    ) -> Result<Caller, Refusal> {
        match self {
            Self::Open => Ok(Caller::default()),
            Self::Htpasswd(htpasswd) => htpasswd.authorize(headers).await,
            Self::Token(token) => token.authorize(headers, wanted, wished),
            Self::Silly(silly) => silly.authorize(headers, wanted, wished),
        }
    }
}
