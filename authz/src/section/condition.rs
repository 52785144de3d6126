//! Conditions as their authors write them: windows of time, and what conditions may read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::union::written;

/// The hours of some days, by the clock on a wall. Days alone are whole days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with `days`, `from`, `to` and `zone`"
)]
pub struct Window {
    /// The days on which it begins; every day by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub days: Option<Vec<Day>>,
    /// When it begins, as in `08:00`.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub from: Option<String>,
    /// When it ends, as in `18:00`: from this minute on it is closed. Where that is no later than its beginning, it ends
    /// on the day after. `24:00` is the end of the day.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub to: Option<String>,
    /// The time zone of the clock: an IANA name, as in `Europe/Berlin`, or an offset, as in `+01:00`; UTC by default.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub zone: Option<String>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Sunday.
    Sun,
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
}

impl Day {
    /// The days of the week, from Sunday on.
    pub const ALL: [Self; 7] = [
        Self::Sun,
        Self::Mon,
        Self::Tue,
        Self::Wed,
        Self::Thu,
        Self::Fri,
        Self::Sat,
    ];
}

/// What the expressions of `when` may read of a request beyond its method, host, path and query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `headers`")]
pub struct Conditions {
    /// The headers, by name.
    #[serde(
        default,
        deserialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub headers: Option<Vec<String>>,
}
