//! The policy document: both sections, what joins them, and how its JSON is read.
//!
//! The sections' own types live with the layer that enforces them. Nothing here gives them meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use scopegate_authn::section::AuthenticationSection;
use scopegate_authz::section::AuthorizationSection;
use scopegate_document::{PolicyError, json};

mod empty;
mod wording;

/// A Scopegate policy, format `v1`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Scopegate policy")]
pub struct PolicyDocument {
    /// The version of the format.
    pub scopegate: Format,
    /// What the policy is called, for records.
    #[serde(default)]
    pub metadata: Metadata,
    /// Proofs of identity; nothing in this section grants anything.
    #[serde(default)]
    pub authentication: AuthenticationSection,
    /// Permission; nothing in this section proves anything.
    pub authorization: AuthorizationSection,
    /// Which decisions are recorded.
    #[serde(default)]
    pub audit: Audit,
}

/// The versions of the format that this version reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Format {
    /// The first.
    #[serde(rename = "v1")]
    V1,
}

/// What the policy is called, for records.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Its name, as in `orders-api`.
    pub name: Option<String>,
    /// Its version, as in `3.1.0`.
    pub version: Option<String>,
    /// Who answers for it, as in `team-orders`.
    pub owner: Option<String>,
}

/// Which decisions are recorded, and what access logs are told of each.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Which authentication records are written.
    pub authentication: AuthenticationAudit,
    /// Which authorization records are written.
    pub authorization: AuthorizationAudit,
    /// The share of allowed requests that is recorded, from 0 to 1; refusals are never thinned.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample: f64,
    /// What access logs and later filters are told of each request, beside its code and its route. Whoever reads the
    /// proxy's logs reads it: who is calling is told only where it is named here.
    #[schemars(extend("uniqueItems" = true))]
    pub properties: Vec<Property>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            authentication: AuthenticationAudit::Failures,
            authorization: AuthorizationAudit::Denials,
            sample: 1.0,
            properties: Vec::new(),
        }
    }
}

/// Which authentication records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationAudit {
    /// Every one.
    All,
    /// Failures only.
    Failures,
    /// None.
    None,
}

/// Which authorization records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizationAudit {
    /// Every one.
    All,
    /// Denials only.
    Denials,
    /// None.
    None,
}

/// What access logs and later filters may be told of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// The layer that decided.
    Layer,
    /// The provider that proved who is calling.
    Provider,
    /// The subject: often a person.
    Subject,
    /// The client that acts for the subject.
    Client,
    /// The tenant of the caller.
    Tenant,
}

/// The JSON Schema of a policy document (draft 2020-12), made from the types that read it.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(PolicyDocument).to_value()
}

/// Reads strict JSON as a value.
///
/// # Errors
/// When the text is not strict JSON: duplicates, depth, encoding, syntax.
pub fn parse(text: &[u8]) -> Result<Value, PolicyError> {
    json::parse(text).map_err(|error| {
        PolicyError::new(
            "invalid_json",
            "",
            format!("the policy is not valid JSON: {error}"),
            "give the policy as one JSON object; `scopegate check` shows the place",
        )
    })
}

/// Reads a value as a policy document.
///
/// # Errors
/// The first field whose shape is wrong: unknown, missing, or of another type.
pub fn read(value: &Value) -> Result<PolicyDocument, PolicyError> {
    if let Some(error) = empty::find(value, "") {
        return Err(error);
    }
    let document: PolicyDocument = deserialize(value, SCHEMA_COMMAND)?;
    match fault(&document.audit) {
        None => Ok(document),
        Some(fault) => Err(fault),
    }
}

/// What the types let pass, and must not stand there.
fn fault(audit: &Audit) -> Option<PolicyError> {
    if !(0.0..=1.0).contains(&audit.sample) {
        return Some(PolicyError::new(
            "invalid_value",
            "audit.sample",
            format!("`{}` is no share", audit.sample),
            "write a number from 0 to 1",
        ));
    }
    let named = audit.properties.iter().enumerate();
    let mut again =
        named.filter(|(at, property)| audit.properties.iter().take(*at).any(|one| one == *property));
    again.next().map(|(at, _)| {
        PolicyError::new(
            "duplicate",
            format!("audit.properties[{at}]"),
            "the property is named twice",
            "remove one of the two",
        )
    })
}

/// The command that prints the schema of policies.
const SCHEMA_COMMAND: &str = "scopegate schema";

/// Reads a value as any document whose errors people should understand: a policy, a file of policy tests.
/// `schema` is the command that prints what may stand in such a document.
///
/// # Errors
/// The first field whose shape is wrong, in the words of the language.
pub fn deserialize<T: serde::de::DeserializeOwned>(value: &Value, schema: &str) -> Result<T, PolicyError> {
    scopegate_document::shape::read(value).map_err(|error| wording::policy_error(&error, schema))
}
