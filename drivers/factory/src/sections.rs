//! The sections of a configuration beside `storage`: what a program on top of a storage reads from the same file.

use serde::de::DeserializeOwned;

use crate::decode::decode;
use crate::document::{Document, Field, Value};
use crate::finding::{Finding, Findings, Origin, advice};

/// The sections of a document while it is read. What is wrong in them is told with the rest.
#[derive(Debug)]
pub struct Sections<'a> {
    document: &'a Document,
    findings: &'a mut Findings,
}

impl<'a> Sections<'a> {
    pub(crate) fn new(document: &'a Document, findings: &'a mut Findings) -> Self {
        Self { document, findings }
    }

    /// The section `name`, or a part of it (`http.debug`): as its default where there is none. Where it has mistakes they are
    /// told, and what is returned is never used.
    pub fn read<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        match self.field(name) {
            Some(field) if field.node.value != Value::Null => {
                decode(&field.node, name, self.findings).unwrap_or_default()
            }
            _ => T::default(),
        }
    }

    /// Whether the key is there, with a value or without.
    pub fn has(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    /// The keys that stand below `key`.
    pub fn keys(&self, key: &str) -> Vec<String> {
        let fields = self.field(key).map(|field| field.node.fields()).unwrap_or_default();
        fields.iter().map(|field| field.name.clone()).collect()
    }

    /// Tells of every key of the whole document that is none of `allowed`.
    pub fn allow(&mut self, allowed: &[&str]) {
        let unknown = self.document.root().fields().iter().filter(|field| !allowed.contains(&field.name.as_str()));
        for field in unknown {
            self.findings.unknown_key(&field.origin, field.name.clone(), &advice(&field.name, allowed));
        }
    }

    /// Tells a mistake at the place of `key`, or of the nearest key around it.
    pub fn mistake(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origin(key);
        self.findings.mistake(Finding::new(&origin, key, message.into()));
    }

    /// Tells what is doubtful at the place of `key`, or of the nearest key around it.
    pub fn warning(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origin(key);
        self.findings.warning(Finding::new(&origin, key, message.into()));
    }

    fn field(&self, key: &str) -> Option<&'a Field> {
        let (mut node, mut found) = (self.document.root(), None);
        for name in key.split('.') {
            let field = node.field(name)?;
            (node, found) = (&field.node, Some(field));
        }
        found
    }

    fn origin(&self, key: &str) -> Origin {
        let mut key = key;
        loop {
            if let Some(field) = self.field(key) {
                return field.origin.clone();
            }
            match key.rsplit_once('.') {
                Some((outer, _)) => key = outer,
                None => return self.document.root().origin.clone(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Http {
        addr: String,
        port: u16,
    }

    #[test]
    fn sections_are_read_and_their_mistakes_told_with_the_rest() {
        let document = Document::parse("f", "http: {addr: x, prot: 1}\nlog:\n  level: loud\nempty:").unwrap();
        let mut findings = Findings::default();
        let mut sections = Sections::new(&document, &mut findings);
        assert_eq!(sections.read::<Http>("http"), Http::default());
        assert_eq!(sections.read::<Http>("empty"), Http::default());
        assert_eq!(sections.read::<Http>("missing"), Http::default());
        assert_eq!((sections.has("http.addr"), sections.has("http.port"), sections.has("empty")), (true, false, true));
        assert_eq!(sections.keys("http"), ["addr", "prot"]);
        sections.allow(&["empty", "http", "log"]);
        sections.allow(&["empty", "http"]);
        sections.mistake("log.level", "is no level");
        sections.warning("log.fields.x", "is ignored");
        let errors = findings.finish().unwrap_err();
        let told: Vec<_> = errors.mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("f:1:17: http.prot: unknown key; did you mean `port`?"), "{told:?}");
        assert_eq!(told[1], "f:2:1: log: unknown key; allowed: empty, http");
        assert_eq!(told[2], "f:3:3: log.level: is no level");
        assert_eq!(errors.warnings[0].to_string(), "f:2:1: log.fields.x: is ignored");
    }
}
