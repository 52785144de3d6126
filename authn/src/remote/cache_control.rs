//! How long an answer may be kept (RFC 9111), within the bounds of the policy.

use crate::limits;

use super::Answer;

/// Seconds until the next fetch: what the answer says, at most `refresh`, at least a minute or `refresh` where that
/// is shorter. A publisher can ask for more care, never for less, and never to be asked all the time.
pub(super) fn interval(answer: &Answer<'_>, refresh: i64) -> i64 {
    let least = refresh.min(limits::REFETCH_SECONDS);
    fresh_for(answer).map_or(refresh, |seconds| seconds.clamp(least, refresh))
}

/// `max-age` less `Age` (RFC 9111 section 4.2.1); 0 where the answer is not to be kept.
fn fresh_for(answer: &Answer<'_>) -> Option<i64> {
    let directives = || {
        let fields = answer.values(b"cache-control");
        fields
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
    };
    let is = |name: &'static str| move |directive: &str| directive.eq_ignore_ascii_case(name);
    if directives().any(is("no-store")) || directives().any(is("no-cache")) {
        return Some(0);
    }
    let max_age = directives().find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age");
        is_max_age
            .then(|| seconds.trim().trim_matches('"'))?
            .parse::<u32>()
            .ok()
    })?;
    let age = answer.values(b"age").next();
    let age = age.and_then(|age| std::str::from_utf8(age).ok()?.trim().parse::<u32>().ok());
    Some(
        i64::from(max_age)
            .saturating_sub(i64::from(age.unwrap_or_default()))
            .max(0),
    )
}

#[cfg(test)]
mod tests {
    use super::{Answer, interval};

    #[test]
    fn caching_headers_count_within_the_bounds_of_the_policy() {
        type Case<'c> = (&'c [(&'c [u8], &'c [u8])], i64);
        let cases: &[Case<'_>] = &[
            (&[], 600),
            (&[(b"cache-control", b"max-age=300")], 300),
            (&[(b"Cache-Control", b"public, Max-Age=\"300\"")], 300),
            (&[(b"cache-control", b"max-age=300"), (b"age", b"200")], 100),
            (&[(b"cache-control", b"max-age=300"), (b"age", b"400")], 60),
            (&[(b"cache-control", b"max-age=86400")], 600),
            (&[(b"cache-control", b"max-age=1")], 60),
            (&[(b"cache-control", b"no-store")], 60),
            (
                &[
                    (b"cache-control", b"max-age=300"),
                    (b"cache-control", b"no-cache"),
                ],
                60,
            ),
            (&[(b"cache-control", b"max-age=-1")], 600),
            (&[(b"cache-control", b"max-age=99999999999999999999")], 600),
            (&[(b"cache-control", b"s-maxage=5")], 600),
            (&[(b"cache-control", b"\xff")], 600),
        ];
        for (headers, expected) in cases {
            let answer = Answer {
                status: Some(200),
                headers,
                body: b"",
            };
            assert_eq!(interval(&answer, 600), *expected, "{headers:?}");
            assert!(interval(&answer, 30) <= 30);
        }
    }
}
