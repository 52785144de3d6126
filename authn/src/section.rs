//! The `authentication` section of a policy document, as its authors write it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `authentication` section: proofs of identity. Nothing in it grants anything.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthenticationSection {
    /// The protection space named in challenges (RFC 9110 section 11.5).
    pub realm: Option<String>,
}
