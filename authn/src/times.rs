//! The times of a token (RFC 7519 sections 4.1.4 to 4.1.6), in whole seconds that saturate.

use serde_json::{Map, Number, Value};

use scopegate_document::UnixTime;

use crate::Reject;

/// What a provider allows of times, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRules {
    /// How far clocks may differ.
    pub(crate) clock_skew: i64,
    /// The longest life of a token; none where it is unlimited.
    pub(crate) max_lifetime: Option<i64>,
}

/// The times of a token that may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) issued_at: Option<UnixTime>,
    pub(crate) not_before: Option<UnixTime>,
    pub(crate) expires_at: UnixTime,
}

impl TimeRules {
    /// Reads `exp`, `nbf` and `iat`, and checks them at the time `now`.
    pub(crate) fn check(self, claims: &Map<String, Value>, now: UnixTime) -> Result<Times, Reject> {
        let times = Times {
            expires_at: numeric_date(claims, "exp", f64::floor)?.ok_or(Reject::ClaimMissing)?,
            not_before: numeric_date(claims, "nbf", f64::ceil)?,
            issued_at: numeric_date(claims, "iat", f64::ceil)?,
        };
        self.allow(times, now).map(|()| times)
    }

    /// Checks times at the time `now`: on every request, for a clock may have stepped either way.
    pub(crate) fn allow(self, times: Times, now: UnixTime) -> Result<(), Reject> {
        let Times {
            issued_at,
            not_before,
            expires_at,
        } = times;
        if now >= expires_at.plus(self.clock_skew) {
            return Err(Reject::TokenExpired);
        }
        let latest = now.plus(self.clock_skew);
        if not_before.is_some_and(|time| time > latest) || issued_at.is_some_and(|time| time > latest) {
            return Err(Reject::TokenNotYetValid);
        }
        let lifetime = expires_at.since(issued_at.unwrap_or(now));
        match self.max_lifetime.is_some_and(|longest| lifetime > longest) {
            true => Err(Reject::LifetimeTooLong),
            false => Ok(()),
        }
    }
}

/// A `NumericDate` (RFC 7519 section 2): a number, perhaps with a fraction, rounded so that the token is never
/// valid longer than it says.
pub(crate) fn numeric_date(
    claims: &Map<String, Value>,
    name: &str,
    round: fn(f64) -> f64,
) -> Result<Option<UnixTime>, Reject> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(UnixTime(whole_seconds(number, round)))),
        Some(Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Reject::ClaimMismatch)
        }
    }
}

fn whole_seconds(number: &Number, round: fn(f64) -> f64) -> i64 {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(seconds), _, _) => seconds,
        (None, Some(_), _) => i64::MAX,
        // A cast from floating point saturates.
        (None, None, Some(seconds)) => round(seconds) as i64,
        (None, None, None) => i64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use scopegate_document::UnixTime;

    use super::TimeRules;
    use crate::Reject;

    const NOW: i64 = 1_795_338_000;
    const RULES: TimeRules = TimeRules {
        clock_skew: 30,
        max_lifetime: Some(3_600),
    };

    fn check(rules: TimeRules, claims: &Value) -> Result<(), Reject> {
        rules
            .check(claims.as_object().unwrap_or(&Default::default()), UnixTime(NOW))
            .map(|_| ())
    }

    #[test]
    fn each_edge_is_where_the_standard_puts_it() {
        let cases = [
            (json!({"exp": NOW + 60}), Ok(())),
            (json!({"exp": NOW - 29}), Ok(())),
            (json!({"exp": NOW - 30}), Err(Reject::TokenExpired)),
            (json!({"exp": NOW as f64 - 29.5}), Err(Reject::TokenExpired)),
            (json!({"exp": NOW as f64 - 28.5}), Ok(())),
            (json!({"exp": 0}), Err(Reject::TokenExpired)),
            (json!({"exp": -1}), Err(Reject::TokenExpired)),
            (json!({"exp": i64::MIN}), Err(Reject::TokenExpired)),
            (json!({}), Err(Reject::ClaimMissing)),
            (json!({"exp": NOW + 60, "nbf": NOW + 30}), Ok(())),
            (
                json!({"exp": NOW + 60, "nbf": NOW + 31}),
                Err(Reject::TokenNotYetValid),
            ),
            (
                json!({"exp": NOW + 60, "nbf": NOW as f64 + 30.5}),
                Err(Reject::TokenNotYetValid),
            ),
            (json!({"exp": NOW + 60, "nbf": -8_334_601_228_800_i64}), Ok(())),
            (json!({"exp": NOW + 60, "nbf": i64::MIN}), Ok(())),
            (json!({"exp": NOW + 60, "iat": NOW + 30}), Ok(())),
            (
                json!({"exp": NOW + 60, "iat": NOW + 31}),
                Err(Reject::TokenNotYetValid),
            ),
            (
                json!({"exp": NOW + 60, "iat": u64::MAX}),
                Err(Reject::TokenNotYetValid),
            ),
            (
                json!({"exp": NOW + 60, "iat": 1e300}),
                Err(Reject::TokenNotYetValid),
            ),
            (json!({"exp": NOW + 3_600}), Ok(())),
            (json!({"exp": NOW + 3_601}), Err(Reject::LifetimeTooLong)),
            (json!({"exp": NOW + 10, "iat": NOW - 3_590}), Ok(())),
            (
                json!({"exp": NOW + 10, "iat": NOW - 3_591}),
                Err(Reject::LifetimeTooLong),
            ),
            (
                json!({"exp": NOW + 10, "iat": i64::MIN}),
                Err(Reject::LifetimeTooLong),
            ),
            (json!({"exp": i64::MAX}), Err(Reject::LifetimeTooLong)),
            (json!({"exp": 1e300}), Err(Reject::LifetimeTooLong)),
        ];
        for (claims, expected) in cases {
            assert_eq!(check(RULES, &claims), expected, "{claims}");
        }
    }

    #[test]
    fn a_time_that_is_no_number_is_a_mismatch() {
        for wrong in [
            json!("1795338060"),
            json!(null),
            json!(true),
            json!([NOW]),
            json!({}),
        ] {
            for name in ["exp", "nbf", "iat"] {
                let mut claims = json!({"exp": NOW + 60});
                claims[name] = wrong.clone();
                assert_eq!(check(RULES, &claims), Err(Reject::ClaimMismatch), "{claims}");
            }
        }
    }

    #[test]
    fn unlimited_is_unlimited() {
        let rules = TimeRules {
            clock_skew: 30,
            max_lifetime: None,
        };
        assert_eq!(check(rules, &json!({"exp": u64::MAX, "iat": i64::MIN})), Ok(()));
    }
}
