//! Fields that are written as a word, or as a word or a mapping; fields that may be left out.
//!
//! They are read by hand-written visitors: serde's untagged enums read through a buffer and lose the path
//! of the field that is wrong.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::access::{Access, AccessName, ActorItem, ClientItem, ScopeItem};
use super::condition::Day;
use super::matching::ValueMatch;
use super::mode::{Mode, ModeName};
use super::readings::{
    Backslashes, DotSegments, DoubleSlashes, EncodedSlashes, LetterCase, PathReadings, PathReadingsName,
    Semicolons,
};
use super::{CorsPreflight, MethodOverride, ScopeEntry};

/// Reads a field that may be left out, but not left empty: `until:` with nothing after it is a slip, and to
/// read it as no end at all would widen what it was to bound.
pub(super) fn written<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A type that is written as a word or as a mapping.
trait WordOrMapping: Sized {
    /// The mapping.
    type Mapping: for<'de> Deserialize<'de>;

    /// What people are told to write.
    const EXPECTING: &'static str;

    /// Reads the word; `None` where it is not one of those expected.
    fn from_word(word: &str) -> Option<Self>;

    /// Takes the mapping.
    fn from_mapping(mapping: Self::Mapping) -> Self;
}

impl WordOrMapping for ScopeEntry {
    type Mapping = super::ScopeDetails;
    const EXPECTING: &'static str = "a description, or a mapping with `description` and `implies`";

    fn from_word(word: &str) -> Option<Self> {
        Some(Self::Description(word.to_owned()))
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Details(mapping)
    }
}

impl WordOrMapping for Access {
    type Mapping = super::AccessRules;
    const EXPECTING: &'static str = "`public`, `authenticated`, or a mapping with `providers` and `scopes`";

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "public" => Some(Self::Named(AccessName::Public)),
            "authenticated" => Some(Self::Named(AccessName::Authenticated)),
            _ => None,
        }
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Rules(Box::new(mapping))
    }
}

impl WordOrMapping for ScopeItem {
    type Mapping = super::ScopeRequirement;
    const EXPECTING: &'static str = "a scope, or a mapping with `all`, `any` or `none`";

    fn from_word(word: &str) -> Option<Self> {
        Some(Self::Scope(word.to_owned()))
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Nested(Box::new(mapping))
    }
}

impl WordOrMapping for ClientItem {
    type Mapping = super::ClientOf;
    const EXPECTING: &'static str = "a client, or a mapping with `provider` and `client`";

    fn from_word(word: &str) -> Option<Self> {
        Some(Self::Name(word.to_owned()))
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Of(mapping)
    }
}

impl WordOrMapping for ActorItem {
    type Mapping = super::ActorOf;
    const EXPECTING: &'static str = "a subject, or a mapping with `provider` and `subject`";

    fn from_word(word: &str) -> Option<Self> {
        Some(Self::Subject(word.to_owned()))
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Of(mapping)
    }
}

impl WordOrMapping for Mode {
    type Mapping = super::Watched;
    const EXPECTING: &'static str = "`enforce`, or a mapping with `shadow`";

    fn from_word(word: &str) -> Option<Self> {
        (word == "enforce").then_some(Self::Named(ModeName::Enforce))
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Watched(mapping)
    }
}

impl WordOrMapping for ValueMatch {
    type Mapping = super::ValueRules;
    const EXPECTING: &'static str = "a text, or a mapping with `any` or `present`";

    fn from_word(word: &str) -> Option<Self> {
        Some(Self::Exactly(word.to_owned()))
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Rules(mapping)
    }
}

impl WordOrMapping for PathReadings {
    type Mapping = super::UpstreamReadings;
    const EXPECTING: &'static str =
        "`strict`, `case_insensitive`, or a mapping with `encoded_slashes` and its like";

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "strict" => Some(Self::Named(PathReadingsName::Strict)),
            "case_insensitive" => Some(Self::Named(PathReadingsName::CaseInsensitive)),
            _ => None,
        }
    }

    fn from_mapping(mapping: Self::Mapping) -> Self {
        Self::Upstream(Box::new(mapping))
    }
}

struct UnionVisitor<T>(PhantomData<T>);

impl<'de, T: WordOrMapping> Visitor<'de> for UnionVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        T::from_word(word).ok_or_else(|| {
            E::custom(format_args!(
                "`{}` is none of the words here; write {}",
                word.escape_debug(),
                T::EXPECTING
            ))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::Mapping::deserialize(MapAccessDeserializer::new(map)).map(T::from_mapping)
    }
}

macro_rules! deserialize_union {
    ($($type:ty),+) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(UnionVisitor(PhantomData))
            }
        }
    )+};
}

deserialize_union!(
    ScopeEntry,
    Access,
    ScopeItem,
    ClientItem,
    ActorItem,
    Mode,
    ValueMatch,
    PathReadings
);

/// Reads one of a few words, and says which where it is none of them.
macro_rules! deserialize_word {
    ($type:ident { $($word:literal => $variant:ident),+ }, $expecting:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = Cow::<'de, str>::deserialize(deserializer)?;
                match word.as_ref() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(D::Error::custom(format_args!(
                        concat!("`{}` is none of the words here; write ", $expecting),
                        other.escape_debug()
                    ))),
                }
            }
        }
    };
}

deserialize_word!(CorsPreflight { "pass" => Pass, "deny" => Deny }, "`pass` or `deny`");
deserialize_word!(MethodOverride { "refuse" => Refuse, "ignore" => Ignore }, "`refuse` or `ignore`");
deserialize_word!(LetterCase { "sensitive" => Sensitive, "insensitive" => Insensitive }, "`sensitive` or `insensitive`");
deserialize_word!(
    EncodedSlashes { "any" => Any, "kept" => Kept, "decoded" => Decoded },
    "`any`, `kept` or `decoded`"
);
deserialize_word!(
    Day {
        "sun" => Sun, "mon" => Mon, "tue" => Tue, "wed" => Wed, "thu" => Thu, "fri" => Fri, "sat" => Sat
    },
    "`mon`, `tue`, `wed`, `thu`, `fri`, `sat` or `sun`"
);
deserialize_word!(Backslashes { "any" => Any, "kept" => Kept }, "`any` or `kept`");
deserialize_word!(Semicolons { "any" => Any, "kept" => Kept }, "`any` or `kept`");
deserialize_word!(
    DoubleSlashes { "any" => Any, "kept" => Kept, "merged" => Merged },
    "`any`, `kept` or `merged`"
);
deserialize_word!(DotSegments { "any" => Any, "resolved" => Resolved }, "`any` or `resolved`");
