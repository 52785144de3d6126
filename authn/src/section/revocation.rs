//! What counts no longer: tokens, subjects, keys, and a feed of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use scopegate_document::{Duration, Instant};

/// Tokens, subjects and keys that count no longer.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationSection {
    /// Revoked tokens, by `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<RevokedToken>>,
    /// Subjects whose older tokens are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<RevokedSubject>>,
    /// Keys that are trusted no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<RevokedKey>>,
    /// Where more of them are fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<RevocationFeed>,
}

/// One revoked token.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedToken {
    /// The provider of the token.
    pub provider: String,
    /// Its `jti` (RFC 7519 section 4.1.7).
    pub jti: String,
}

/// A subject whose tokens of before an instant are revoked.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedSubject {
    /// The provider of the subject.
    pub provider: String,
    /// The subject.
    pub subject: String,
    /// Tokens issued before this instant are revoked; a token without `iat` is too.
    pub issued_before: Instant,
}

/// A key that is trusted no longer.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedKey {
    /// The provider of the key.
    pub provider: String,
    /// Its id (RFC 7517 section 4.5).
    pub kid: String,
}

/// Where revocations are fetched.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationFeed {
    /// The URL of the list.
    pub uri: String,
    /// The proxy's name for where the fetch is sent.
    pub upstream: String,
    /// How often it is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Duration>,
    /// How old it may grow while fetches fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stale: Option<Duration>,
}
