//! The `authentication` section of a policy document, as its authors write it.
//!
//! Here live the types of the section and nothing that acts on them. Each carries every field of the
//! language, also those this version refuses to compile: a field that is known and not enforced is named
//! in an error, never taken for a spelling mistake and never ignored.

mod keys;
mod provider;
mod revocation;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keys::{KeyEntry, KeySource, Keys, SecretReference};
pub use provider::{
    BasicAuth, Binding, ClaimMapping, ClientAuth, CredentialLocationSection, DpopNonce, DpopSection,
    MaxLifetime, Profile, ProviderSection, ProviderType, Require, RequiredValues, Scalar,
};
pub(crate) use revocation::FeedDocument;
pub use revocation::{
    RevocationFeed, RevocationSection, RevokedClient, RevokedKey, RevokedSubject, RevokedToken,
    StatusListSource,
};

/// The `authentication` section: proofs of identity. Nothing in it grants anything.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthenticationSection {
    /// The protection space named in challenges (RFC 9110 section 11.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The identifier of this API: an absolute URI without a fragment (RFC 8707 section 2, RFC 9728).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The origins that callers see, as in `https://api.example.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<String>>,
    /// Who vouches for callers. Each credential belongs to exactly one provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<ProviderSection>>,
    /// Tokens, subjects, keys and clients that count no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationSection>,
    /// Whether the proxy's own cryptography checks signatures, where it has any; by default it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_signatures: Option<HostSignatures>,
    /// Headers that tell the upstream who is calling. `subject`, `client`, `scopes`, `tenant` and `provider`
    /// have a fixed meaning; any other key is a claim. What a client sent under these names is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_headers: Option<BTreeMap<String, String>>,
}

/// Whether the proxy's own cryptography checks signatures. Envoy offers it; it is several times faster than what runs in
/// the sandbox, and the answers are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostSignatures {
    /// Where the proxy has some and it knows what is known; for RS256, RS384, RS512, ES256, ES384, ES512.
    #[default]
    Auto,
    /// Never.
    Never,
}
