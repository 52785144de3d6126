//! The `authorization` section of a policy document, as its authors write it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `authorization` section: permission. Nothing in it proves anything.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationSection {}
