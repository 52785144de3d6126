//! Whom a token is for: `aud` (RFC 7519 section 4.1.3).

use serde_json::{Map, Value};

/// Whether `aud` names one of `audiences`, compared whole: a string, or an array of strings and nothing else (RFC 8725
/// section 3.9).
pub(crate) fn is_named(claims: &Map<String, Value>, audiences: &[String]) -> bool {
    let is_ours = |audience: &str| audiences.iter().any(|ours| ours == audience);
    match claims.get("aud") {
        Some(Value::String(audience)) => is_ours(audience),
        Some(Value::Array(list)) => {
            list.iter().all(Value::is_string) && list.iter().filter_map(Value::as_str).any(is_ours)
        }
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
    }
}
