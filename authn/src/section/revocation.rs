//! What counts no longer: tokens, subjects, keys, clients, a feed of them, and status lists.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use scopegate_document::{Duration, Instant};

/// Tokens, subjects, keys and clients that count no longer, and where more of them are told.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationSection {
    /// Revoked tokens, by `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<RevokedToken>>,
    /// Subjects whose older credentials are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<RevokedSubject>>,
    /// Keys that are trusted no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<RevokedKey>>,
    /// Clients whose credentials are revoked, all of them or the older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<Vec<RevokedClient>>,
    /// Where more of them are fetched: a JSON document with the lists `tokens`, `subjects`, `keys` and `clients`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<RevocationFeed>,
    /// The status lists that the tokens of a provider point at (Token Status List, draft-ietf-oauth-status-list).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_lists: Option<Vec<StatusListSource>>,
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

/// A subject whose credentials of before an instant are revoked.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedSubject {
    /// The provider of the subject.
    pub provider: String,
    /// The subject.
    pub subject: String,
    /// What was issued before this instant is revoked; what does not say when it was issued is too.
    pub issued_before: Instant,
}

/// A key that is trusted no longer.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedKey {
    /// The provider of the key.
    pub provider: String,
    /// Its id: the `kid` of a signature key (RFC 7517 section 4.5), the `id` of an API key.
    pub kid: String,
}

/// A client whose credentials are revoked.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedClient {
    /// The provider of the client.
    pub provider: String,
    /// The client.
    pub client: String,
    /// What was issued before this instant is revoked, and what does not say when; everything where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Instant>,
}

/// Where revocations are fetched.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationFeed {
    /// The URL of the document.
    pub uri: String,
    /// The proxy's name for where the fetch is sent.
    pub upstream: String,
    /// How often it is fetched; `10m` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Duration>,
    /// How old it may grow while fetches fail; `1h` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stale: Option<Duration>,
}

/// A status list: tokens say in `status` which bits of which list are theirs.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusListSource {
    /// The provider whose tokens point at the list, and whose keys sign it.
    pub provider: String,
    /// The URL of the list, exactly as tokens have it in `status.status_list.uri`. No other list is fetched.
    pub uri: String,
    /// The proxy's name for where the fetch is sent.
    pub upstream: String,
    /// How often it is fetched; `10m` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Duration>,
    /// How old it may grow while fetches fail; `1h` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stale: Option<Duration>,
    /// Whether tokens of the provider without a `status` pass too; they are refused where this is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// The document of a feed: what the section may list, and nothing else. A list that is there is a list: `null` is
/// refused, because a generator that lost its data must not look like one that revokes nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedDocument {
    #[serde(default, deserialize_with = "list")]
    pub(crate) tokens: Option<Vec<RevokedToken>>,
    #[serde(default, deserialize_with = "list")]
    pub(crate) subjects: Option<Vec<RevokedSubject>>,
    #[serde(default, deserialize_with = "list")]
    pub(crate) keys: Option<Vec<RevokedKey>>,
    #[serde(default, deserialize_with = "list")]
    pub(crate) clients: Option<Vec<RevokedClient>>,
}

fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}
