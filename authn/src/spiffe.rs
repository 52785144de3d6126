//! SPIFFE IDs: `spiffe://<trust domain>/<path>` (SPIFFE-ID section 2).

use crate::limits;

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
    use super::{claimed_trust_domain, is_workload_id};

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
