//! One hash of a password.

use std::fmt;
use std::str::FromStr;

use bcrypt::HashParts;

const LENGTH: usize = 60;

/// `htpasswd` makes none that cost more: each further step doubles a time that is 10 seconds then.
const COSTS: std::ops::RangeInclusive<u32> = 4..=17;

/// A bcrypt hash, as it is in the file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    text: String,
    cost: u32,
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

impl Hash {
    /// The hash that a text is; otherwise what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if !["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version)) {
            return Err("the hash is not bcrypt's: it has to be made by `htpasswd -B`");
        }
        // Some versions of what reads hashes cut them without looking where a character ends.
        if text.len() != LENGTH || !text.is_ascii() {
            return Err("the hash is damaged: those of bcrypt have 60 characters");
        }
        let parts = HashParts::from_str(text).map_err(|_| "the hash is damaged")?;
        let cost = parts.get_cost();
        if !COSTS.contains(&cost) {
            return Err("the cost of the hash is not between 4 and 17");
        }
        Ok(Self { text: text.to_owned(), cost })
    }

    /// One that no password has, and that takes as long to compare as any other of its cost.
    pub(super) fn decoy(cost: u32) -> Self {
        Self { text: format!("$2b${cost:02}${}", ".".repeat(53)), cost }
    }

    pub(super) fn cost(&self) -> u32 {
        self.cost
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether it is that of a password. This takes its time, and the whole of a thread.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        bcrypt::verify(password, &self.text).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn hashes_of_every_version_are_compared() {
        let made = bcrypt::hash("secret", 4).unwrap();
        for version in ["2a", "2b", "2y"] {
            let hash = Hash::parse(&made.replacen("2b", version, 1)).unwrap();
            assert!(hash.is_of(b"secret"));
            assert!(!hash.is_of(b"Secret"));
            assert_eq!(hash.cost(), 4);
        }
        // As Apache's `htpasswd -nbB` writes it.
        let known = Hash::parse("$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe");
        assert!(known.unwrap().is_of(b"password"));
    }

    #[test]
    fn nothing_else_is_a_hash() {
        let made = bcrypt::hash("secret", 4).unwrap();
        let others = [
            "",
            "secret",
            "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
            "$5$rounds=5000$a$b",
            &made[..59],
            &format!("{made}a"),
            &made.replacen("2b", "2x", 1),
            &made.replacen("04", "31", 1),
            &made.replacen("04", "03", 1),
            &made.replacen("04", "xx", 1),
            &format!("$2b$04${}ü", &made[7..58]),
            &format!("{}!", &made[..59]),
        ];
        for text in others {
            let problem = Hash::parse(text).unwrap_err();
            assert!(text.is_empty() || !problem.contains(text), "{problem}");
        }
    }

    #[test]
    fn a_decoy_takes_its_time_and_is_of_nothing() {
        let begun = Instant::now();
        assert!(!Hash::decoy(9).is_of(b""));
        let decoy = begun.elapsed();
        let real = Hash::parse(&bcrypt::hash("secret", 9).unwrap()).unwrap();
        let begun = Instant::now();
        assert!(!real.is_of(b""));
        assert!(decoy * 4 > begun.elapsed(), "{decoy:?}");
    }
}
