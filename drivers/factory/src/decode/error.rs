//! A mistake on its way up to the key where it belongs.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::document::{Node, Value, join};
use crate::finding::{Finding, Origin};

pub(super) type Result<T> = std::result::Result<T, DecodeError>;

/// One mistake; its place is known once it passed the key it is about.
#[derive(Debug)]
pub(super) struct DecodeError(Box<Mistake>);

#[derive(Debug)]
struct Mistake {
    message: String,
    place: Option<(String, Origin)>,
    /// The key of a struct that is not there.
    missing: Option<&'static str>,
}

/// A mistake with its place.
pub(super) struct Located {
    pub(super) finding: Finding,
    pub(super) missing: bool,
}

impl DecodeError {
    /// The mistake with its place, which is `key` unless it has one further down.
    pub(super) fn at(self, key: &str, origin: &Origin) -> Located {
        let Mistake { message, place, missing } = *self.0;
        let (key, origin) = place.unwrap_or_else(|| (key.to_owned(), origin.clone()));
        Located { finding: Finding { origin, key, message }, missing: missing.is_some() }
    }

    /// The same mistake, at `key` unless it has a place further down.
    pub(super) fn placed(mut self, key: &str, origin: &Origin) -> Self {
        self.0.place.get_or_insert_with(|| (key.to_owned(), origin.clone()));
        self
    }

    /// The same mistake, at the missing key where one is missing from the struct at `path`.
    pub(super) fn in_struct(self, path: &str, origin: &Origin) -> Self {
        match self.0.missing {
            Some(field) => self.placed(&join(path, field), origin),
            None => self,
        }
    }

    /// `expected` was needed and `node` is there.
    pub(super) fn unfit(expected: impl fmt::Display, node: &Node, quoted: bool) -> Self {
        let separator = if expected.to_string().contains(',') { ';' } else { ',' };
        Self::message(format!("expected {expected}{separator} found {}", describe(node, quoted)))
    }

    pub(super) fn message(message: String) -> Self {
        Self(Box::new(Mistake { message, place: None, missing: None }))
    }
}

/// What a node is, in words. A text may be a secret that stands at the wrong key, so it is quoted only where asked.
fn describe(node: &Node, quoted: bool) -> String {
    match &node.value {
        Value::Null => "no value".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(spelling) => spelling.clone(),
        Value::Text(text) if quoted => quote(text),
        Value::Text(_) => "text".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
    }
}

/// Text as a message shows it: in quotes, escaped and not too long.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}", format!("{}...", &text[..end])),
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::message(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::message(format!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self(Box::new(Mistake { message: "the key is missing".to_owned(), place: None, missing: Some(field) }))
    }
}
