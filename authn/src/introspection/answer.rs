//! The answer (RFC 7662 section 2.2): only a JSON object that says `"active": true` is one of an active token, and
//! what it says besides must hold here and now.

use serde_json::{Map, Value};

use scopegate_document::{UnixTime, json};

use super::IntrospectionRules;
use crate::times::numeric_date;
use crate::{Reject, audience, limits};

/// An active token: what the issuer says of it. Required claims, the mapping of claims and a `cnf` are checked as they
/// are for any token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Active {
    /// The whole answer.
    pub(crate) claims: Map<String, Value>,
    /// `iat`.
    pub(crate) issued_at: Option<UnixTime>,
    /// `exp`.
    pub(crate) expires_at: Option<UnixTime>,
    /// The answer may be used again while the time is before this; never at or after `exp` (RFC 7662 section 4).
    pub(crate) usable_until: UnixTime,
}

/// Reads an answer that came at the time `now`.
///
/// # Errors
/// [`Reject::IntrospectionUnavailable`] for what is no answer: another status than 200, another type than JSON, a
/// text that is not strict JSON or too long. [`Reject::TokenInactive`] where the token is not active. Else the check
/// that fails first: issuer, kind of token, audience, times, claims.
pub(crate) fn read(
    rules: &IntrospectionRules,
    status: u16,
    content_type: Option<&[u8]>,
    body: &[u8],
    now: UnixTime,
) -> Result<Active, Reject> {
    let is_answer =
        status == 200 && content_type.is_some_and(is_json) && body.len() <= limits::DOCUMENT_BYTES;
    if !is_answer {
        return Err(Reject::IntrospectionUnavailable);
    }
    let claims = json::parse_object(body).map_err(|_| Reject::IntrospectionUnavailable)?;
    if claims.get("active") != Some(&Value::Bool(true)) {
        return Err(Reject::TokenInactive);
    }
    check_issuer(rules, &claims)?;
    check_kind(&claims)?;
    if !audience::is_named(&claims, &rules.audiences) {
        return Err(Reject::AudienceMismatch);
    }
    let (issued_at, expires_at) = check_times(rules, &claims, now)?;
    if string(&claims, "jti").is_err() {
        return Err(Reject::ClaimMismatch);
    }
    let cached_until = now.plus(rules.cache);
    Ok(Active {
        claims,
        issued_at,
        expires_at,
        usable_until: expires_at.map_or(cached_until, |expires_at| expires_at.min(cached_until)),
    })
}

/// Whether the type is `application/json`. A JWT in its place (RFC 9701 section 5) was not asked for.
fn is_json(content_type: &[u8]) -> bool {
    let media_type = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn check_issuer(rules: &IntrospectionRules, claims: &Map<String, Value>) -> Result<(), Reject> {
    let Some(expected) = &rules.issuer else {
        return Ok(());
    };
    match string(claims, "iss")? {
        Some(issuer) if issuer == expected => Ok(()),
        Some(_) => Err(Reject::IssuerUnknown),
        None => Err(Reject::ClaimMissing),
    }
}

/// A token of a kind that is not known here is no access token (RFC 6749 section 7.1). Servers that answer for refresh
/// tokens too say so in `token_use`, or, in place of a real type, in `token_type`.
fn check_kind(claims: &Map<String, Value>) -> Result<(), Reject> {
    let is_one_of = |name, known: &[&str]| -> Result<bool, Reject> {
        let text = string(claims, name)?;
        Ok(text.is_none_or(|text| known.iter().any(|known| known.eq_ignore_ascii_case(text))))
    };
    let is_access_token = is_one_of("token_type", &["Bearer", "DPoP", "access_token"])?
        && is_one_of("token_use", &["access_token", "access"])?;
    if !is_access_token {
        return Err(Reject::TypeMismatch);
    }
    // Bound to a key, and the answer does not say which: it cannot be checked (RFC 9449 section 6.2).
    let is_dpop = string(claims, "token_type")?.is_some_and(|text| text.eq_ignore_ascii_case("DPoP"));
    match is_dpop && !claims.contains_key("cnf") {
        true => Err(Reject::BindingMismatch),
        false => Ok(()),
    }
}

fn check_times(
    rules: &IntrospectionRules,
    claims: &Map<String, Value>,
    now: UnixTime,
) -> Result<(Option<UnixTime>, Option<UnixTime>), Reject> {
    let expires_at = numeric_date(claims, "exp", f64::floor)?;
    let not_before = numeric_date(claims, "nbf", f64::ceil)?;
    let issued_at = numeric_date(claims, "iat", f64::ceil)?;
    if expires_at.is_some_and(|time| now >= time.plus(rules.clock_skew)) {
        return Err(Reject::TokenExpired);
    }
    let latest = now.plus(rules.clock_skew);
    match [not_before, issued_at]
        .into_iter()
        .flatten()
        .any(|time| time > latest)
    {
        true => Err(Reject::TokenNotYetValid),
        false => Ok((issued_at, expires_at)),
    }
}

fn string<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<Option<&'c str>, Reject> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(Reject::ClaimMismatch),
    }
}
