//! From a [`Node`] to a type of serde's, with every mistake told at its key.
//!
//! A type derives `Deserialize` and nothing more: keys it does not have, values that do not fit and keys that are missing
//! are told with the full path, the place and what is allowed, all of them at once. Serde itself stops at the first
//! mistake; so after one, the value is decoded again without it, until nothing new turns up.

mod deserializer;
mod error;
mod probe;
mod stand_in;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::document::Node;
use crate::finding::Findings;
use deserializer::NodeDeserializer;
pub(crate) use error::quote;
pub(crate) use probe::field_names;

/// What an earlier pass made of a key whose value is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Substitute {
    /// Left out, so that its default takes its place.
    Absent,
    /// There is no default either: something of the right kind, as a stand-in. What a pass with it decodes is never used.
    StandIn,
}

/// What the passes of one decoding share.
struct Decoding {
    findings: RefCell<Findings>,
    substitutes: BTreeMap<String, Substitute>,
}

/// Decodes `node`, which stands at the key `path`. None where it has mistakes, all of which are in `findings` then.
pub(crate) fn decode<T: DeserializeOwned>(node: &Node, path: &str, findings: &mut Findings) -> Option<T> {
    let own = RefCell::new(findings.same_policy());
    let mut decoding = Decoding { findings: own, substitutes: BTreeMap::new() };
    let value = decoding.run(node, path);
    let own = decoding.findings.into_inner();
    let value = value.filter(|_| !own.has_mistakes());
    findings.append(own);
    value
}

impl Decoding {
    fn run<T: DeserializeOwned>(&mut self, node: &Node, path: &str) -> Option<T> {
        loop {
            let mistake = match T::deserialize(NodeDeserializer::new(node, path.to_owned(), self)) {
                Ok(value) => return Some(value),
                Err(error) => error.at(path, &node.origin),
            };
            let key = mistake.finding.key.clone();
            // A key that was already told about is missing only because it was left out.
            if !self.substitutes.contains_key(&key) {
                self.findings.get_mut().mistake(mistake.finding);
            }
            let substitute = if mistake.missing { Substitute::StandIn } else { Substitute::Absent };
            let (key, substitute) = next_step(&self.substitutes, key, substitute, path)?;
            self.substitutes.insert(key, substitute);
        }
    }
}

/// What to substitute next: the key itself, or the nearest key around it where a substitute did not help. None when that
/// would be the whole. Every step makes more of the tree a substitute, so there is an end.
fn next_step(
    substitutes: &BTreeMap<String, Substitute>,
    mut key: String,
    mut substitute: Substitute,
    whole: &str,
) -> Option<(String, Substitute)> {
    while substitutes.get(&key).is_some_and(|tried| *tried >= substitute) {
        key.truncate(key.rfind(['.', '['])?);
        substitute = Substitute::Absent;
    }
    (key.len() > whole.len()).then_some((key, substitute))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::document::Document;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        Low,
        High,
        Custom { at: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        count: u32,
        name: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        bucket: String,
        region: String,
        #[serde(default)]
        secure: bool,
        #[serde(default)]
        level: Option<Level>,
        #[serde(default)]
        ratio: f64,
        #[serde(default)]
        inner: Vec<Inner>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
    }

    fn decoded(text: &str) -> Result<Outer, String> {
        let document = Document::parse("f", text).unwrap();
        let mut findings = Findings::default();
        let outer = decode::<Outer>(document.root(), "top", &mut findings);
        match findings.finish() {
            Ok(_) => Ok(outer.unwrap()),
            Err(errors) => {
                assert_eq!(outer, None);
                Err(errors.to_string())
            }
        }
    }

    fn mistakes(text: &str) -> Vec<String> {
        decoded(text).unwrap_err().lines().map(str::to_owned).collect()
    }

    #[test]
    fn scalars_are_taken_in_the_spellings_that_people_use() {
        let outer = decoded(
            "{bucket: 0012, region: 1.50, secure: 'true', level: {custom: {at: '0x10'}}, ratio: '0.5',
              inner: [{count: 0o17, name: true}], labels: {a: 1, b: no}}",
        );
        let expected = Outer {
            bucket: "0012".into(),
            region: "1.50".into(),
            secure: true,
            level: Some(Level::Custom { at: 16 }),
            ratio: 0.5,
            inner: vec![Inner { count: 15, name: "true".into() }],
            labels: [("a".into(), "1".into()), ("b".into(), "no".into())].into(),
        };
        assert_eq!(outer.unwrap(), expected);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "\
bukket: x
region: [a]
secure: yes
level: hihg
ratio: much
inner:
  - {count: -1, name: a}
  - {count: 1.5, nam: b}
  - text
labels: {a: {}}
";
        let expected = "\
f: top.bucket: the key is missing
f:1:1: top.bukket: unknown key; did you mean `bucket`? allowed: bucket, inner, labels, level, ratio, region, secure
f:2:9: top.region: expected text, found a list
f:3:9: top.secure: expected true or false, found \"yes\"
f:4:8: top.level: \"hihg\" is not known; did you mean `high`? allowed: custom, high, low
f:5:8: top.ratio: expected a number, found \"much\"
f:7:13: top.inner[0].count: expected a whole number from 0 to 4294967295, found -1
f:8:5: top.inner[1].name: the key is missing
f:8:13: top.inner[1].count: expected a whole number from 0 to 4294967295, found 1.5
f:8:18: top.inner[1].nam: unknown key; did you mean `name`? allowed: count, name
f:9:5: top.inner[2]: expected a map with the keys count, name; found text
f:10:13: top.labels.a: expected text, found a map";
        assert_eq!(mistakes(text), expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_key_without_a_value_is_a_mistake_unless_it_is_optional() {
        assert_eq!(mistakes("{bucket: , region: x, level: }"), ["f:1:8: top.bucket: expected text, found no value"]);
        assert!(decoded("{bucket: x, region: x, level: , labels: , inner: }").is_ok());
    }

    #[test]
    fn a_choice_that_is_missing_is_told_as_such() {
        #[derive(Debug, Deserialize)]
        struct Choice {
            #[expect(dead_code, reason = "only its absence matters")]
            level: Level,
        }
        let document = Document::parse("f", "{}").unwrap();
        let mut findings = Findings::default();
        assert!(decode::<Choice>(document.root(), "top", &mut findings).is_none());
        assert_eq!(findings.into_errors().to_string(), "f: top.level: the key is missing");
    }

    #[test]
    fn a_value_is_quoted_only_where_no_secret_is_expected_and_cut_when_long() {
        let long = "x".repeat(1000);
        let told = mistakes(&format!("{{bucket: b, region: r, secure: {long}}}"));
        assert_eq!(told, [format!("f:1:32: top.secure: expected true or false, found \"{}...\"", "x".repeat(40))]);
    }

    #[test]
    fn the_names_of_a_types_fields_can_be_asked_for() {
        assert_eq!(field_names::<Inner>(), ["count", "name"]);
        assert_eq!(field_names::<String>(), [""; 0]);
    }

    proptest! {
        #[test]
        fn decoding_never_panics_and_never_hangs(text in r"\{((bucket|region|secure|level|ratio|inner|labels|x): ([a-z0-9.]{0,3}|\[[a-z]?\]|\{(count|at|custom): -?[0-9a]?\}|\[\{count: [0-9]\}, \{\}\]), ){0,6}\}") {
            if let Ok(document) = Document::parse("f", &text) {
                let mut findings = Findings::default();
                let outer = decode::<Outer>(document.root(), "top", &mut findings);
                prop_assert_eq!(outer.is_none(), findings.has_mistakes());
            }
        }
    }
}
