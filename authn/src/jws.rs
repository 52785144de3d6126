//! For tests: whether a signature holds, and nothing more.
//!
//! Foreign vectors are tokens without claims, or bare messages. Here they meet the same code that verifies
//! access tokens, and get a yes or a no: nothing in this module can make a [`Verified`](crate::Verified).

use jwt_compact::UntrustedToken;

use scopegate_document::json;

use crate::jwk::Key;
use crate::key_set::KeySet;
use crate::untrusted::{self, Header};
use crate::{Algorithm, Reject, base64url, signature};

/// Checks a compact JWS (RFC 7515 section 7.1) against a JWK set or a single JWK, whatever its payload is.
///
/// # Errors
/// As for a token: shape, `crit`, algorithm, key, signature.
pub fn verify(token: &[u8], keys: &[u8]) -> Result<(), Reject> {
    let text = std::str::from_utf8(token).map_err(|_| Reject::TokenMalformed)?;
    let (header, payload) = untrusted::segments(text)?;
    if !base64url::is_valid(payload.as_bytes()) {
        return Err(Reject::TokenMalformed);
    }
    let header = Header::parse(header)?;
    if header.is_critical {
        return Err(Reject::CriticalHeader);
    }
    let algorithm = Algorithm::from_name(&header.algorithm).ok_or(Reject::AlgorithmNotAllowed)?;
    let parsed = UntrustedToken::new(text).map_err(|_| Reject::TokenMalformed)?;
    let keys = key_set(keys).ok_or(Reject::KeyNotFound)?;
    keys.first_that_signed(header.key_id.as_deref(), algorithm, &parsed, text, None)
        .map(|_| ())
}

/// Whether `signature` over `message` was made with `algorithm` by the owner of the key `jwk`; nothing where
/// the key is refused.
#[must_use]
pub fn holds(algorithm: Algorithm, jwk: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let jwk = json::parse(jwk).ok()?;
    let (key, _) = Key::from_jwk(&jwk).ok().filter(|(key, _)| key.fits(algorithm))?;
    Some(signature::holds(algorithm, &key, message, signature, None))
}

/// How many keys of a JWK set can be used; nothing where the set is refused whole.
#[must_use]
pub fn usable_keys(jwks: &[u8]) -> Option<usize> {
    key_set(jwks).map(|keys| keys.len())
}

fn key_set(text: &[u8]) -> Option<KeySet> {
    let value = json::parse(text).ok()?;
    let set = match value.get("keys") {
        Some(_) => value,
        None => serde_json::json!({"keys": [value]}),
    };
    KeySet::from_jwks(&set, |_| Ok(())).ok().map(|(keys, _)| keys)
}
