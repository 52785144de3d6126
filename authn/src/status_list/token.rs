//! A status list token: verified first, inflated last, and never beyond the limit.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use serde_json::{Map, Value};

use scopegate_document::{UnixTime, json};

use super::{StatusList, Width};
use crate::fetched::DocumentFault;
use crate::times::numeric_date;
use crate::untrusted::{Header, segments};
use crate::{Reject, base64url, limits};

/// Reads the list that was fetched from `uri` at the time `now` (section 8.3).
///
/// `verify` says whether the token, a compact JWS with this header, is signed by a key and with an algorithm of the
/// provider. It is asked before anything of the payload is read. Clocks may differ by the default skew.
///
/// # Errors
/// Why the document cannot be used.
pub(crate) fn read(
    document: &[u8],
    uri: &str,
    now: UnixTime,
    verify: impl FnOnce(&Header, &str) -> Result<(), Reject>,
) -> Result<StatusList, DocumentFault> {
    if document.len() > limits::DOCUMENT_BYTES {
        return Err(DocumentFault::TooLong);
    }
    let text = std::str::from_utf8(document).map_err(|_| DocumentFault::NoToken)?;
    // A file may end with a line break; a token has none (RFC 7515 section 7.1).
    let text = text.trim_ascii_end();
    let (header, payload) = segments(text).map_err(|_| DocumentFault::NoToken)?;
    let header = Header::parse(header).map_err(|_| DocumentFault::NoToken)?;
    check_type(&header)?;
    verify(&header, text).map_err(DocumentFault::Unverified)?;
    let payload = base64url::decode(payload.as_bytes()).ok_or(DocumentFault::NoToken)?;
    let claims = json::parse_object(&payload).map_err(|_| DocumentFault::NoToken)?;
    drop(payload);
    if claims.get("sub").and_then(Value::as_str) != Some(uri) {
        return Err(DocumentFault::OtherSubject);
    }
    // Nobody here is named by an audience of lists, so none may be (RFC 7519 section 4.1.3).
    if claims.contains_key("aud") {
        return Err(DocumentFault::OtherAudience);
    }
    let (issued_at, expires_at) = check_times(&claims, now)?;
    let ttl = ttl(&claims)?;
    let (width, packed) = statuses(&claims)?;
    Ok(StatusList {
        token: text.into(),
        width,
        packed,
        issued_at,
        expires_at,
        ttl,
    })
}

/// `typ` must say `statuslist+jwt` (section 5.1), so that no other token of the provider is taken for a list, and no
/// extension may be critical.
fn check_type(header: &Header) -> Result<(), DocumentFault> {
    if header.is_critical {
        return Err(DocumentFault::Unverified(Reject::CriticalHeader));
    }
    let typ = header.token_type.as_deref().unwrap_or_default();
    let is_list = ["statuslist+jwt", "application/statuslist+jwt"]
        .iter()
        .any(|name| typ.eq_ignore_ascii_case(name));
    match is_list {
        true => Ok(()),
        false => Err(DocumentFault::OtherType),
    }
}

fn check_times(
    claims: &Map<String, Value>,
    now: UnixTime,
) -> Result<(UnixTime, Option<UnixTime>), DocumentFault> {
    let time = |name, round| numeric_date(claims, name, round).map_err(|_| DocumentFault::Claim(name));
    let issued_at = time("iat", f64::ceil)?.ok_or(DocumentFault::Claim("iat"))?;
    let not_before = time("nbf", f64::ceil)?;
    let expires_at = time("exp", f64::floor)?;
    let latest = now.plus(limits::CLOCK_SKEW_DEFAULT);
    if issued_at > latest || not_before.is_some_and(|time| time > latest) {
        return Err(DocumentFault::NotYetValid);
    }
    let expires_at = expires_at.map(|time| time.plus(limits::CLOCK_SKEW_DEFAULT));
    match expires_at.is_some_and(|time| now >= time) {
        true => Err(DocumentFault::Expired),
        false => Ok((issued_at, expires_at)),
    }
}

/// `ttl`, a positive number of seconds.
fn ttl(claims: &Map<String, Value>) -> Result<Option<i64>, DocumentFault> {
    let fault = DocumentFault::Claim("ttl");
    match numeric_date(claims, "ttl", f64::ceil).map_err(|_| fault)? {
        None => Ok(None),
        Some(UnixTime(seconds)) if seconds > 0 => Ok(Some(seconds)),
        Some(_) => Err(fault),
    }
}

/// `status_list`: the width of a status and the statuses, inflated (section 4.2).
fn statuses(claims: &Map<String, Value>) -> Result<(Width, Box<[u8]>), DocumentFault> {
    let fault = DocumentFault::Claim("status_list");
    let list = claims.get("status_list").ok_or(fault)?;
    let bits = list.get("bits").and_then(Value::as_u64).ok_or(fault)?;
    let width = Width::from_bits(bits).ok_or(fault)?;
    let compressed = list.get("lst").and_then(Value::as_str).ok_or(fault)?;
    let compressed = base64url::decode(compressed.as_bytes()).ok_or(fault)?;
    let inflated = decompress_to_vec_zlib_with_limit(&compressed, limits::STATUS_LIST_BYTES);
    match inflated {
        Ok(packed) if !packed.is_empty() => Ok((width, packed.into_boxed_slice())),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => Err(DocumentFault::ListTooLong),
        Ok(_) | Err(_) => Err(DocumentFault::Compression),
    }
}
