//! `path_readings`, as its authors write it: what the upstream is known to do with a path.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::union::written;

/// The readings of a path that the upstream could make: a word, or a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum PathReadings {
    /// `strict` or `case_insensitive`.
    Named(PathReadingsName),
    /// What the upstream really does, field by field.
    Upstream(Box<UpstreamReadings>),
}

/// Readings in a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathReadingsName {
    /// The usual ones; letters are compared with their case.
    #[default]
    Strict,
    /// The usual ones, and each of them with its case folded, for upstreams that fold.
    CaseInsensitive,
}

/// What the upstream really does with a path. A field that is left out is as in `strict`: whatever an upstream
/// could do is looked at. Each statement must be true of every hop behind the proxy; what is forwarded stays byte
/// for byte what came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with `case`, `encoded_slashes` and their like"
)]
pub struct UpstreamReadings {
    /// Whether letters are compared with their case.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub case: Option<LetterCase>,
    /// What becomes of `%2F`.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub encoded_slashes: Option<EncodedSlashes>,
    /// What becomes of `\` and `%5C`.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub backslashes: Option<Backslashes>,
    /// What becomes of `;` and `%3B`.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub semicolons: Option<Semicolons>,
    /// What becomes of `//`.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub double_slashes: Option<DoubleSlashes>,
    /// What becomes of `.` and `..` as segments.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub dot_segments: Option<DotSegments>,
}

/// How letters are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterCase {
    /// With their case.
    #[default]
    Sensitive,
    /// The upstream may fold them: both readings are looked at.
    Insensitive,
}

/// What the upstream does with `%2F`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodedSlashes {
    /// Not known: both readings are looked at.
    #[default]
    Any,
    /// It stays within its segment: a parameter may hold a slash.
    Kept,
    /// It is a `/` like any other.
    Decoded,
}

/// What the upstream does with `\` and `%5C`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backslashes {
    /// Not known: both readings are looked at.
    #[default]
    Any,
    /// It is a character like any other, and never a `/`.
    Kept,
}

/// What the upstream does with `;` and `%3B`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semicolons {
    /// Not known: with and without what follows it.
    #[default]
    Any,
    /// It is a character like any other: nothing is stripped.
    Kept,
}

/// What the upstream does with `//`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoubleSlashes {
    /// Not known: both readings are looked at.
    #[default]
    Any,
    /// There is an empty segment between them.
    Kept,
    /// They are one.
    Merged,
}

/// What the upstream does with `.` and `..` as segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DotSegments {
    /// Not known: both readings are looked at.
    #[default]
    Any,
    /// They are resolved before anything is served (RFC 3986 section 5.2.4).
    Resolved,
}
