//! Telling the kinds of tokens apart that have no `typ` of their own: ID tokens, logout tokens, refresh tokens,
//! answers of introspection, JWT-SVIDs.
//!
//! One issuer signs all of them with the same keys (RFC 8725 sections 2.8 and 3.12). Only what a kind alone has
//! counts against a token, so that the access tokens of common issuers pass. A token with `typ: at+jwt` never
//! comes here. In detail:
//!
//! - `at_hash`, `c_hash` and `s_hash` stand in ID tokens alone (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11,
//!   FAPI 1.0 part 2 section 5.1.1).
//! - `nonce` stands in ID tokens, but Keycloak before 25 and PingAM put it in access tokens too. It counts against a
//!   token that has no scopes (`scope`, `scp`) and does not call itself an access token.
//! - Keycloak (`typ`), Amazon Cognito (`token_use`) and PingAM (`tokenName`) name the kind in a claim.
//! - `events` with a URI in it is a security event, of which logout tokens are one kind (RFC 8417 section 2.2, OpenID
//!   Connect Back-Channel Logout section 2.4).
//! - `token_introspection` is the answer of an introspection endpoint (RFC 9701 section 5).
//! - A SPIFFE ID in `sub` is a JWT-SVID, unless the token has scopes or calls itself an access token.
//!
//! An ID token with none of these cannot be told from an access token; its audience is a client, and `audiences`
//! refuses it. An API that takes ID tokens or JWT-SVIDs says so: `profile: id_token`, `profile: spiffe`.

use serde_json::{Map, Value};

/// The claims that only ID tokens have: hashes of what was issued together with them.
const HASHES: &[&str] = &["at_hash", "c_hash", "s_hash"];

/// The claims in which an access token carries its scopes (RFC 9068 section 2.2.3; Okta and Microsoft say `scp`).
const SCOPES: &[&str] = &["scope", "scp"];

/// The kind that a token names in a claim of its issuer's own.
const NAMED_KINDS: &[(&str, &str, Kind)] = &[
    ("typ", "Bearer", Kind::Access),
    ("typ", "ID", Kind::Id),
    ("typ", "Refresh", Kind::Other),
    ("typ", "Offline", Kind::Other),
    ("typ", "Logout", Kind::Other),
    ("token_use", "access", Kind::Access),
    ("token_use", "id", Kind::Id),
    ("tokenName", "access_token", Kind::Access),
    ("tokenName", "id_token", Kind::Id),
    ("tokenName", "refresh_token", Kind::Other),
];

/// A kind that a token may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    Id,
    Other,
}

/// Whether the claims are those of a token that is no access token.
pub(super) fn is_no_access_token(claims: &Map<String, Value>) -> bool {
    if names(claims, Kind::Id) || HASHES.iter().any(|name| claims.contains_key(*name)) {
        return true;
    }
    let is_access_token = names(claims, Kind::Access) || SCOPES.iter().any(|name| claims.contains_key(*name));
    let is_svid = claims
        .get("sub")
        .and_then(Value::as_str)
        .is_some_and(|subject| subject.starts_with("spiffe://"));
    is_neither(claims) || (!is_access_token && (is_svid || claims.contains_key("nonce")))
}

/// Whether the claims are those of a token that is no ID token.
pub(super) fn is_no_id_token(claims: &Map<String, Value>) -> bool {
    is_neither(claims) || names(claims, Kind::Access)
}

fn is_neither(claims: &Map<String, Value>) -> bool {
    let events = claims.get("events").and_then(Value::as_object);
    let is_security_event = events.is_some_and(|events| events.keys().any(|name| name.contains(':')));
    is_security_event || claims.contains_key("token_introspection") || names(claims, Kind::Other)
}

fn names(claims: &Map<String, Value>, kind: Kind) -> bool {
    let mut words = NAMED_KINDS.iter().filter(|(_, _, named)| *named == kind);
    words.any(|(claim, word, _)| claims.get(*claim).and_then(Value::as_str) == Some(word))
}
