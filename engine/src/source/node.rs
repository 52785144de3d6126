//! A YAML text as a tree in which every node knows its place. Nothing here knows what a policy is.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// The place of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The file, counted from 0 in the order the files were given.
    pub file: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The offset in the file's text, in bytes.
    pub offset: usize,
    /// The length, in bytes; 0 where it is not known.
    pub length: usize,
}

impl Location {
    /// The first character of a file: what has no other place stands in it somewhere.
    #[must_use]
    pub const fn start(file: usize) -> Self {
        Self {
            file,
            line: 1,
            column: 1,
            offset: 0,
            length: 0,
        }
    }
}

/// The places of the fields of a document, by path.
#[derive(Debug, Default, Clone)]
pub(super) struct Places {
    names: HashMap<String, Location>,
    values: HashMap<String, Location>,
}

impl Places {
    pub(super) fn locate(&self, path: &str) -> Option<Location> {
        let mut path = path;
        loop {
            if let Some(location) = self.values.get(path).or_else(|| self.names.get(path)) {
                return Some(*location);
            }
            path = parent(path)?;
        }
    }

    /// The place of the name of the field at `path`: what is wrong with an unknown field is its name.
    pub(super) fn locate_name(&self, path: &str) -> Option<Location> {
        self.names.get(path).copied().or_else(|| self.locate(path))
    }

    pub(super) fn insert_name(&mut self, path: &str, location: Location) {
        self.names.insert(path.to_owned(), location);
    }
}

fn parent(path: &str) -> Option<&str> {
    match path {
        "" => None,
        path => Some(
            path.rfind(['.', '['])
                .and_then(|at| path.get(..at))
                .unwrap_or_default(),
        ),
    }
}

/// One node of a YAML text.
pub(super) enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    /// The node as a JSON value; the places of all that is in it go to `places`, under `path`.
    pub(super) fn into_value(self, path: &str, file: usize, text: &str, places: &mut Places) -> Value {
        match self {
            Self::Scalar(value) => value,
            Self::List(items) => {
                let item = |(at, item): (usize, Spanned<Self>)| {
                    let path = format!("{path}[{at}]");
                    place_value(&item, &path, file, text, places);
                    item.value.into_value(&path, file, text, places)
                };
                Value::Array(items.into_iter().enumerate().map(item).collect())
            }
            Self::Mapping(members) => {
                let mut map = Map::new();
                for (name, value) in members {
                    let path = child(path, &name.value);
                    places.insert_name(&path, location(name.referenced, file, text));
                    place_value(&value, &path, file, text, places);
                    map.insert(name.value, value.value.into_value(&path, file, text, places));
                }
                Value::Object(map)
            }
        }
    }
}

/// A scalar is shown where it stands; of a mapping, its name is shown, or its first line.
pub(super) fn place_value(node: &Spanned<Node>, path: &str, file: usize, text: &str, places: &mut Places) {
    let mut place = location(node.referenced, file, text);
    match node.value {
        Node::Scalar(_) => {}
        Node::List(_) | Node::Mapping(_) if places.names.contains_key(path) => return,
        Node::List(_) | Node::Mapping(_) => place.length = first_line(place, text),
    }
    places.values.insert(path.to_owned(), place);
}

fn first_line(place: Location, text: &str) -> usize {
    let rest = text.get(place.offset..).unwrap_or_default();
    rest.find('\n').unwrap_or(rest.len()).min(place.length)
}

pub(super) fn child(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

pub(super) fn location(place: serde_saphyr::Location, file: usize, text: &str) -> Location {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let (line, column) = (number(place.line()), number(place.column()));
    let span = place.span();
    let offset = span
        .byte_offset()
        .map_or_else(|| offset_of(text, line, column), number);
    let length = span.byte_len().map_or(0, number);
    let shown = text
        .get(offset..offset.saturating_add(length))
        .unwrap_or_default()
        .trim_end();
    Location {
        file,
        line,
        column,
        offset,
        length: shown.len(),
    }
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let rest = text.get(before..).unwrap_or_default();
    let inside: usize = rest
        .chars()
        .take(column.saturating_sub(1))
        .map(char::len_utf8)
        .sum();
    before.saturating_add(inside)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("no finite number"))?;
        Ok(Node::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut mapping: Vec<(Spanned<String>, Spanned<Node>)> = Vec::new();
        while let Some((name, value)) = members.next_entry::<Spanned<String>, Spanned<Node>>()? {
            if mapping.iter().any(|(known, _)| known.value == name.value) {
                return Err(A::Error::custom(format_args!(
                    "the field `{}` stands here twice",
                    name.value
                )));
            }
            mapping.push((name, value));
        }
        Ok(Node::Mapping(mapping))
    }
}
