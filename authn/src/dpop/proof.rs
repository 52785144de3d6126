//! One DPoP proof, taken apart: a JWT that brings its own key (RFC 9449 section 4.2).
//!
//! Here is what a proof says and whether its key made it; what it must say is not decided here. Everywhere else a
//! key in a header is never looked at: this one is worth something only because a token names its thumbprint.

use scopegate_document::{UnixTime, json};
use serde_json::{Map, Value};

use crate::jwk::Key;
use crate::untrusted::{self, Header};
use crate::{Algorithm, HostSignatures, base64url, limits, signature, times};

/// The members of a JWK that nobody but its owner may have (RFC 7518 section 6, RFC 8037 section 2, RFC 9964
/// section 3).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A proof of good form: three segments of canonical base64url, the first two strict JSON objects.
pub(super) struct Proof<'p> {
    text: &'p str,
    header: Header,
    /// The public key it brings.
    pub(super) jwk: Value,
    claims: Map<String, Value>,
}

impl<'p> Proof<'p> {
    /// Takes a proof apart.
    pub(super) fn parse(value: &'p [u8]) -> Option<Self> {
        if value.len() > limits::PROOF_BYTES {
            return None;
        }
        let text = std::str::from_utf8(value).ok()?;
        let (header, claims) = untrusted::segments(text).ok()?;
        let mut header = object(header)?;
        let jwk = header.remove("jwk").filter(Value::is_object)?;
        Some(Self {
            text,
            header: Header::read(header).ok()?,
            jwk,
            claims: object(claims)?,
        })
    }

    /// The algorithm, where the header is that of a proof and names one of `allowed`.
    pub(super) fn algorithm(&self, allowed: &[Algorithm]) -> Option<Algorithm> {
        let is_proof = self.header.token_type.as_deref().is_some_and(is_proof_type);
        Algorithm::from_name(&self.header.algorithm)
            .filter(|algorithm| is_proof && !self.header.is_critical && allowed.contains(algorithm))
    }

    /// Whether the key it brings has a private part.
    pub(super) fn gives_its_key_away(&self) -> bool {
        PRIVATE_MEMBERS.iter().any(|name| self.jwk.get(name).is_some())
    }

    /// A claim, whatever it is.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// A claim that is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    /// The last moment at which the proof may be used, where `now` is one: it was made at most `max_age` seconds
    /// ago, and where it has `exp` or `nbf`, they hold as well (RFC 7519 section 4.1).
    pub(super) fn last_moment(&self, max_age: i64, clock_skew: i64, now: UnixTime) -> Option<UnixTime> {
        let date = |name: &str| times::numeric_date(&self.claims, name, f64::floor).ok();
        let (issued_at, expires_at, not_before) = (date("iat")??, date("exp")?, date("nbf")?);
        let oldest = issued_at.plus(max_age).plus(clock_skew);
        let last = expires_at.map_or(oldest, |end| oldest.min(end.plus(clock_skew).minus(1)));
        let latest = now.plus(clock_skew);
        let has_begun = issued_at <= latest && not_before.is_none_or(|begin| begin <= latest);
        (has_begun && now <= last).then_some(last)
    }

    /// Whether the owner of the key it brings made the signature with `algorithm`.
    pub(super) fn is_signed_with(&self, algorithm: Algorithm, host: Option<&HostSignatures>) -> bool {
        let Some((key, (signed, signature))) = self.key().zip(self.text.rsplit_once('.')) else {
            return false;
        };
        key.fits(algorithm)
            && base64url::decode(signature.as_bytes())
                .is_some_and(|bytes| signature::holds(algorithm, &key, signed.as_bytes(), &bytes, host))
    }

    /// The key it brings, where it can be used and is not longer than a stranger's may be.
    pub(super) fn key(&self) -> Option<Key> {
        let modulus = self.jwk.get("n").and_then(Value::as_str).unwrap_or_default();
        // Each character of base64url stands for six bits, and a modulus begins with no zero octet.
        let is_bounded = modulus.len() <= limits::PROOF_RSA_BITS_MAX.div_ceil(6);
        let read = is_bounded.then(|| Key::from_jwk(&self.jwk).ok()).flatten();
        read.map(|(key, _)| key)
    }
}

/// A media type without `/` is read as if `application/` stood before it (RFC 7515 section 4.1.9).
fn is_proof_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("dpop+jwt") || typ.eq_ignore_ascii_case("application/dpop+jwt")
}

fn object(segment: &str) -> Option<Map<String, Value>> {
    json::parse_object(&base64url::decode(segment.as_bytes())?).ok()
}
