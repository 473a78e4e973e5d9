//! Access for the users of a file, as `htpasswd -B` writes it: each of them may do everything.

mod first;
mod hash;
mod users;
mod verified;
mod watched;

use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::challenge::{self, is_sayable};
use super::credentials::{Basic, basic};
use super::{AccessError, Caller, Refusal};
use verified::Verified;
use watched::Watched;

/// Lets the users of a file do everything, and nobody else anything.
///
/// The file is looked at again at most once a second, and read when it has changed. One that is of no use then is told in
/// the log, and the users of the last that was stay. A password that was right is not hashed again for some seconds.
#[derive(Debug)]
pub struct Htpasswd {
    challenge: HeaderValue,
    file: Arc<Watched>,
    verified: Verified,
    /// To hash takes all of a core; further threads would only take it from those that answer.
    hashing: Arc<Semaphore>,
}

impl Htpasswd {
    /// The users of the file at `path`. Where there is none, it is made with one user, whose password is told in the log:
    /// once, and nowhere else.
    pub async fn open(path: &Path, realm: &str) -> Result<Self, AccessError> {
        if !is_sayable(realm) {
            return Err(AccessError::option("htpasswd.realm", "no header can have control characters"));
        }
        let owned = path.to_owned();
        let opened = spawn_blocking(move || {
            let created = first::create_missing(&owned).map_err(|error| AccessError::file(&owned, error))?;
            Ok::<_, AccessError>((Watched::open(&owned)?, created))
        });
        let (file, created) = opened.await.map_err(|error| AccessError::file(path, error.into()))??;
        if let Some(password) = created {
            let (path, user) = (path.display(), first::USER);
            tracing::warn!(%path, user, password, "there was no file of users: one was made, with this user");
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            challenge: challenge::basic(realm),
            file: Arc::new(file),
            verified: Verified::new()?,
            hashing: Arc::new(Semaphore::new(cores)),
        })
    }

    pub(super) async fn authorize(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let refusal = || Refusal::Challenge(self.challenge.clone());
        let Basic { user, password } = basic(headers).ok_or_else(refusal)?;
        if self.file.refresh().await {
            self.verified.forget();
        }
        if self.is_right(&user, password).await {
            Ok(Caller { name: Some(user) })
        } else {
            // A name that nobody has may be a password in the wrong field.
            let user = self.file.users().hash(&user).map(|_| user);
            tracing::info!(user, "a name or a password was wrong");
            Err(refusal())
        }
    }

    async fn is_right(&self, user: &str, password: Vec<u8>) -> bool {
        let users = self.file.users();
        let (hash, is_known) = match users.hash(user) {
            Some(hash) => (hash.clone(), true),
            None => (users.decoy(self.verified.draw(user)), false),
        };
        let proof = self.verified.proof(user, &hash, &password);
        if is_known && self.verified.has(&proof) {
            return true;
        }
        let Ok(permit) = self.hashing.clone().acquire_owned().await else { return false };
        // Of requests that came together, the first has proved it for all.
        if is_known && self.verified.has(&proof) {
            return true;
        }
        let compared = spawn_blocking(move || {
            let is_right = hash.is_of(&password);
            drop(permit);
            is_right
        });
        let is_right = compared.await.unwrap_or(false) && is_known;
        if is_right {
            self.verified.remember(proof);
        }
        is_right
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}
