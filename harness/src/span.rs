//! A length of time with a sign, as test files count from now: `10m`, `-1m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use scopegate_document::Duration;
use scopegate_document::time::TimeError;

/// A length of time before or after now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    length: Duration,
    is_past: bool,
}

impl Span {
    /// Its length in seconds; negative where it counts back.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        match self.is_past {
            true => self.length.as_seconds().saturating_neg(),
            false => self.length.as_seconds(),
        }
    }
}

impl FromStr for Span {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (is_past, length) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        Ok(Self {
            length: length.parse()?,
            is_past,
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_past { "-" } else { "" }, self.length)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[+-]?[0-9]+[smhd]$",
            "description": "a length of time counted from now: 10m, -1m",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_span_counts_both_ways() {
        let seconds = |text: &str| text.parse::<Span>().map(Span::as_seconds).ok();
        assert_eq!(seconds("10m"), Some(600));
        assert_eq!(seconds("+1h"), Some(3_600));
        assert_eq!(seconds("-30s"), Some(-30));
        for bad in ["", "-", "--1s", "10", "-1.5h"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        assert_eq!("-60s".parse::<Span>().unwrap().to_string(), "-1m");
    }
}
