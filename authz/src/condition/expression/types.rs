//! The types of expressions, as far as they are known before a request is there.

use std::fmt;

/// The type of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Bool,
    Int,
    Double,
    Text,
    Timestamp,
    Duration,
    List(Box<Self>),
    /// The claims: members by name, of any type.
    Claims,
    /// Known at the request only: a claim and what lies in it.
    Dynamic,
}

impl Type {
    pub(super) fn list_of(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// Whether values of both types can be equal.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dynamic, _) | (_, Self::Dynamic) => true,
            (Self::List(one), Self::List(other)) => one.meets(other),
            (one, other) => one == other,
        }
    }

    /// The type of something that has one or the other type.
    pub(super) fn or(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if !one.meets(&other) => None,
            (Self::List(one), Self::List(other)) => one.or(*other).map(Self::list_of),
            (Self::Dynamic, _) | (_, Self::Dynamic) => Some(Self::Dynamic),
            (one, _) => Some(one),
        }
    }

    /// Whether values of it have an order.
    pub(super) const fn is_ordered(&self) -> bool {
        match self {
            Self::Bool
            | Self::Int
            | Self::Double
            | Self::Text
            | Self::Timestamp
            | Self::Duration
            | Self::Dynamic => true,
            Self::Null | Self::List(_) | Self::Claims => false,
        }
    }
}

impl fmt::Display for Type {
    /// For people, as in `a text`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Double => "a number with a fraction",
            Self::Text => "a text",
            Self::Timestamp => "a time",
            Self::Duration => "a length of time",
            Self::List(_) => "a list",
            Self::Claims => "the claims",
            Self::Dynamic => "known at the request only",
        })
    }
}
