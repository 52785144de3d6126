//! The `*.test.yaml` format, as its authors write it. Nothing here gives it meaning.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use scopegate_document::{Duration, Instant};

use crate::proofs::ProofSpec;
use crate::tokens::TokenSpec;

/// Tests of one policy.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Scopegate policy tests")]
pub struct TestDocument {
    /// The policy: a path, or several that are joined; relative to this file.
    pub policy: OneOrMany,
    /// Files with keys, tokens, upstreams and an environment that this one has too: a path, or several; relative to
    /// this file.
    #[serde(default)]
    pub fixtures: Option<OneOrMany>,
    /// What time it is for the policy; 2026-01-01T00:00:00Z where it does not matter.
    pub now: Option<Instant>,
    /// The environment of the plugin, for secrets that the policy names by `{env: NAME}`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Keys, made at run time. The keys of each provider named here are replaced by these.
    #[serde(default)]
    pub keys: BTreeMap<String, KeySpec>,
    /// Tokens, made at run time.
    #[serde(default)]
    pub tokens: BTreeMap<String, TokenSpec>,
    /// What the policy's upstreams answer, by the names that the policy gives them; the first that fits counts, and
    /// what none fits is 404. An upstream that is not described breaks every connection. The keys of a provider
    /// whose upstream is described are fetched from there, and not replaced.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Vec<UpstreamSpec>>,
    /// The tests.
    #[serde(default)]
    pub tests: Vec<TestSpec>,
    /// Callers against requests. A cell that is not listed fails.
    pub matrix: Option<MatrixSpec>,
}

/// What several test files share. It is named by their `fixtures`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Scopegate test fixtures")]
pub struct FixtureDocument {
    /// Files that this one takes from in turn; relative to this file.
    pub fixtures: Option<OneOrMany>,
    /// The environment of the plugin.
    pub environment: BTreeMap<String, String>,
    /// Keys, made at run time.
    pub keys: BTreeMap<String, KeySpec>,
    /// Tokens, made at run time.
    pub tokens: BTreeMap<String, TokenSpec>,
    /// What the policy's upstreams answer.
    pub upstreams: BTreeMap<String, Vec<UpstreamSpec>>,
}

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A key made at run time.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Its algorithm, as in `ES256`.
    pub alg: String,
    /// The provider that publishes it; a key of no provider is a rogue's.
    pub provider: Option<String>,
    /// Its id; by default its name here.
    pub kid: Option<String>,
}

/// What an upstream answers to one kind of request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamSpec {
    /// The method; any where it is left out.
    pub method: Option<String>,
    /// The path without its query; any where it is left out.
    pub path: Option<String>,
    /// Fields that the form in the body must have. `{{name}}` stands for the token of that name.
    pub form: BTreeMap<String, String>,
    /// The status; 200 by default.
    pub status: Option<u16>,
    /// The headers. With an `etag`, who asks with that tag is answered 304.
    pub headers: BTreeMap<String, String>,
    /// The body, as JSON. `{{name}}` in a text stands for the token of that name.
    pub json: Option<Value>,
    /// The body, as text. `{{name}}` stands for the token of that name.
    pub body: Option<String>,
    /// The body: a JWK Set of these keys.
    pub jwks: Option<Vec<String>>,
    /// There is no answer.
    pub fails: Option<FailSpec>,
}

/// How an upstream fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailSpec {
    /// The connection breaks.
    Broken,
    /// The request is never answered.
    Silent,
}

/// One test: a request and what is expected, or several steps.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSpec {
    /// What is tested, in words.
    pub name: String,
    /// The request.
    pub request: Option<RequestSpec>,
    /// What is expected.
    pub expect: Option<ExpectSpec>,
    /// Several steps, with state that lasts from one to the next.
    #[serde(default)]
    pub steps: Vec<StepSpec>,
    /// What is different when the test runs in Envoy.
    pub envoy: Option<HostNote>,
}

/// One step of a test: a request with what is expected, or a change of the world.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// The request.
    pub request: Option<RequestSpec>,
    /// What is expected.
    pub expect: Option<ExpectSpec>,
    /// Moves the clock forward. What is due meanwhile is fetched.
    pub advance: Option<Duration>,
    /// Changes what upstreams answer: these answers come before those that are there, and replace those to the same
    /// requests.
    pub answer: Option<BTreeMap<String, Vec<UpstreamSpec>>>,
    /// Gives the plugin another policy: a path, or several.
    pub reconfigure: Option<OneOrMany>,
    /// Whether that policy is expected to be taken; by default it is.
    pub accepted: Option<bool>,
}

/// What is different in one host, which may answer before the plugin is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostNote {
    /// The host answers by itself, with this status.
    pub status: Option<u16>,
    /// The test cannot run there, for this reason.
    pub skip: Option<String>,
}

/// A request.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpec {
    /// The method; `GET` by default.
    pub method: Option<String>,
    /// The request target; `/` by default. `{{name}}` stands for the token of that name.
    pub path: Option<String>,
    /// The request target in hex, in place of `path`, for bytes that are no text.
    pub path_hex: Option<String>,
    /// The authority; by default the first of the policy's origins. Null sends none.
    #[serde(deserialize_with = "stated")]
    #[schemars(with = "Option<String>")]
    pub authority: Option<Option<String>>,
    /// The scheme; `https` by default.
    pub scheme: Option<String>,
    /// Headers: a mapping of names to values, or a list of [name, value] pairs. `{{name}}` in a value stands
    /// for the token of that name.
    pub headers: HeadersSpec,
    /// Further headers, as [name, hex of the value] pairs.
    pub headers_hex: Vec<(String, String)>,
    /// Tokens to send, each where its provider reads it.
    pub token: Option<OneOrMany>,
    /// The body.
    pub body: Option<String>,
    /// The DPoP proof it carries (RFC 9449). Its token then travels with the scheme `DPoP`.
    pub dpop: Option<ProofSpec>,
    /// Who is at the other end of the connection.
    pub peer: Option<PeerSpec>,
}

/// The other end of a connection, with a client certificate that has these names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeerSpec {
    /// The URI names of the certificate.
    pub uri_sans: Vec<String>,
    /// The DNS names of the certificate.
    pub dns_sans: Vec<String>,
    /// The SHA-256 of the certificate in hex; what it really is where it is left out.
    pub cert_sha256: Option<String>,
    /// Whether the proxy has verified the certificate; it has where this is left out.
    pub verified: Option<bool>,
    /// The address, as in `192.0.2.1:4711`.
    pub address: Option<String>,
}

/// Headers of a request.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a mapping of names to texts, or a list of [name, value] pairs"
)]
pub enum HeadersSpec {
    /// By name.
    Mapping(BTreeMap<String, OneOrMany>),
    /// In order.
    Pairs(Vec<(String, String)>),
}

impl Default for HeadersSpec {
    fn default() -> Self {
        Self::Pairs(Vec::new())
    }
}

/// What is expected of an answer.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectSpec {
    /// The request is forwarded: by this route, or `true` for any. `false` beside a `status`: it is refused, whatever
    /// the code.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Allow")]
    pub allow: Option<Allow>,
    /// The request is refused with this code.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub deny: Option<String>,
    /// The request is refused with this code, by authentication.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub reject: Option<String>,
    /// The request is forwarded, and would be refused with this code were the route enforced.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub would_deny: Option<String>,
    /// The route that was selected; null for none.
    #[serde(deserialize_with = "stated")]
    #[schemars(with = "Option<String>")]
    pub route: Option<Option<String>>,
    /// The layer that decided.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub layer: Option<String>,
    /// The status of the reply.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "u16")]
    pub status: Option<u16>,
    /// Headers of the reply; null for a header that must be absent.
    pub headers: BTreeMap<String, Option<HeaderExpect>>,
    /// The body of the reply: its text, or members that it must have.
    #[serde(deserialize_with = "present")]
    pub body: Option<Value>,
    /// Headers that the upstream sees; null for a header that must be absent.
    pub upstream: BTreeMap<String, Option<HeaderExpect>>,
    /// The request target that the upstream sees.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub upstream_path: Option<String>,
    /// Audit records: for each one listed a record of its own must have been written, with at least these members. An
    /// empty list says that none was written.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<Value>")]
    pub audit: Option<Vec<Value>>,
    /// What the plugin asked upstreams for since the request before: all of it. An empty list says that it asked for
    /// nothing.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<CalloutExpect>")]
    pub callouts: Option<Vec<CalloutExpect>>,
    /// By how much counters grew since the request before, by name; 0 for one that did not. Of a gauge, what it shows;
    /// of a histogram, how many values were added.
    pub metrics: BTreeMap<String, u64>,
    /// What the plugin told the proxy of the request, as logs see it: properties by dotted path, as in
    /// `scopegate.code`; null for one that must not be set.
    pub properties: BTreeMap<String, Option<String>>,
}

/// What the plugin asks an upstream for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalloutExpect {
    /// The name that the policy gives the upstream.
    pub upstream: String,
    /// The method; any where it is left out.
    pub method: Option<String>,
    /// The path without its query; any where it is left out.
    pub path: Option<String>,
    /// How often; once where it is left out.
    pub times: Option<usize>,
}

/// That a request is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "expected the id of a route, or true")]
pub enum Allow {
    /// By this route.
    Route(String),
    /// By any route; or not.
    Any(bool),
}

/// What a header must be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a text, a list of texts, {contains: text}, or nothing for absent"
)]
pub enum HeaderExpect {
    /// One header with this value.
    One(String),
    /// Headers with these values, in this order.
    All(Vec<String>),
    /// A header whose value contains this.
    Contains(Part),
}

/// What a value contains, and nothing else of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The part.
    pub contains: String,
}

/// Callers against requests.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatrixSpec {
    /// Names of tokens, and `none` for no token.
    pub callers: Vec<String>,
    /// What every request has: authority, headers. Methods, paths and tokens are those of the rows and callers.
    #[serde(default)]
    pub request: RequestSpec,
    /// For each request (`GET /path`), for each caller: `allow`, `allow:ROUTE` or a code.
    pub cells: BTreeMap<String, BTreeMap<String, String>>,
}

/// The JSON Schema of the format (draft 2020-12), made from the types that read it.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(TestDocument).to_value()
}

/// Tells a field that says null from a field that is not there.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads what is expected where something is: null is no expectation, and never one that always holds.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
