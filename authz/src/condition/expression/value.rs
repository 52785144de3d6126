//! The values of an evaluation, borrowed from the facts where they can be.

use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json};

use super::convert::whole;

/// A value.
#[derive(Clone)]
pub(super) enum Value<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text<'v>),
    Timestamp(DateTime<Utc>),
    Duration(TimeDelta),
    List(List<'v>),
    Members(&'v Map<String, Json>),
}

/// A text, of the facts or made.
#[derive(Clone)]
pub(super) enum Text<'v> {
    Borrowed(&'v str),
    Made(Rc<str>),
}

/// A list, of the facts or made.
#[derive(Clone)]
pub(super) enum List<'v> {
    Texts(&'v [String]),
    Json(&'v [Json]),
    Made(Rc<[Value<'v>]>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl<'v> Value<'v> {
    pub(super) const fn text(text: &'v str) -> Self {
        Self::Text(Text::Borrowed(text))
    }

    /// A number of JSON is a whole one where it has no fraction, no exponent and 64 bits suffice.
    pub(super) fn of_json(json: &'v Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::text(text),
            Json::Array(elements) => Self::List(List::Json(elements)),
            Json::Object(members) => Self::Members(members),
        }
    }

    /// How two values are ordered; nothing where they are not.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => Some(one.cmp(other)),
            (Self::Int(one), Self::Int(other)) => Some(one.cmp(other)),
            (Self::Double(one), Self::Double(other)) => one.partial_cmp(other),
            (Self::Int(one), Self::Double(other)) => compare_numbers(*one, *other),
            (Self::Double(one), Self::Int(other)) => compare_numbers(*other, *one).map(Ordering::reverse),
            (Self::Text(one), Self::Text(other)) => Some((**one).cmp(&**other)),
            (Self::Timestamp(one), Self::Timestamp(other)) => Some(one.cmp(other)),
            (Self::Duration(one), Self::Duration(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

/// A whole number and one with a fraction, without rounding either.
fn compare_numbers(one: i64, other: f64) -> Option<Ordering> {
    let Some(floor) = whole(other) else {
        return other.is_finite().then_some(if other > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        });
    };
    let fraction = other - other.trunc();
    Some(one.cmp(&floor).then(0.0.partial_cmp(&fraction)?))
}

impl<'v> List<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Json(elements) => elements.len(),
            Self::Made(values) => values.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'v>> {
        match self {
            Self::Texts(texts) => texts.get(index).map(|text| Value::text(text)),
            Self::Json(elements) => elements.get(index).map(Value::of_json),
            Self::Made(values) => values.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'v>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}
