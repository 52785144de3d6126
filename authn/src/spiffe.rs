//! SPIFFE IDs: `spiffe://<trust domain>/<path>` (SPIFFE-ID section 2), and what a bundle document says of itself.
//!
//! The keys of a bundle are read as those of any JWK set.

use serde_json::Value;

use crate::limits;

/// How often a bundle wants to be fetched, in seconds, within the limits of ours (SPIFFE Trust Domain and Bundle
/// section 4.1.2); nothing where it does not say, or says what is no whole number of seconds above zero.
pub(crate) fn refresh_hint(bundle: &Value) -> Option<i64> {
    let hint = bundle
        .get("spiffe_refresh_hint")?
        .as_u64()
        .filter(|hint| *hint > 0)?;
    let hint = i64::try_from(hint).unwrap_or(i64::MAX);
    Some(hint.clamp(limits::SPIFFE_REFRESH_HINT_MIN, limits::SPIFFE_REFRESH_HINT_MAX))
}

/// The trust domain that `id` claims, where it has the scheme at all. Says nothing of the rest.
pub(crate) fn claimed_trust_domain(id: &str) -> Option<&str> {
    id.strip_prefix("spiffe://")?.split('/').next()
}

/// Whether `id` is the SPIFFE ID of a workload: a well-formed trust domain, a path of good segments.
pub(crate) fn is_workload_id(id: &str) -> bool {
    let Some((domain, path)) = id.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    id.len() <= limits::SPIFFE_ID_BYTES && is_trust_domain(domain) && path.split('/').all(is_segment)
}

/// Whether `name` is a trust domain: lower case, digits, `.`, `-`, `_` (SPIFFE-ID section 2.1).
pub(crate) fn is_trust_domain(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    (1..=limits::TRUST_DOMAIN_BYTES).contains(&name.len()) && name.bytes().all(allowed)
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{claimed_trust_domain, is_workload_id, refresh_hint};
    use crate::limits;

    #[test]
    fn a_bundle_says_how_often_it_wants_to_be_fetched_within_limits() {
        let hint =
            |hint| refresh_hint(&json!({"keys": [], "spiffe_sequence": 3, "spiffe_refresh_hint": hint}));
        assert_eq!(hint(json!(300)), Some(300));
        assert_eq!(hint(json!(1)), Some(limits::SPIFFE_REFRESH_HINT_MIN));
        assert_eq!(hint(json!(u64::MAX)), Some(limits::SPIFFE_REFRESH_HINT_MAX));
        for none in [
            json!(0),
            json!(-300),
            json!(300.5),
            json!("300"),
            json!(null),
            json!([300]),
        ] {
            assert_eq!(hint(none.clone()), None, "{none}");
        }
        assert_eq!(refresh_hint(&json!({"keys": []})), None);
        assert_eq!(refresh_hint(&json!([])), None);
    }

    #[test]
    fn a_workload_has_a_trust_domain_and_a_path() {
        for good in [
            "spiffe://prod.example.com/api",
            "spiffe://a/b/c.d_e-F",
            "spiffe://x_y/9",
        ] {
            assert!(is_workload_id(good), "{good}");
        }
        let long = format!("spiffe://a/{}", "b".repeat(2048));
        let bad = [
            "",
            "spiffe://",
            "spiffe:///x",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a//b",
            "spiffe://a/b/",
            "spiffe://a/./b",
            "spiffe://a/../b",
            "spiffe://A/b",
            "spiffe://a:80/b",
            "spiffe://u@a/b",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/b%20c",
            "SPIFFE://a/b",
            "https://a/b",
            "spiffe://a/é",
            &long,
        ];
        for id in bad {
            assert!(!is_workload_id(id), "{id}");
        }
    }

    #[test]
    fn the_claimed_domain_is_what_stands_before_the_path() {
        assert_eq!(claimed_trust_domain("spiffe://a.b/c"), Some("a.b"));
        assert_eq!(claimed_trust_domain("spiffe://a.b"), Some("a.b"));
        assert_eq!(claimed_trust_domain("a.b/c"), None);
    }
}
