//! Routes as their authors write them: what they match.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::matching::ValueMatch;
use super::mode::Mode;
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
    /// Whether it is enforced or only watched; as the policy says, where it is left out.
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
    /// Headers that select among routes of one path, by name. Names without regard to case, values whole and with
    /// case.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub headers: Option<BTreeMap<String, ValueMatch>>,
    /// Query parameters that select among routes of one path, by name, decoded.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub query: Option<BTreeMap<String, ValueMatch>>,
    /// Media types of the body that select among routes of one path (RFC 9110 section 8.3.1), without parameters
    /// and without regard to case; `application/*` for all of a type.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub content_type: Option<Vec<String>>,
}
