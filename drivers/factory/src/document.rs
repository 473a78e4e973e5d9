//! A configuration as a tree in which every key and every value knows where it comes from.
//!
//! Nothing here knows what the keys mean: any section of the file can be decoded from a [`Node`].

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, MessageFormatter, Options, Spanned, UserMessageFormatter};

use crate::finding::{ConfigErrors, Finding, Findings, Origin};

/// The most bytes of a configuration file: 1 MiB.
pub const MAX_BYTES: usize = 1024 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 10_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub origin: Origin,
}

/// A value of a configuration, as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing behind the key, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in its own spelling: it may turn out to be meant as text.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map; every key stands in it once.
    Map(Vec<Field>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key.
    pub name: String,
    /// Where the key stands.
    pub origin: Origin,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The entries of a map; none for anything else.
    pub fn fields(&self) -> &[Field] {
        match &self.value {
            Value::Map(fields) => fields,
            _ => &[],
        }
    }

    /// The entry `name` of a map.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.name == name)
    }
}

/// A configuration file with what overrides it.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) root: Node,
    pub(crate) findings: Findings,
}

impl Document {
    /// A configuration with nothing in it, called `name` in messages.
    pub fn empty(name: &str) -> Self {
        let root = Node { value: Value::Map(Vec::new()), origin: Origin::Document(name.into()) };
        Self { root, findings: Findings::default() }
    }

    /// Reads YAML; `name` is what messages call it.
    ///
    /// Errors: text that is no YAML, or YAML that is too large: over [`MAX_BYTES`], nested more than 32 deep, or growing by
    /// its aliases. A key that stands twice in a map is told with the other mistakes, when the document is read.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let name: Arc<str> = name.into();
        let origin = |location: Location| locate(&name, location);
        let mut findings = Findings::default();
        let root = match parse_yaml(text, &origin, &mut findings) {
            Ok(root) => root,
            Err(mistake) => return Err(ConfigErrors { mistakes: vec![mistake], warnings: Vec::new() }),
        };
        let mut document = Self { root, findings };
        match document.root.value {
            Value::Map(_) => {}
            Value::Null => document.root.value = Value::Map(Vec::new()),
            _ => {
                let mistake = Finding::new(&document.root.origin, "", "a configuration is a map of sections");
                return Err(ConfigErrors { mistakes: vec![mistake], warnings: Vec::new() });
            }
        }
        document.root.origin = Origin::Document(name);
        Ok(document)
    }

    /// A configuration of one driver with parameters, as a command line gives them; each value is read as YAML.
    ///
    /// Errors: a value that is no YAML.
    pub fn of_driver<'a>(
        driver: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigErrors> {
        let driver_argument = Origin::Argument(format!("--driver {driver}").into());
        let mut findings = Findings::default();
        let mut fields: Vec<Field> = Vec::new();
        for (name, text) in parameters {
            let origin = Origin::Argument(format!("-o {name}").into());
            match parse_yaml(text, &|_| origin.clone(), &mut findings) {
                Err(mistake) => findings.mistake(mistake),
                Ok(_) if fields.iter().any(|field| field.name == name) => {
                    findings.mistake(Finding::new(&origin, "", "the key is given twice"));
                }
                Ok(node) => fields.push(Field { name: name.to_owned(), origin, node }),
            }
        }
        let map = |value, name: &str| {
            let node = Node { value, origin: driver_argument.clone() };
            Value::Map(vec![Field { name: name.to_owned(), origin: driver_argument.clone(), node }])
        };
        let value = map(map(Value::Map(fields), driver), "storage");
        if findings.has_mistakes() {
            findings.finish()?;
            findings = Findings::default();
        }
        Ok(Self { root: Node { value, origin: driver_argument }, findings })
    }

    /// The whole tree.
    pub fn root(&self) -> &Node {
        &self.root
    }
}

fn locate(name: &Arc<str>, location: Location) -> Origin {
    if location.line() == 0 {
        return Origin::Document(name.clone());
    }
    Origin::File { name: name.clone(), line: location.line(), column: location.column() }
}

/// Reads one YAML document within limits; `origin` tells where its parts are.
pub(crate) fn parse_yaml(
    text: &str,
    origin: &dyn Fn(Location) -> Origin,
    findings: &mut Findings,
) -> Result<Node, Finding> {
    if text.len() > MAX_BYTES {
        let message = format!("{} bytes are too many: a configuration has at most {MAX_BYTES}", text.len());
        return Err(Finding::new(&origin(Location::UNKNOWN), "", message));
    }
    let tree: Spanned<Tree> = serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = error.without_snippet();
        let message = UserMessageFormatter.format_message(error);
        let origin = origin(error.location().unwrap_or(Location::UNKNOWN));
        let message = match origin {
            Origin::File { .. } | Origin::Document(_) => format!("this is no YAML that can be read: {message}"),
            // The value may be a secret, of which the parser's message would show a part.
            Origin::Variable(_) | Origin::Argument(_) => {
                "the value is no YAML; in quotes it is taken as text".to_owned()
            }
        };
        Finding::new(&origin, "", message)
    })?;
    Ok(Builder { text, origin, findings }.node(tree, ""))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 8,
        },
        // The tree itself reports keys that stand twice, all of them.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

/// What YAML says, before numbers have their spelling back.
enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}

/// Makes nodes of trees.
struct Builder<'a> {
    text: &'a str,
    origin: &'a dyn Fn(Location) -> Origin,
    findings: &'a mut Findings,
}

impl Builder<'_> {
    fn node(&mut self, tree: Spanned<Tree>, key: &str) -> Node {
        let value = match tree.value {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(value),
            Tree::Number(value) => Value::Number(self.spelling(tree.defined).unwrap_or(value)),
            Tree::Text(text) => Value::Text(text),
            Tree::List(items) => Value::List(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.node(item, &format!("{key}[{index}]")))
                    .collect(),
            ),
            Tree::Map(entries) => Value::Map(self.fields(entries, key)),
        };
        Node { value, origin: (self.origin)(tree.referenced) }
    }

    fn fields(&mut self, entries: Vec<(Spanned<String>, Spanned<Tree>)>, key: &str) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::with_capacity(entries.len());
        for (name, tree) in entries {
            let origin = (self.origin)(name.referenced);
            let path = join(key, &name.value);
            if let Some(first) = fields.iter().find(|field| field.name == name.value) {
                let message = format!("the key stands here a second time, first at {}", first.origin);
                self.findings.mistake(Finding::new(&origin, path, message));
                continue;
            }
            let node = self.node(tree, &path);
            fields.push(Field { name: name.value, origin, node });
        }
        fields
    }

    /// A number as it was written.
    fn spelling(&self, location: Location) -> Option<String> {
        let span = location.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
        let spelling = self.text.get(start..end)?.trim();
        spelling.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)).then(|| spelling.to_owned())
    }
}

/// The path of the key `name` below `parent`.
pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse("f.yml", text).unwrap()
    }

    fn mistake(text: &str) -> String {
        Document::parse("f.yml", text).unwrap_err().to_string()
    }

    #[test]
    fn keys_and_values_know_their_place() {
        let document = parse("storage:\n  filesystem:\n    rootdirectory: /x\n    maxthreads: 0x64\n");
        let filesystem = &document.root().field("storage").unwrap().node.field("filesystem").unwrap().node;
        let [root, threads] = filesystem.fields() else { panic!("{filesystem:?}") };
        assert_eq!((root.origin.to_string(), root.node.origin.to_string()), ("f.yml:3:5".into(), "f.yml:3:20".into()));
        assert_eq!((&root.node.value, &threads.node.value), (&Value::Text("/x".into()), &Value::Number("0x64".into())));
    }

    #[test]
    fn numbers_keep_their_spelling() {
        for (text, value) in [
            ("1.50", Value::Number("1.50".into())),
            ("-7", Value::Number("-7".into())),
            ("99999999999999999999", Value::Number("99999999999999999999".into())),
            ("0755", Value::Text("0755".into())),
            ("1_000", Value::Text("1_000".into())),
            ("'12'", Value::Text("12".into())),
            ("yes", Value::Text("yes".into())),
            ("True", Value::Bool(true)),
            (".nan", Value::Text(".nan".into())),
            ("~", Value::Null),
            ("", Value::Null),
        ] {
            let document = parse(&format!("key: {text}\n"));
            assert_eq!(document.root().field("key").unwrap().node.value, value, "{text}");
        }
    }

    #[test]
    fn an_alias_stands_where_it_is_used() {
        let document = parse("a: &a {x: 0x10}\nb: *a\n");
        let b = document.root().field("b").unwrap();
        assert_eq!(b.node.origin.to_string(), "f.yml:2:4");
        assert_eq!(b.node.field("x").unwrap().node.value, Value::Number("0x10".into()));
    }

    #[test]
    fn nothing_is_an_empty_configuration() {
        for text in ["", "# nothing\n", "---\n", "{}"] {
            assert!(parse(text).root().fields().is_empty(), "{text:?}");
        }
        assert_eq!(mistake("- a\n"), "f.yml:1:1: a configuration is a map of sections");
    }

    #[test]
    fn text_that_is_no_yaml_is_told_with_its_place() {
        let told = mistake("storage: {\n");
        assert!(told.starts_with("f.yml:") && told.contains(": this is no YAML that can be read: "), "{told}");
        assert!(mistake("a: 1\n---\nb: 2\n").contains("document"));
    }

    #[test]
    fn hostile_yaml_is_refused() {
        let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned())
            .chain((1..12).map(|n| {
                let before = format!("*a{}, ", n - 1).repeat(9);
                format!("a{n}: &a{n} [{before}]\n")
            }))
            .collect();
        for text in [
            bomb,
            "[".repeat(100_000),
            "a:\n".to_owned() + &(1..200).map(|n| " ".repeat(n) + "a:\n").collect::<String>(),
            "- ".repeat(10_000),
            "? ".repeat(10_000),
            "a: &a [*a]\n".to_owned(),
            "x".repeat(MAX_BYTES + 1),
            format!("[{}]", "x,".repeat(MAX_NODES + 1)),
        ] {
            let told = mistake(&text);
            assert!(told.starts_with("f.yml"), "{told}");
            assert!(told.len() < 300, "{told}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = Document::parse("f.yml", &text);
        }

        #[test]
        fn parsing_what_looks_like_yaml_never_panics(text in r"([a-c]{1,3}|[:\-?&*!|>'\x22%@`{}\[\],#~]|[0-9.+_]{1,3}|\n| {1,4}|<<|---|\t){0,40}") {
            let _ = Document::parse("f.yml", &text);
        }
    }
}
