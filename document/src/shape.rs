//! From a JSON value to the type of a document: every fault with the path of its field.
//!
//! Mappings are read by the names of their fields only, never by position. What a field means is not known here.
//! Each type that is read costs little code: what does not depend on the type is not generic.

use std::fmt::{self, Display};
use std::slice;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Map, Number, Value};

/// Reads `value` as a `T`.
///
/// # Errors
/// The first field whose shape is wrong: unknown, missing, or of another type.
pub fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, ShapeError> {
    T::deserialize(Reader(value))
}

/// A field whose shape is wrong.
#[derive(Debug)]
pub struct ShapeError(Box<Fault>);

#[derive(Debug)]
struct Fault {
    path: String,
    message: String,
}

impl ShapeError {
    /// The path of the field, as in `routes[3].match.path`; empty for the document itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong, in the words of serde.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    #[cold]
    fn new(message: String) -> Self {
        let path = String::new();
        Self(Box::new(Fault { path, message }))
    }

    #[cold]
    fn within(mut self, step: &str) -> Self {
        let separator = match self.0.path.as_bytes().first() {
            None | Some(b'[') => "",
            Some(_) => ".",
        };
        self.0.path = [step, separator, &self.0.path].concat();
        self
    }

    #[cold]
    fn within_item(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }
}

impl Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for ShapeError {}

impl Error for ShapeError {
    fn custom<M: Display>(message: M) -> Self {
        Self::new(message.to_string())
    }
}

/// A value that is about to be read.
#[derive(Clone, Copy)]
struct Reader<'de>(&'de Value);

impl Reader<'_> {
    #[cold]
    fn unexpected(self, expected: &dyn Expected) -> ShapeError {
        let found = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => Unexpected::Unsigned(value),
                (None, Some(value), _) => Unexpected::Signed(value),
                (None, None, Some(value)) => Unexpected::Float(value),
                (None, None, None) => Unexpected::Other("number"),
            },
            // Never the text itself: a secret may stand where a mapping belongs, and errors are logged.
            Value::String(_) => Unexpected::Other("a text"),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        ShapeError::invalid_type(found, expected)
    }
}

fn list<'de, V: Visitor<'de>>(values: &'de [Value], visitor: V) -> Result<V::Value, ShapeError> {
    visitor.visit_seq(Items {
        values: values.iter(),
        next: 0,
    })
}

fn mapping<'de, V: Visitor<'de>>(
    members: &'de Map<String, Value>,
    visitor: V,
) -> Result<V::Value, ShapeError> {
    visitor.visit_map(Members {
        members: members.iter(),
        current: None,
    })
}

fn number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, ShapeError> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(value), ..) => visitor.visit_u64(value),
        (None, Some(value), _) => visitor.visit_i64(value),
        (None, None, Some(value)) => visitor.visit_f64(value),
        (None, None, None) => Err(ShapeError::new("number out of range".to_owned())),
    }
}

/// Methods that take one kind of value and refuse every other.
macro_rules! only {
    ($($method:ident($($more:ty),*): $pattern:pat => |$visitor:ident| $read:expr;)+) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $more,)* $visitor: V) -> Result<V::Value, ShapeError> {
            match self.0 {
                $pattern => $read,
                _ => Err(self.unexpected(&$visitor)),
            }
        }
    )+};
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "each method takes one kind of value and refuses every other, whatever kinds there are"
)]
impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(value) => number(value, visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(values) => list(values, visitor),
            Value::Object(members) => mapping(members, visitor),
        }
    }

    only! {
        deserialize_bool(): Value::Bool(value) => |visitor| visitor.visit_bool(*value);
        deserialize_u8(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_u16(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_u32(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_u64(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_i8(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_i16(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_i32(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_i64(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_f32(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_f64(): Value::Number(value) => |visitor| number(value, visitor);
        deserialize_str(): Value::String(text) => |visitor| visitor.visit_borrowed_str(text);
        deserialize_string(): Value::String(text) => |visitor| visitor.visit_borrowed_str(text);
        deserialize_identifier(): Value::String(text) => |visitor| visitor.visit_borrowed_str(text);
        deserialize_seq(): Value::Array(values) => |visitor| list(values, visitor);
        deserialize_map(): Value::Object(members) => |visitor| mapping(members, visitor);
        deserialize_struct(&'static str, &'static [&'static str]): Value::Object(members) =>
            |visitor| mapping(members, visitor);
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Array(values) if values.len() == length => list(values, visitor),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(StrDeserializer::new(text)),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple_struct ignored_any
    }
}

/// The items of a list.
struct Items<'de> {
    values: slice::Iter<'de, Value>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = ShapeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ShapeError> {
        let Some(value) = self.values.next() else {
            return Ok(None);
        };
        let index = self.next;
        self.next = index.saturating_add(1);
        match seed.deserialize(Reader(value)) {
            Ok(item) => Ok(Some(item)),
            Err(error) => Err(error.within_item(index)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

/// The members of a mapping.
struct Members<'de> {
    members: serde_json::map::Iter<'de>,
    current: Option<(&'de str, &'de Value)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = ShapeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ShapeError> {
        let Some((name, value)) = self.members.next() else {
            return Ok(None);
        };
        self.current = Some((name, value));
        match seed.deserialize(BorrowedStrDeserializer::<ShapeError>::new(name)) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.within(name)),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ShapeError> {
        let Some((name, value)) = self.current else {
            return Err(ShapeError::new("a value is read before its name".to_owned()));
        };
        seed.deserialize(Reader(value))
            .map_err(|error| error.within(name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::read;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        name: String,
        count: Option<u16>,
        #[serde(default)]
        parts: Vec<Part>,
        #[serde(default)]
        by_name: BTreeMap<String, Vec<f64>>,
        pair: Option<(u8, bool)>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Part {
        Left,
        Right,
    }

    #[test]
    fn a_document_is_read_by_the_names_of_its_fields() {
        let value = json!({
            "name": "a", "count": 7, "parts": ["right", "left"], "by_name": {"x": [1, -2, 0.5]}, "pair": [1, true],
        });
        let document: Document = read(&value).unwrap();
        let expected = Document {
            name: "a".to_owned(),
            count: Some(7),
            parts: vec![Part::Right, Part::Left],
            by_name: BTreeMap::from([("x".to_owned(), vec![1.0, -2.0, 0.5])]),
            pair: Some((1, true)),
        };
        assert_eq!(document, expected);
        assert_eq!(read::<Value>(&value).unwrap(), value);
    }

    #[test]
    fn a_fault_names_its_field() {
        for (value, path, message) in [
            (
                json!(7),
                "",
                "invalid type: integer `7`, expected struct Document",
            ),
            (
                json!(["a"]),
                "",
                "invalid type: sequence, expected struct Document",
            ),
            (json!({}), "", "missing field `name`"),
            (
                json!({"name": null}),
                "name",
                "invalid type: unit value, expected a string",
            ),
            (
                json!({"name": "a", "count": 65536}),
                "count",
                "invalid value: integer `65536`, expected u16",
            ),
            (
                json!({"name": "a", "count": "s3cr3t"}),
                "count",
                "invalid type: a text, expected u16",
            ),
            (
                json!({"name": "a", "parts": ["left", "up"]}),
                "parts[1]",
                "unknown variant `up`, expected `left` or `right`",
            ),
            (
                json!({"name": "a", "parts": [{"left": 1}]}),
                "parts[0]",
                "invalid type: map, expected enum Part",
            ),
            (
                json!({"name": "a", "by_name": {"x": [1, 2, {}]}}),
                "by_name.x[2]",
                "invalid type: map, expected f64",
            ),
            (
                json!({"name": "a", "nmae": 1}),
                "nmae",
                "unknown field `nmae`, expected one of `name`, `count`, `parts`, `by_name`, `pair`",
            ),
            (
                json!({"name": "a", "pair": [1, true, 3]}),
                "pair",
                "invalid type: sequence, expected a tuple of size 2",
            ),
        ] {
            let error = read::<Document>(&value).unwrap_err();
            assert_eq!((error.path(), error.message()), (path, message), "{value}");
        }
    }
}
