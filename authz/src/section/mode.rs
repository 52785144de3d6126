//! Modes as their authors write them: what is enforced, and what is only recorded.

use schemars::JsonSchema;
use scopegate_document::Instant;
use serde::{Deserialize, Serialize};

use super::union::written;

/// Whether a route, or the whole policy, is enforced: a word, or a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Mode {
    /// `enforce`: what is denied is refused.
    Named(ModeName),
    /// A would-be denial is recorded, and the request forwarded.
    Watched(Watched),
}

/// A mode in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    /// What is denied is refused.
    Enforce,
}

/// A mode in a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `shadow`")]
pub struct Watched {
    /// A would-be denial is recorded, and the request forwarded.
    pub shadow: Shadow,
}

/// A dry run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `until`")]
pub struct Shadow {
    /// When it ends: from this second on everything is enforced.
    pub until: Instant,
    /// The layers it covers; authorization alone by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub layers: Option<Vec<ShadowLayer>>,
}

/// A layer that a dry run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShadowLayer {
    /// Who is calling.
    Authentication,
    /// What they may do.
    Authorization,
}
