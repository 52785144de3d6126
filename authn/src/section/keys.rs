//! The `keys` of a provider: a JWK set, where to get one, or a list of keys.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use scopegate_document::{Duration, Instant};

use crate::Algorithm;

/// The keys of a provider: a mapping that says where a JWK set is, or a list of keys.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Keys {
    /// A JWK set (RFC 7517 section 5), inline or from elsewhere.
    Set(Box<KeySource>),
    /// Symmetric keys of a `jwt` provider, or the keys of an `api_key` provider.
    List(Vec<KeyEntry>),
}

/// Where a JWK set is. Exactly one of `jwks`, `jwks_file`, `jwks_uri`, `discovery`.
#[derive(Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySource {
    /// The JWK set itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// A file with the JWK set, relative to the policy. The command line puts its content in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<String>,
    /// A URL of the JWK set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// A URL of metadata that names the JWK set (OpenID Connect Discovery, RFC 8414).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<String>,
    /// The proxy's name for where the fetch is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// How often the set is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Duration>,
    /// How old a set may grow while fetches fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stale: Option<Duration>,
}

/// One key of a list: `{kid, alg, secret}` for a `jwt` provider, `{id, sha256, subject, ...}` for `api_key`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// The key id that tokens name (RFC 7515 section 4.1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The one algorithm of a symmetric key: `HS256`, `HS384` or `HS512`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<Algorithm>,
    /// Where the secret is: base64url, at least as long as the hash (RFC 7518 section 3.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretReference>,
    /// The name of an API key, for audit records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The SHA-256 of an API key: 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whom an API key stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The tenant of an API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The client of an API key, where the subject is somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// When an API key ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Instant>,
}

/// A secret that stands outside the policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretReference {
    /// The name of the environment variable that holds it.
    pub env: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(source) => source.fmt(f),
            Self::List(entries) => entries.fmt(f),
        }
    }
}

impl fmt::Debug for KeySource {
    /// Without the set: an inline one may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            jwks,
            jwks_file,
            jwks_uri,
            discovery,
            upstream,
            refresh,
            max_stale,
        } = self;
        f.debug_struct("KeySource")
            .field(
                "jwks",
                &jwks.as_ref().map(|_| format_args!("[redacted]").to_string()),
            )
            .field("jwks_file", jwks_file)
            .field("jwks_uri", jwks_uri)
            .field("discovery", discovery)
            .field("upstream", upstream)
            .field("refresh", refresh)
            .field("max_stale", max_stale)
            .finish()
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeysVisitor)
    }
}

/// Tells a mapping from a list without buffering, so that the paths of faults inside stay exact.
struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping such as `{jwks: ...}`, or a list of keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Keys, A::Error> {
        KeySource::deserialize(MapAccessDeserializer::new(map)).map(|source| Keys::Set(Box::new(source)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Keys, A::Error> {
        Vec::<KeyEntry>::deserialize(SeqAccessDeserializer::new(seq)).map(Keys::List)
    }
}

impl JsonSchema for Keys {
    fn schema_name() -> Cow<'static, str> {
        "Keys".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (set, list) = (
            generator.subschema_for::<KeySource>(),
            generator.subschema_for::<Vec<KeyEntry>>(),
        );
        json_schema!({
            "description": "a mapping that says where a JWK set is, or a list of keys",
            "anyOf": [set, list],
        })
    }
}
