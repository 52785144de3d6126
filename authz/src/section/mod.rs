//! The `authorization` section of a policy document, as its authors write it.
//!
//! These types know the whole language; a field that they do not know is refused, never ignored. Nothing here
//! decides; see `compile`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use scopegate_document::Instant;
use serde::{Deserialize, Serialize};

mod access;
mod condition;
mod matching;
mod mode;
mod readings;
mod route;
mod union;

use union::written;

pub use access::{
    Access, AccessName, AccessRules, ActorItem, ActorOf, Actors, AuthenticationMethods, ClientItem, ClientOf,
    ScopeItem, ScopeRequirement,
};
pub use condition::{Conditions, Day, Window};
pub use matching::{ValueMatch, ValueRules};
pub use mode::{Mode, ModeName, Shadow, ShadowLayer, Watched};
pub use readings::{
    Backslashes, DotSegments, DoubleSlashes, EncodedSlashes, LetterCase, PathReadings, PathReadingsName,
    Semicolons, UpstreamReadings,
};
pub use route::{Route, RouteMatch};

/// The `authorization` section: permission. Nothing in it proves anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with `scopes`, `routes` and their like"
)]
pub struct AuthorizationSection {
    /// The catalogue: every scope that a rule names must be here; scopes of callers that are not are dropped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, ScopeEntry>,
    /// What each role of a credential stands for, in scopes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Vec<String>>,
    /// The most that a provider, or some callers of it, can ever confer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ceilings: Vec<Ceiling>,
    /// Authority for identities that carry none; elevation with an end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// What may be asked of the API, and by whom. A request that matches no route is denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// What happens to a CORS preflight that no route lists; `deny` by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub cors_preflight: Option<CorsPreflight>,
    /// What happens to a request with a method-override header; `refuse` by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub method_override: Option<MethodOverride>,
    /// What the upstream is known to do with a path; `strict` by default: whatever an upstream could do.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub path_readings: Option<PathReadings>,
    /// What the expressions of `when` may read of a request, beside what they always may.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub conditions: Option<Conditions>,
    /// Whether the policy is enforced or only watched; a route's own `mode` wins. `enforce` by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub mode: Option<Mode>,
}

/// A scope of the catalogue: its description, or a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ScopeEntry {
    /// What the scope allows, for people.
    Description(String),
    /// A scope that implies others, or that has no description.
    Details(ScopeDetails),
}

/// A scope of the catalogue, in full.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `description` and `implies`")]
pub struct ScopeDetails {
    /// What the scope allows, for people.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub description: Option<String>,
    /// The scopes that whoever has this one has too.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub implies: Option<Vec<String>>,
}

/// The most that a provider, or some callers of it, can ever confer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `provider` and `scopes`")]
pub struct Ceiling {
    /// The provider that is bounded.
    pub provider: String,
    /// Only callers with this subject.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub subject: Option<String>,
    /// Only callers with this client.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub client: Option<String>,
    /// Only callers of this tenant.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub tenant: Option<String>,
    /// What is let through: names, `orders:*` for exactly one more segment, `*` for the whole catalogue.
    pub scopes: Vec<String>,
}

/// Authority that the policy itself gives to some callers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `caller` and `scopes`")]
pub struct Grant {
    /// To whom.
    pub caller: CallerSelector,
    /// What: names, or `orders:*` for exactly one more segment.
    pub scopes: Vec<String>,
    /// When it ends: from this second on it is worth nothing.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<Instant>,
    /// Why it was given; named in the audit record of each request that used it. Required beside `until`.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub reason: Option<String>,
    /// The hours in which it counts; any of them. Left out: always.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub windows: Option<Vec<Window>>,
    /// The ids of the routes it is for. Left out: all.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub routes: Option<Vec<String>>,
}

/// Some callers: all of a provider, or those with a subject, a client or a tenant (all that are written).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with `provider`, and `subject`, `client` or `tenant`"
)]
pub struct CallerSelector {
    /// The provider that vouches for them.
    pub provider: String,
    /// Their subject, compared whole.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub subject: Option<String>,
    /// Their client, compared whole.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub client: Option<String>,
    /// Their tenant, compared whole.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub tenant: Option<String>,
}

/// What happens to a CORS preflight that no route lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CorsPreflight {
    /// It passes without credentials, where a route exists for the method it asks about.
    Pass,
    /// It is a request like any other: `no_route` unless a route lists OPTIONS.
    #[default]
    Deny,
}

/// What happens to a request with a method-override header, as in `X-HTTP-Method-Override`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MethodOverride {
    /// It is refused: the upstream could act on another method than the one authorized here.
    #[default]
    Refuse,
    /// The header is ignored: the upstream is known to do the same.
    Ignore,
}
