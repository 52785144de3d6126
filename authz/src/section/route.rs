//! Routes as their authors write them: what they match, and who may pass.

use schemars::JsonSchema;
use scopegate_document::{Duration, Instant};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::union::written;

/// One thing that may be asked of the API, and by whom.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `id`, `match` and `access`")]
pub struct Route {
    /// Its name: unique, stable, safe to log.
    pub id: String,
    /// The requests it is about.
    #[serde(rename = "match")]
    pub matches: RouteMatch,
    /// Who may pass.
    pub access: Access,
    /// A dry run of the route. Not enforced by this version.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub mode: Option<Mode>,
}

/// The requests a route is about.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `path` or `grpc`")]
pub struct RouteMatch {
    /// Lower-case hosts (A-labels), with or without a port; `*.example.com` for one or more labels before it.
    /// Left out: any host.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub hosts: Option<Vec<String>>,
    /// Methods, case-sensitive (RFC 9110 section 9.1). Left out: any but OPTIONS.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub methods: Option<Vec<String>>,
    /// The pattern of the path: literal segments, `{name}` for one segment, a trailing `/**` for the path
    /// itself and everything below.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub path: Option<String>,
    /// A gRPC method, `package.Service/Method`: the same as POST of that path.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub grpc: Option<String>,
    /// Headers that select among routes of one path. Not enforced by this version.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub headers: Option<Value>,
    /// Query parameters that select among routes of one path. Not enforced by this version.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub query: Option<Value>,
    /// Content types that select among routes of one path. Not enforced by this version.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub content_type: Option<Value>,
}

/// Who may pass: a word, or a mapping.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Access {
    /// `public` or `authenticated`.
    Named(AccessName),
    /// Callers of some providers, with some scopes.
    Rules(Box<AccessRules>),
}

/// Access in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessName {
    /// Anybody: nobody is asked to prove anything, not even with a valid credential.
    Public,
    /// Any caller of the one provider of the policy.
    Authenticated,
}

/// Callers of some providers, with some scopes. Everything that is written must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `providers` and `scopes`")]
pub struct AccessRules {
    /// The providers whose callers may pass. May be left out where the policy has exactly one.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub providers: Option<Vec<String>>,
    /// The scopes they need.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub scopes: Option<ScopeRequirement>,
    /// `true` says in writing that no scope is needed.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub authenticated: Option<bool>,
    /// A parameter of the path, `{tenant}`, that must equal the caller's tenant.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub tenant: Option<String>,
    /// Authentication contexts, any of them (RFC 9470). Not enforced by this version.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub acr: Option<Vec<String>>,
    /// The greatest age of the authentication (RFC 9470). Not enforced by this version.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_auth_age: Option<Duration>,
    /// Who may act for the caller (RFC 8693 section 4.1). Not enforced by this version: tokens with an actor
    /// are denied.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub actors: Option<Actors>,
    /// A condition (CEL) on the caller and the request. Not enforced by this version.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub when: Option<String>,
}

/// A requirement on the caller's scopes. What is written must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `all`, `any` or `none`")]
pub struct ScopeRequirement {
    /// Every one of these.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub all: Option<Vec<ScopeItem>>,
    /// At least one of these.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub any: Option<Vec<ScopeItem>>,
    /// None of these; looked for among the caller's scopes before ceilings cut them.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub none: Option<Vec<ScopeItem>>,
}

/// An item of a requirement: a scope, or a nested requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ScopeItem {
    /// A scope of the catalogue; `orders:*` stands for those with exactly one more segment.
    Scope(String),
    /// A nested requirement.
    Nested(Box<ScopeRequirement>),
}

/// Who may act for the caller (RFC 8693 section 4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `max_depth` and `allow`")]
pub struct Actors {
    /// How long the chain of delegation may be.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_depth: Option<u32>,
    /// The actors.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub allow: Option<Vec<Value>>,
}

/// How a route is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `shadow`")]
pub struct Mode {
    /// A would-be denial is recorded, and the request forwarded.
    pub shadow: Shadow,
}

/// A dry run of a route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `until`")]
pub struct Shadow {
    /// When it ends.
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
