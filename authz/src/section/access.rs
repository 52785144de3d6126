//! Access as its authors write it: who may pass a route, and what must hold for them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use scopegate_document::Duration;
use serde::{Deserialize, Serialize};

use super::condition::Window;
use super::union::written;

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
    /// The clients through which callers may come: names, or mappings where the route takes several providers.
    /// Left out: any.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub clients: Option<Vec<ClientItem>>,
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
    /// Authentication contexts, one of which the caller's must be (`acr`, RFC 9470 section 3).
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub acr: Option<Vec<String>>,
    /// Methods by which the caller must have authenticated (`amr`, RFC 8176).
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub amr: Option<AuthenticationMethods>,
    /// The greatest age of the authentication (`auth_time`, RFC 9470 section 3).
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_auth_age: Option<Duration>,
    /// Who may act for the caller (RFC 8693 section 4.1). Left out: tokens with an actor are denied.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub actors: Option<Actors>,
    /// The hours in which the route is open; any of them. Left out: always.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub windows: Option<Vec<Window>>,
    /// Networks from which requests may come, as in `10.0.0.0/8`: by the address that the proxy names.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub sources: Option<Vec<String>>,
    /// Headers that a request must have, once, with these values.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub headers: Option<BTreeMap<String, String>>,
    /// Parameters that the query must have, once, with these values.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub query: Option<BTreeMap<String, String>>,
    /// Variables that the proxy's environment must have, with these values. Read when the policy is.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub environment: Option<BTreeMap<String, String>>,
    /// An expression (CEL) over the request, the caller and the policy, which must be true.
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

/// A client of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ClientItem {
    /// A client of the route's one provider.
    Name(String),
    /// A client of one of several providers.
    Of(ClientOf),
}

/// A client of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `provider` and `client`")]
pub struct ClientOf {
    /// The provider that vouches for it.
    pub provider: String,
    /// Its name, compared whole.
    pub client: String,
}

/// Methods by which a caller must have authenticated (RFC 8176). What is written must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `all` or `any`")]
pub struct AuthenticationMethods {
    /// Every one of these.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub all: Option<Vec<String>>,
    /// At least one of these.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub any: Option<Vec<String>>,
}

/// Who may act for the caller (RFC 8693 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `allow` and `max_depth`")]
pub struct Actors {
    /// The actors: subjects, or mappings where the route takes several providers. Only the outermost actor of
    /// a token is looked for here; those within are history.
    pub allow: Vec<ActorItem>,
    /// How long the chain of delegation may be; 1 by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_depth: Option<u32>,
    /// Whether callers must come through one of the actors; `false` by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub required: Option<bool>,
}

/// An actor of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ActorItem {
    /// A subject of the route's one provider.
    Subject(String),
    /// A subject of one of several providers.
    Of(ActorOf),
}

/// An actor whom a provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `provider` and `subject`")]
pub struct ActorOf {
    /// The provider of the tokens that name the actor.
    pub provider: String,
    /// The actor's subject (`act.sub`), compared whole.
    pub subject: String,
}
