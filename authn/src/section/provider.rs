//! One provider of identity: the fields of every provider type in one flat struct.
//!
//! One struct with a `type` keeps the paths of faults exact, where a tagged union would blur them; which
//! field belongs to which type is checked when the section is compiled.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use scopegate_document::Duration;

use super::{Keys, SecretReference};
use crate::Algorithm;

/// A provider: somebody who vouches for callers, and how its proofs are checked.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSection {
    /// The name of the provider, unique in the policy. Rules and audit records use it.
    pub name: String,
    /// What kind of credential the provider issues.
    #[serde(rename = "type")]
    pub provider_type: ProviderType,
    /// The exact `iss` of its tokens (RFC 7519 section 4.1.1). Not with `profile: spiffe`. Introspection answers need
    /// none; where it is named for them, they must have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The trust domains of its SPIFFE IDs, as in `prod.example.com` (`mtls`, and `jwt` with `profile: spiffe`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domains: Option<Vec<String>>,
    /// The DNS names of its certificates, exact and in lower case, where they have no SPIFFE ID (`mtls` only, in
    /// place of `trust_domains`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_names: Option<Vec<String>>,
    /// The audiences that name this API; a token must carry one of them, compared whole (RFC 8725 section 3.9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// The signature algorithms its tokens may use (RFC 7518 section 3.1). There is no default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<Algorithm>>,
    /// The rules its tokens follow; `jwt` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// The keys that verify its credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// How far clocks may differ, for `exp`, `nbf` and `iat` only. `30s` where it is left out, at most `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew: Option<Duration>,
    /// The longest life of a token, `exp - iat` (`exp - now` without `iat`). `24h` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<MaxLifetime>,
    /// What a token must say beyond what its profile asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Require>,
    /// Which claims say who is calling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimMapping>,
    /// The proof of possession a token is bound to; `none` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// How DPoP proofs are checked, with `binding: dpop` or `any` (RFC 9449).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop: Option<DpopSection>,
    /// Where a request carries the credential; `Authorization: Bearer` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialLocationSection>,
    /// Whether the upstream gets the credential too; it is removed where this is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_credential: Option<bool>,
    /// Whether the proxy itself refuses certificates it did not verify (`mtls` only): with Envoy, a validation
    /// context without `ACCEPT_UNTRUSTED`. Of resumed sessions Envoy says that nothing was verified, so that callers
    /// that resume are refused without this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_verifies: Option<bool>,
    /// The SPIFFE IDs of the hops in front whose `X-Forwarded-Client-Cert` is believed, as in
    /// `spiffe://prod.example.com/ingress`; none where it is left out (`mtls` only). With Envoy, the connection
    /// manager needs `forward_client_cert_details: FORWARD_ONLY` or `APPEND_FORWARD`, and the hop
    /// `SANITIZE_SET` with `set_current_client_cert_details` (`uri: true` or `dns: true`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_by: Option<Vec<String>>,
    /// The introspection endpoint (`introspection` only, RFC 7662).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The proxy's name for where introspection requests are sent (`introspection` only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// How this API proves itself to the introspection endpoint (`introspection` only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// How long an introspection answer may be reused, never beyond its `exp` (`introspection` only). Every request
    /// asks where it is left out; at most `1h`, for so long a token may pass after it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Duration>,
}

/// The kind of credential a provider issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderType {
    /// Signed tokens (RFC 7519).
    Jwt,
    /// Opaque keys, known by their SHA-256.
    ApiKey,
    /// Client certificates with a SPIFFE ID, or with a DNS name that is listed.
    Mtls,
    /// Opaque tokens, looked up at the issuer (RFC 7662).
    Introspection,
}

/// The rules that the tokens of a provider follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Access tokens by RFC 7519 with RFC 8725: `typ` is absent, `JWT` or `at+jwt`. ID tokens, logout tokens,
    /// introspection answers and JWT-SVIDs are refused by what distinguishes them.
    #[default]
    Jwt,
    /// OAuth 2.0 access tokens as RFC 9068 has them: `typ` is `at+jwt`, seven claims are required.
    Rfc9068,
    /// JWT-SVIDs of SPIFFE: `trust_domains` in place of `issuer`, keys with `use: jwt-svid` only.
    Spiffe,
    /// Bound service account tokens of Kubernetes: `sub` and the claims under `kubernetes.io` must agree.
    Kubernetes,
    /// ID tokens of OpenID Connect, for APIs that take them as credentials: `audiences` are the client ids.
    IdToken,
}

/// The proof of possession a token is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// None: a bearer token.
    #[default]
    None,
    /// A DPoP proof (RFC 9449).
    Dpop,
    /// The client certificate of the connection (RFC 8705).
    Mtls,
    /// Either of the two.
    Any,
}

/// How DPoP proofs are checked (RFC 9449 section 4.3).
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DpopSection {
    /// The algorithms a proof may be signed with, none of them symmetric. Every one that is built in where it is
    /// left out: a caller chooses its own key, and the issuer bound the token to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<Algorithm>>,
    /// How old a proof may be, `now - iat`, besides `clock_skew`. `60s` where it is left out, at most `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// Whether a proof must carry a nonce that this API issued; `none` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<DpopNonce>,
}

/// Whether a DPoP proof must carry a nonce that this API issued (RFC 9449 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DpopNonce {
    /// It need not, and one that it carries is not looked at.
    #[default]
    None,
    /// It must: proofs cannot be made in advance. Callers without one are told to try again with the one they are
    /// given.
    Required,
}

/// Where a request carries a credential: `{header, scheme}`, `{cookie}` or `{query}`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialLocationSection {
    /// The name of a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The scheme that stands before the credential in the header, as in `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// The name of a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// The name of a query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// Which claims say who is calling. A name is a dotted path; one that begins with `/` is a JSON Pointer.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimMapping {
    /// The claims that hold scopes: strings of words or arrays of strings; several unite. `[scope, scp]` where
    /// it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The claim that names the subject; `sub` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The claim that names the client; `client_id` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The claim that names the tenant; none where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The claims that hold roles; none where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// What a token must say beyond what its profile asks for.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// Claims that must be there, each with the values it may have. An array must hold one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<BTreeMap<String, RequiredValues>>,
}

/// The values a required claim may have: one, or a list of alternatives.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RequiredValues {
    /// One value.
    One(Scalar),
    /// Any of these.
    AnyOf(Vec<Scalar>),
}

impl RequiredValues {
    /// The values, as a list.
    #[must_use]
    pub fn as_slice(&self) -> &[Scalar] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::AnyOf(values) => values,
        }
    }
}

impl<'de> Deserialize<'de> for RequiredValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match Value::deserialize(deserializer)? {
            Value::Array(list) => list
                .iter()
                .map(Scalar::read)
                .collect::<Option<_>>()
                .map(Self::AnyOf),
            value @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_)) => Scalar::read(&value).map(Self::One),
        };
        values.ok_or_else(|| {
            D::Error::custom("a required value is a string, a number or a boolean, or a list of them")
        })
    }
}

/// A string, a boolean or a number.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A string.
    String(String),
}

impl Scalar {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Boolean(*value)),
            Value::Number(number) => number
                .as_i64()
                .map(Self::Integer)
                .or_else(|| number.as_f64().map(Self::Number)),
            Value::String(text) => Some(Self::String(text.clone())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// How this API proves itself to an introspection endpoint. Exactly one of `basic`, `bearer`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuth {
    /// HTTP Basic with a client id and its secret (RFC 6749 section 2.3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// An access token of its own, sent as `Bearer` (RFC 7662 section 2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretReference>,
}

/// A client id and its secret from the environment, each encoded as a form field before they are joined.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The client id.
    pub username: String,
    /// Where the secret is.
    pub password: SecretReference,
}

/// The longest life of a token: a duration, or `unlimited` in writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxLifetime {
    /// At most this long.
    Limited(Duration),
    /// No limit.
    Unlimited,
}

impl<'de> Deserialize<'de> for MaxLifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        match text.as_ref() {
            "unlimited" => Ok(Self::Unlimited),
            text => text.parse().map(Self::Limited).map_err(|_| {
                let text = text.escape_debug();
                D::Error::custom(format_args!(
                    "`{text}` is no length of time; write one as in `1h`, or `unlimited`"
                ))
            }),
        }
    }
}

impl Serialize for MaxLifetime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Limited(duration) => serializer.collect_str(duration),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

impl JsonSchema for MaxLifetime {
    fn schema_name() -> Cow<'static, str> {
        "MaxLifetime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+[smhd]|unlimited)$",
            "description": "a length of time (30s, 10m, 1h, 7d), or `unlimited`",
        })
    }
}
