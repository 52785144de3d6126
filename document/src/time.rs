//! Time as policies write it: instants (RFC 3339), durations (`30s`, `10m`, `1h`, `7d`), Unix seconds.
//!
//! No clock is read here or anywhere below the plugin: "now" is a value that callers pass in.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Timelike};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted (RFC 7519 section 2, `NumericDate`).
///
/// Arithmetic saturates: a hostile time is far away, never a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// The time `seconds` later.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The time `seconds` earlier.
    #[must_use]
    pub const fn minus(self, seconds: i64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// The seconds from `earlier` to this time; negative where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC, or the bare seconds where no calendar reaches.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 3339 has years of four digits.
        let time = DateTime::from_timestamp_secs(self.0).filter(|time| (0..=9999).contains(&time.year()));
        let Some(time) = time else {
            return write!(f, "{}", self.0);
        };
        let year = time.year().unsigned_abs();
        let parts = [
            (year / 100, ""),
            (year % 100, "-"),
            (time.month(), "-"),
            (time.day(), "T"),
            (time.hour(), ":"),
            (time.minute(), ":"),
            (time.second(), "Z"),
        ];
        let mut text = String::with_capacity("0000-00-00T00:00:00Z".len());
        for (number, end) in parts {
            text.extend([number / 10, number % 10].map(digit));
            text.push_str(end);
        }
        f.write_str(&text)
    }
}

/// A digit, of a number below ten. Records are written on every refused request: formatting numbers costs more.
fn digit(number: u32) -> char {
    char::from_digit(number, 10).unwrap_or('0')
}

/// A text is not an instant or a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an RFC 3339 instant.
    #[error("`{0}` is no instant; write RFC 3339 with an offset, as in `2026-12-01T00:00:00Z`")]
    Instant(String),
    /// Not a duration.
    #[error("`{0}` is no duration; write a whole number and a unit, as in `30s`, `10m`, `1h`, `7d`")]
    Duration(String),
}

/// An instant of a policy, written as RFC 3339 with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub UnixTime);

impl FromStr for Instant {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(UnixTime(time.timestamp())))
            .map_err(|_| TimeError::Instant(text.to_owned()))
    }
}

/// A length of time of a policy, in whole seconds, written `30s`, `10m`, `1h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    seconds: i64,
}

impl Duration {
    /// A length of `seconds`.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        Self {
            seconds: seconds as i64,
        }
    }

    /// Its length in seconds; never negative.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.seconds
    }
}

impl FromStr for Duration {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError::Duration(text.to_owned());
        let unit = text.chars().last().ok_or_else(error)?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(error()),
        };
        let digits = text.strip_suffix(unit).unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let count: u32 = digits.parse().map_err(|_| error())?;
        Ok(Self {
            seconds: i64::from(count).saturating_mul(factor),
        })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
        let fits = |(size, _): &&(i64, char)| self.seconds != 0 && self.seconds.checked_rem(*size) == Some(0);
        match units.iter().find(fits) {
            Some((size, unit)) => write!(f, "{}{unit}", self.seconds.checked_div(*size).unwrap_or_default()),
            None => write!(f, "{}s", self.seconds),
        }
    }
}

macro_rules! written_as_text {
    ($type:ident, $format:literal, $pattern:literal, $description:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", $format: $pattern, "description": $description})
            }
        }
    };
}

written_as_text!(
    Instant,
    "format",
    "date-time",
    "an instant, RFC 3339 with an offset"
);
written_as_text!(
    Duration,
    "pattern",
    "^[0-9]+[smhd]$",
    "a length of time: 30s, 10m, 1h, 7d"
);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, UnixTime};

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        let seconds = |text: &str| text.parse::<Duration>().map(Duration::as_seconds).ok();
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("10m"), Some(600));
        assert_eq!(seconds("1h"), Some(3_600));
        assert_eq!(seconds("7d"), Some(604_800));
        for bad in [
            "",
            "s",
            "30",
            "-1s",
            "+1s",
            "1.5h",
            "1 h",
            "1H",
            "99999999999s",
            "1é",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        assert_eq!(Duration::from_seconds(90).to_string(), "90s");
        assert_eq!(Duration::from_seconds(86_400).to_string(), "1d");
        assert_eq!(Duration::from_seconds(0).to_string(), "0s");
    }

    #[test]
    fn instants_need_an_offset() {
        let unix = |text: &str| text.parse::<Instant>().map(|instant| instant.0.0).ok();
        assert_eq!(unix("2026-11-22T09:00:00Z"), Some(1_795_338_000));
        assert_eq!(unix("2026-11-22T10:00:00+01:00"), Some(1_795_338_000));
        assert_eq!(unix("2026-11-22T08:59:59.999Z"), Some(1_795_337_999));
        for bad in [
            "2026-11-22",
            "2026-11-22T09:00:00",
            "2026-11-22T09:00Z",
            "2026-11-22T09:00:00Z[UTC]",
            "2026-02-29T09:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T09:00:00+0100",
            "20261122T090000Z",
            "1795338000",
            "tomorrow",
            "",
        ] {
            assert_eq!(unix(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(UnixTime(1_795_338_000).to_string(), "2026-11-22T09:00:00Z");
        assert_eq!(UnixTime(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(UnixTime(-1).to_string(), "1969-12-31T23:59:59Z");
        assert_eq!(UnixTime(253_402_300_799).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(UnixTime(253_402_300_800).to_string(), "253402300800");
    }

    #[test]
    fn hostile_times_saturate() {
        assert_eq!(UnixTime(i64::MAX).plus(1), UnixTime(i64::MAX));
        assert_eq!(UnixTime(i64::MIN).minus(1), UnixTime(i64::MIN));
        assert_eq!(UnixTime(i64::MIN).since(UnixTime(i64::MAX)), i64::MIN);
        assert_eq!(UnixTime(i64::MAX).to_string(), i64::MAX.to_string());
    }
}
