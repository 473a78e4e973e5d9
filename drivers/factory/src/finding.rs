//! What is wrong with a configuration: findings with a key, a place and advice, collected and not thrown one by one.

use std::fmt;
use std::sync::Arc;

/// Where a part of a configuration comes from.
///
/// The order is the one in which findings are told: the file from top to bottom, then what overrides it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A file as a whole, where no place in it can be named.
    Document(Arc<str>),
    /// A place in a file; line and column begin at 1.
    File {
        /// The file's name as it was given.
        name: Arc<str>,
        /// The line.
        line: u64,
        /// The column, in characters.
        column: u64,
    },
    /// An environment variable.
    Variable(Arc<str>),
    /// An argument of a command line.
    Argument(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Document(name) | Self::Variable(name) | Self::Argument(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong, or doubtful, in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where it stands.
    pub origin: Origin,
    /// The full path of the key, for example `storage.filesystem.rootdirectory`; empty where it is about the whole.
    pub key: String,
    /// What is wrong with it and what is allowed. Never the value of a key that may hold a secret.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(origin: &Origin, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin: origin.clone(), key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    /// One line: `registry.yml:3:5: storage.filesystem.rootdir: unknown key; did you mean ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// What was found while a configuration was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    mistakes: Vec<Finding>,
    warnings: Vec<Finding>,
    unknown_keys_are_warnings: bool,
}

impl Findings {
    /// From here on, an unknown key is a warning (`strict: false`).
    pub(crate) fn tolerate_unknown_keys(&mut self) {
        self.unknown_keys_are_warnings = true;
    }

    pub(crate) fn mistake(&mut self, finding: Finding) {
        insert(&mut self.mistakes, finding);
    }

    pub(crate) fn warning(&mut self, finding: Finding) {
        insert(&mut self.warnings, finding);
    }

    /// A key that nobody knows: a mistake, but a warning where it comes from the environment, into which orchestrators put
    /// variables of their own (`REGISTRY_PORT`). Whether it is a mistake.
    pub(crate) fn unknown_key(&mut self, origin: &Origin, key: String, advice: &str) -> bool {
        let is_mistake = !self.unknown_keys_are_warnings && !matches!(origin, Origin::Variable(_));
        if is_mistake {
            self.mistake(Finding::new(origin, key, format!("unknown key; {advice}")));
        } else {
            self.warning(Finding::new(origin, key, format!("unknown key, ignored; {advice}")));
        }
        is_mistake
    }

    /// Nothing found yet, with the same rule for unknown keys.
    pub(crate) fn same_policy(&self) -> Self {
        Self { unknown_keys_are_warnings: self.unknown_keys_are_warnings, ..Self::default() }
    }

    pub(crate) fn append(&mut self, other: Self) {
        other.mistakes.into_iter().for_each(|finding| self.mistake(finding));
        other.warnings.into_iter().for_each(|finding| self.warning(finding));
    }

    pub(crate) fn has_mistakes(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// The warnings, or all mistakes and the warnings.
    pub(crate) fn finish(self) -> Result<Vec<Finding>, ConfigErrors> {
        let errors = self.into_errors();
        if errors.mistakes.is_empty() { Ok(errors.warnings) } else { Err(errors) }
    }

    /// What was found, where it is known to have mistakes.
    pub(crate) fn into_errors(mut self) -> ConfigErrors {
        self.mistakes.sort();
        self.warnings.sort();
        ConfigErrors { mistakes: self.mistakes, warnings: self.warnings }
    }
}

/// A part that is decoded again after a mistake says everything again.
fn insert(findings: &mut Vec<Finding>, finding: Finding) {
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

/// All mistakes of a configuration, from top to bottom; `Display` prints one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// What must be mended; at least one.
    pub mistakes: Vec<Finding>,
    /// What is doubtful beside that.
    pub warnings: Vec<Finding>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// What to say of a word that is none of `allowed`: the nearest of them, if one is near, and all of them.
pub(crate) fn advice(word: &str, allowed: &[&str]) -> String {
    if allowed.is_empty() {
        return "no key is allowed here".to_owned();
    }
    let mut names = allowed.to_vec();
    names.sort_unstable();
    let list = names.join(", ");
    let word = word.to_lowercase();
    let nearest = names.iter().map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name)).min();
    match nearest {
        Some((distance, name)) if is_near(distance, &word, &name.to_lowercase()) => {
            format!("did you mean `{name}`? allowed: {list}")
        }
        _ => format!("allowed: {list}"),
    }
}

/// A slip of the finger changes a third of a word at most; an abbreviation keeps its beginning.
fn is_near(distance: usize, word: &str, name: &str) -> bool {
    distance <= name.len().max(word.len()) / 3 || (word.len() >= 3 && name.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_nearest_word_only_if_it_is_near() {
        let keys = ["rootdirectory", "maxthreads"];
        assert_eq!(advice("rootdirectry", &keys), "did you mean `rootdirectory`? allowed: maxthreads, rootdirectory");
        assert_eq!(advice("rootdir", &keys), "did you mean `rootdirectory`? allowed: maxthreads, rootdirectory");
        assert_eq!(advice("standrd", &["STANDARD"]), "did you mean `STANDARD`? allowed: STANDARD");
        assert_eq!(advice("colour", &keys), "allowed: maxthreads, rootdirectory");
        assert_eq!(advice("x", &[]), "no key is allowed here");
    }

    #[test]
    fn findings_are_told_from_top_to_bottom_and_once() {
        let at = |line| Origin::File { name: "f".into(), line, column: 1 };
        let mut findings = Findings::default();
        for origin in [Origin::Variable("V".into()), at(10), at(9), at(9)] {
            findings.mistake(Finding::new(&origin, "k", "wrong"));
        }
        let errors = findings.finish().unwrap_err();
        assert_eq!(errors.to_string(), "f:9:1: k: wrong\nf:10:1: k: wrong\nV: k: wrong");
    }
}
