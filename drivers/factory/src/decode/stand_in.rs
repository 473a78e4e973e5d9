//! A deserializer that makes something up, so that decoding goes on to the next mistake.

use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::deserializer::{Child, Entries, Items};
use super::error::{DecodeError, Result};

/// Gives whatever is asked for, so that decoding goes on to the next mistake.
pub(super) struct StandIn;

macro_rules! stand_in {
    ($($method:ident => $visit:ident($value:expr))+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit($value)
        }
    )+};
}

impl<'de> Deserializer<'de> for StandIn {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    stand_in! {
        deserialize_bool => visit_bool(false)
        deserialize_i8 => visit_u64(0)
        deserialize_i16 => visit_u64(0)
        deserialize_i32 => visit_u64(0)
        deserialize_i64 => visit_u64(0)
        deserialize_u8 => visit_u64(0)
        deserialize_u16 => visit_u64(0)
        deserialize_u32 => visit_u64(0)
        deserialize_u64 => visit_u64(0)
        deserialize_f32 => visit_u64(0)
        deserialize_f64 => visit_u64(0)
        deserialize_str => visit_str("")
        deserialize_string => visit_str("")
        deserialize_seq => visit_seq(Items::none())
        deserialize_map => visit_map(Entries::of(Vec::new()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_map(Entries::of(known.iter().map(|name| (*name, Child::StandIn)).collect()))
    }

    /// The first variant, as far as that has no parameters; else the key is told as one without a value.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match variants.first() {
            Some(first) => visitor.visit_enum(StrDeserializer::new(first)),
            None => visitor.visit_unit(),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}
