//! Serde's deserializer over a [`Node`].

use std::fmt;
use std::str::FromStr;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{DecodeError, Result, quote};
use super::stand_in::StandIn;
use super::{Decoding, Substitute};
use crate::document::{Field, Node, Value, join};
use crate::finding::advice;

/// A node at the key `path`.
#[derive(Clone)]
pub(super) struct NodeDeserializer<'a> {
    node: &'a Node,
    path: String,
    decoding: &'a Decoding,
}

impl<'a> NodeDeserializer<'a> {
    pub(super) fn new(node: &'a Node, path: String, decoding: &'a Decoding) -> Self {
        Self { node, path, decoding }
    }

    /// The spelling of a scalar. A number or a bool may be meant as text, and the other way round.
    fn spelling(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(value) => Some(if *value { "true" } else { "false" }),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    fn unfit<T>(&self, expected: impl fmt::Display) -> Result<T> {
        Err(DecodeError::unfit(expected, self.node, true))
    }

    fn bool(&self) -> Result<bool> {
        match &self.node.value {
            Value::Bool(value) => Ok(*value),
            Value::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
                "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
                _ => self.unfit("true or false"),
            },
            _ => self.unfit("true or false"),
        }
    }

    fn integer<T>(&self, least: T, most: T) -> Result<T>
    where
        T: TryFrom<i128> + fmt::Display,
    {
        let number = match &self.node.value {
            Value::Number(spelling) | Value::Text(spelling) => integer(spelling),
            _ => None,
        };
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => self.unfit(format_args!("a whole number from {least} to {most}")),
        }
    }

    fn float<T: FromStr>(&self) -> Result<T> {
        let number = match &self.node.value {
            Value::Number(spelling) | Value::Text(spelling) => spelling.parse().ok(),
            _ => None,
        };
        number.map_or_else(|| self.unfit("a number"), Ok)
    }

    fn entries(&self, expected: impl fmt::Display) -> Result<&'a [Field]> {
        match &self.node.value {
            Value::Map(fields) => Ok(fields),
            Value::Null => Ok(&[]),
            _ => Err(DecodeError::unfit(expected, self.node, false)),
        }
    }

    fn substitute(&self, path: &str) -> Option<Substitute> {
        self.decoding.substitutes.get(path).copied()
    }

    /// The entries of a map that were no mistake in an earlier pass.
    fn good(&self, fields: &'a [Field]) -> Vec<(&'a str, Child<'a>)> {
        let child = |field: &'a Field| {
            let path = join(&self.path, &field.name);
            let good = self.substitute(&path).is_none();
            good.then(|| (field.name.as_str(), Child::Node(Self::new(&field.node, path, self.decoding))))
        };
        fields.iter().filter_map(child).collect()
    }
}

/// A whole number as Go's base 0 reads it: decimal, 0x, 0o, 0b, or octal behind a 0.
fn integer(spelling: &str) -> Option<i128> {
    let (negative, digits) = match spelling.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, spelling.strip_prefix('+').unwrap_or(spelling)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (&lower[..], 10),
    };
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let number = i128::from_str_radix(digits, base).ok()?;
    Some(if negative { -number } else { number })
}

macro_rules! deserialize_integers {
    ($($method:ident $visit:ident $kind:ty)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.integer(<$kind>::MIN, <$kind>::MAX)?)
        }
    )+};
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::Number(spelling) => match integer(spelling) {
                Some(number) => match (u64::try_from(number), i64::try_from(number)) {
                    (Ok(number), _) => visitor.visit_u64(number),
                    (_, Ok(number)) => visitor.visit_i64(number),
                    _ => visitor.visit_str(spelling),
                },
                None => spelling.parse().map_or_else(|_| self.unfit("a number"), |number| visitor.visit_f64(number)),
            },
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.bool()?)
    }

    deserialize_integers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f32(self.float()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.spelling().map_or_else(|| self.unfit("text"), |text| visitor.visit_str(text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.node.value == Value::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.node.value == Value::Null { visitor.visit_unit() } else { self.unfit("no value") }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let items: &[Node] = match &self.node.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => return Err(DecodeError::unfit("a list", self.node, false)),
        };
        let child = |(index, node)| {
            let path = format!("{}[{index}]", self.path);
            let good = self.substitute(&path).is_none();
            good.then(|| Child::Node(Self::new(node, path, self.decoding)))
        };
        let items: Vec<_> = items.iter().enumerate().filter_map(child).collect();
        visitor.visit_seq(Items(items.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let fields = self.entries("a map")?;
        visitor.visit_map(Entries::of(self.good(fields)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let fields = self.entries(ExpectedMap(known))?;
        for field in fields.iter().filter(|field| !known.contains(&field.name.as_str())) {
            let path = join(&self.path, &field.name);
            self.decoding.findings.borrow_mut().unknown_key(&field.origin, path, &advice(&field.name, known));
        }
        let mut entries = self.good(fields);
        entries.retain(|(name, _)| known.contains(name));
        let stand_ins =
            known.iter().filter(|name| self.substitute(&join(&self.path, name)) == Some(Substitute::StandIn));
        entries.extend(stand_ins.map(|name| (*name, Child::StandIn)));
        visitor.visit_map(Entries::of(entries)).map_err(|error| error.in_struct(&self.path, &self.node.origin))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let (name, origin, content) = match &self.node.value {
            Value::Text(name) => (name, &self.node.origin, None),
            Value::Map(fields) => match fields.as_slice() {
                [field] => (&field.name, &field.origin, Some(&field.node)),
                _ => return self.unfit(format_args!("exactly one of {}", variants.join(", "))),
            },
            _ => return self.unfit(format_args!("one of {}", variants.join(", "))),
        };
        if !variants.contains(&name.as_str()) {
            let message = format!("{} is not known; {}", quote(name), advice(name, variants));
            return Err(DecodeError::message(message).placed(&self.path, origin));
        }
        // A variant's name alone stands for the variant without parameters.
        let nothing = Node { value: Value::Null, origin: origin.clone() };
        let path = join(&self.path, name);
        let content = NodeDeserializer::new(content.unwrap_or(&nothing), path, self.decoding);
        visitor.visit_enum(Variant { name, content })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf }
}

struct ExpectedMap(&'static [&'static str]);

impl fmt::Display for ExpectedMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("no parameters"),
            [key] => write!(f, "a map with the key {key}"),
            keys => write!(f, "a map with the keys {}", keys.join(", ")),
        }
    }
}

/// A value of a map or a list.
pub(super) enum Child<'a> {
    Node(NodeDeserializer<'a>),
    StandIn,
}

impl Child<'_> {
    fn decode<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        match self {
            Self::StandIn => seed.deserialize(StandIn),
            Self::Node(child) => {
                let (path, origin) = (child.path.clone(), &child.node.origin);
                seed.deserialize(child).map_err(|error| error.placed(&path, origin))
            }
        }
    }
}

pub(super) struct Items<'a>(std::vec::IntoIter<Child<'a>>);

impl Items<'_> {
    pub(super) fn none() -> Self {
        Self(Vec::new().into_iter())
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.0.next().map(|child| child.decode(seed)).transpose()
    }
}

pub(super) struct Entries<'a> {
    rest: std::vec::IntoIter<(&'a str, Child<'a>)>,
    value: Option<Child<'a>>,
}

impl<'a> Entries<'a> {
    pub(super) fn of(entries: Vec<(&'a str, Child<'a>)>) -> Self {
        Self { rest: entries.into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let key: StrDeserializer<'_, DecodeError> = name.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        // Serde asks for a value only behind its key; a stand-in is what a visitor that does not keep to it gets.
        self.value.take().unwrap_or(Child::StandIn).decode(seed)
    }
}

struct Variant<'a> {
    name: &'a str,
    content: NodeDeserializer<'a>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = DecodeError;
    type Variant = Content<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant)> {
        let name: StrDeserializer<'_, DecodeError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.content)))
    }
}

struct Content<'a>(NodeDeserializer<'a>);

impl Content<'_> {
    fn placed<T>(self, decode: impl FnOnce(Self) -> Result<T>) -> Result<T> {
        let (path, origin) = (self.0.path.clone(), &self.0.node.origin);
        decode(self).map_err(|error| error.placed(&path, origin))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<()> {
        // An empty map is as good as none.
        match &self.0.node.value {
            Value::Null => Ok(()),
            Value::Map(fields) if fields.is_empty() => Ok(()),
            _ => self.placed(|content| content.0.unfit("no parameters")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        self.placed(|content| seed.deserialize(content.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        self.placed(|content| content.0.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, known: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.placed(|content| content.0.deserialize_struct("", known, visitor))
    }
}
