//! What a route may match beyond host, method and path, as its authors write it: the values of headers and of
//! query parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::union::written;

/// What a header or a query parameter must be: a text, or a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ValueMatch {
    /// It is there with exactly this value.
    Exactly(String),
    /// It has one of several values, or is there or not.
    Rules(ValueRules),
}

/// One of several values, or presence alone. Exactly one of the fields is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `any` or `present`")]
pub struct ValueRules {
    /// It is there with one of these values.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub any: Option<Vec<String>>,
    /// `true`: it is there, whatever its value; `false`: it is not there.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub present: Option<bool>,
}
