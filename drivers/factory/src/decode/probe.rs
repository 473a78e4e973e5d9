//! A deserializer that asks a type for the names of its fields.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::error::{DecodeError, Result};

/// The names of the fields of a struct; none for a type that is no struct.
pub(crate) fn field_names<T: DeserializeOwned>() -> Vec<&'static str> {
    let mut names = Vec::new();
    // The probe always fails; it has the names by then.
    let _ = T::deserialize(Probe { names: &mut names, of: PhantomData::<T> }).err();
    names
}

struct Probe<'a, T> {
    names: &'a mut Vec<&'static str>,
    of: PhantomData<T>,
}

impl<'de, T> Deserializer<'de> for Probe<'_, T> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value> {
        Err(DecodeError::message(String::new()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.names.extend(known);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
