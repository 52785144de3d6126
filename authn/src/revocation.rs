//! What counts no longer although its proof holds: tokens, subjects, keys, clients. Looked at last, on every request,
//! also where a cache spares the proof. Status lists are elsewhere.

pub(crate) mod feed;
mod list;

pub(crate) use list::{Cutoff, Entry, Kind, RevocationList, entries};

use serde_json::{Map, Value};

use scopegate_document::UnixTime;

use crate::fetched::Source;
use crate::status_list::StatusListRules;
use crate::times::numeric_date;

/// The `revocation` of a policy, compiled.
#[derive(Debug, Default)]
pub(crate) struct RevocationRules {
    /// What the policy itself lists.
    pub(crate) list: RevocationList,
    /// Where more is fetched. While that is not there, or too old, nobody passes.
    pub(crate) feed: Option<Source>,
    /// The status lists of its providers.
    pub(crate) status_lists: Vec<StatusListRules>,
}

impl RevocationRules {
    /// Whether the policy itself revokes nothing, and names no status list.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.status_lists.is_empty()
    }
}

/// What a credential says of itself, as far as it can be revoked by it. For an API key the key's `id` is its
/// `key_id`; for the peer of a connection there is a subject only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TokenFacts<'c> {
    /// `jti` (RFC 7519 section 4.1.7).
    pub(crate) jti: Option<&'c str>,
    pub(crate) subject: Option<&'c str>,
    pub(crate) client: Option<&'c str>,
    /// The id of the key that verified the credential.
    pub(crate) key_id: Option<&'c str>,
    /// When it was issued: see [`issued_at`].
    pub(crate) issued_at: Option<UnixTime>,
}

/// `iat`, a fraction cut off: a token must not seem younger than it is. Where it is no number there is none, and
/// the token is as old as can be.
pub(crate) fn issued_at(claims: &Map<String, Value>) -> Option<UnixTime> {
    numeric_date(claims, "iat", f64::floor).ok().flatten()
}

#[cfg(test)]
mod tests;
