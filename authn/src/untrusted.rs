//! A token as it came: taken apart, nothing believed.
//!
//! Here the form is checked and nothing else. Whoever holds an [`Untrusted`] knows what a stranger claims.

use serde_json::{Map, Value};

use scopegate_document::json;

use crate::{Algorithm, Reject, base64url, limits};

/// A token of good form: three segments of canonical base64url, the first two strict JSON objects.
pub(crate) struct Untrusted<'t> {
    /// The whole token.
    pub(crate) text: &'t str,
    /// Its header.
    pub(crate) header: Header,
    /// Its claims.
    pub(crate) claims: Map<String, Value>,
}

/// The protected header (RFC 7515 section 4). Keys and certificates that a header offers (`jwk`, `jku`, `x5c`,
/// `x5u`) are never looked at (RFC 8725 section 3.10).
pub(crate) struct Header {
    /// `alg`, as it stands there.
    pub(crate) algorithm: String,
    /// `kid`.
    pub(crate) key_id: Option<String>,
    /// `typ`.
    pub(crate) token_type: Option<String>,
    /// `cty`.
    pub(crate) content_type: Option<String>,
    /// Whether an extension must be understood: `crit`, or `b64: false` (RFC 7797 section 7).
    pub(crate) is_critical: bool,
    /// Whether there are members besides `alg`, `kid` and `typ`.
    pub(crate) has_more: bool,
}

impl<'t> Untrusted<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Reject::TokenTooLarge`], or [`Reject::TokenMalformed`] for every fault of form.
    pub(crate) fn parse(token: &'t [u8]) -> Result<Self, Reject> {
        if token.len() > limits::TOKEN_BYTES {
            return Err(Reject::TokenTooLarge);
        }
        let text = std::str::from_utf8(token).map_err(|_| Reject::TokenMalformed)?;
        let (header, claims) = match segments(text) {
            Ok(segments) => segments,
            Err(_) if is_unsecured(text) => return Err(Reject::AlgorithmNotAllowed),
            Err(fault) => return Err(fault),
        };
        Ok(Self {
            text,
            header: Header::parse(header)?,
            claims: object(claims)?,
        })
    }
}

/// The header and the payload of a compact JWS, with the form of the whole checked but theirs (RFC 7515
/// section 7.1). A JWE has five segments, an unsecured token an empty last one: neither is read here.
pub(crate) fn segments(text: &str) -> Result<(&str, &str), Reject> {
    let mut segments = text.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(Reject::TokenMalformed);
    };
    match !signature.is_empty() && base64url::is_valid(signature.as_bytes()) {
        true => Ok((header, payload)),
        false => Err(Reject::TokenMalformed),
    }
}

/// Whether a credential is made of three segments: then it is a signed token or a bad one, and nothing else.
pub(crate) fn has_three_segments(credential: &[u8]) -> bool {
    credential.iter().filter(|byte| **byte == b'.').count() == 2
}

/// Whether a token without a signature says so itself, by `none` or any other name of no algorithm (RFC 7515
/// appendix A.5): it is refused for that, and not for its form.
fn is_unsecured(text: &str) -> bool {
    let Some((header, claims)) = text.strip_suffix('.').and_then(|text| text.split_once('.')) else {
        return false;
    };
    let says_so = |header: Header| !header.is_critical && Algorithm::from_name(&header.algorithm).is_none();
    Header::parse(header).is_ok_and(says_so) && object(claims).is_ok()
}

impl Header {
    /// Reads a header from its segment.
    pub(crate) fn parse(segment: &str) -> Result<Self, Reject> {
        Self::read(object(segment)?)
    }

    /// Reads a header from its members.
    pub(crate) fn read(mut members: Map<String, Value>) -> Result<Self, Reject> {
        let is_critical = members.contains_key("crit") || members.get("b64") == Some(&Value::Bool(false));
        let algorithm = take_string(&mut members, "alg")?.ok_or(Reject::TokenMalformed)?;
        let key_id = take_string(&mut members, "kid")?;
        let token_type = take_string(&mut members, "typ")?;
        let has_more = !members.is_empty();
        if members.contains_key("enc") {
            // A JWE says so with `enc` (RFC 7516 section 9), and has five segments.
            return Err(Reject::TokenMalformed);
        }
        let content_type = take_string(&mut members, "cty")?;
        Ok(Self {
            algorithm,
            key_id,
            token_type,
            content_type,
            is_critical,
            has_more,
        })
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, Reject> {
    let text = base64url::decode(segment.as_bytes()).ok_or(Reject::TokenMalformed)?;
    json::parse_object(&text).map_err(|_| Reject::TokenMalformed)
}

fn take_string(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Reject> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Reject::TokenMalformed)
        }
    }
}
