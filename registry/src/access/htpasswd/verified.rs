//! Whose password was right a moment ago.

use std::fmt;
use std::time::Duration;

use moka::sync::Cache;
use ring::hmac::{Context, HMAC_SHA256, Key};
use ring::rand::SystemRandom;

use super::hash::Hash;
use crate::access::AccessError;

/// How many, and for how long. A client sends its password with every request, of which a push has dozens.
const REMEMBERED: u64 = 10_000;
const LIFETIME: Duration = Duration::from_secs(10);

/// Proofs that were right lately. A password can't be found from them: they are keyed, and the key is in this process alone.
pub(super) struct Verified {
    key: Key,
    proofs: Cache<Proof, ()>,
}

/// That a password is the one of a user, by the hash in the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Proof([u8; 32]);

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified(..)")
    }
}

impl Verified {
    pub(super) fn new() -> Result<Self, AccessError> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| AccessError::option("htpasswd", "the system has no random numbers"))?;
        Ok(Self { key, proofs: Cache::builder().max_capacity(REMEMBERED).time_to_live(LIFETIME).build() })
    }

    pub(super) fn proof(&self, user: &str, hash: &Hash, password: &[u8]) -> Proof {
        Proof(self.mac(&[user.as_bytes(), hash.as_bytes(), password]))
    }

    /// A number that is always the same for a name in this process, and that nobody else can tell.
    pub(super) fn draw(&self, user: &str) -> u64 {
        let mac = self.mac(&[user.as_bytes()]);
        mac.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub(super) fn has(&self, proof: &Proof) -> bool {
        self.proofs.contains_key(proof)
    }

    pub(super) fn remember(&self, proof: Proof) {
        self.proofs.insert(proof, ());
    }

    pub(super) fn forget(&self) {
        self.proofs.invalidate_all();
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_its_user_hash_and_password_alone() {
        let verified = Verified::new().unwrap();
        let (hash, other) = (Hash::decoy(4), Hash::decoy(5));
        verified.remember(verified.proof("ana", &hash, b"secret"));
        assert!(verified.has(&verified.proof("ana", &hash, b"secret")));
        let others = [("bob", &hash, &b"secret"[..]), ("ana", &other, b"secret"), ("ana", &hash, b"other")];
        assert!(others.iter().all(|(user, hash, password)| !verified.has(&verified.proof(user, hash, password))));
        assert!(!Verified::new().unwrap().has(&verified.proof("ana", &hash, b"secret")));
        verified.forget();
        assert!(!verified.has(&verified.proof("ana", &hash, b"secret")));
    }

    #[test]
    fn a_name_draws_the_same_number() {
        let (one, two) = (Verified::new().unwrap(), Verified::new().unwrap());
        assert_eq!(one.draw("ana"), one.draw("ana"));
        assert_ne!(one.draw("ana"), one.draw("bob"));
        assert_ne!(one.draw("ana"), two.draw("ana"));
    }
}
